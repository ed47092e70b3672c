import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { accessListHash, checkOrder } from '../chain/access_list.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import { checkBatch } from '../chain/check_batch.ts'
import { headerFault } from '../chain/check_header.ts'
import { encodeBatch } from '../chain/encode_batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { type BlockHeader, blobScheduleAt, encodeHeader, environmentOf, uncleHashOf } from '../chain/header.ts'
import { decodeSignedBatch } from '../chain/signed_batch.ts'
import { encodeWithdrawal } from '../chain/withdrawals.ts'
import { rlpBytes, rlpList } from '../primitives/rlp.ts'
import { transactionsRoot, withdrawalsRoot } from '../roots/roots.ts'
import { knownColumn } from '../senders/known_senders.ts'
import { type RecoverRows, recoverSendersBulk } from '../senders/recover.ts'
import { BlockError, type BlockInput, type BlockOptions } from './block_input.ts'

/** The chain that a block is of, and what recovers its senders. */
export interface PrepareChain {
  readonly fork: Fork
  readonly chainId: bigint
  readonly recover: RecoverRows
}

/** A block of which all has been checked that can be without a state. */
export interface PreparedBlock {
  readonly block: BlockInput
  readonly batch: TransactionBatch
  readonly env: BlockEnvironment
  /** Undefined where the signed transactions are not known. */
  readonly transactionsRoot: string | undefined
  /** Wall milliseconds. */
  readonly timings: Readonly<Record<PrepareStage, number>>
}

type PrepareStage = 'decode' | 'senders' | 'roots'

/** Adds the time since it was last called to a stage. */
type Laps = (stage: PrepareStage) => void

/**
 * Checks the header and the body of a block, decodes its transactions and recovers their senders. Reads no state and
 * changes nothing. Throws BlockError and TransactionInputError.
 */
export const prepareBlock = async (
  { fork, chainId, recover }: PrepareChain,
  block: BlockInput,
  options: Pick<BlockOptions, 'parent' | 'blobSchedule'>,
): Promise<PreparedBlock> => {
  const timings = { decode: 0, senders: 0, roots: 0 }
  let startedMs = performance.now()
  const lap: Laps = (stage) => {
    const now = performance.now()
    timings[stage] += now - startedMs
    startedMs = now
  }
  const { header } = block
  const schedule = options.blobSchedule ?? blobScheduleAt(fork, chainId, header.timestamp)
  const fault = headerFault(header, fork, options.parent, schedule)
  if (fault !== undefined)
    throw new BlockError(header.number, fault.field, `header says ${fault.stated}, expected ${fault.actual}`)
  const signed = signedOf(block)
  checkBody(block, signed, fork, lap)
  checkAccessList(block)
  lap('decode')
  const batch = await batchOf(block, chainId, recover, lap)
  const env = environmentOf(header, fork, schedule)
  lap('decode')
  return { block, batch, env, transactionsRoot: signed === undefined ? undefined : header.transactionsRoot, timings }
}

/** EIP-7934 (Osaka): bytes of the RLP of a block. */
export const MAX_BLOCK_BYTES = 8 * 1024 * 1024
const MAX_UNCLES = 2
const MAX_UNCLE_DEPTH = 6n

const isWire = (transactions: BlockInput['transactions']): transactions is readonly Uint8Array[] =>
  Array.isArray(transactions) && transactions[0] instanceof Uint8Array

const signedOf = ({ transactions, signed }: BlockInput): readonly Uint8Array[] | undefined => {
  if (isWire(transactions)) return transactions
  return signed ?? (Array.isArray(transactions) && transactions.length === 0 ? [] : undefined)
}

const batchOf = async (
  { transactions, senders }: BlockInput,
  chainId: bigint,
  recover: RecoverRows,
  lap: Laps,
): Promise<TransactionBatch> => {
  if (!isWire(transactions)) return Array.isArray(transactions) ? encodeBatch(transactions) : checkBatch(transactions)
  const signed = decodeSignedBatch(transactions, { chainId })
  lap('decode')
  const batch = await recoverSendersBulk(signed, recover, { known: knownColumn(senders) })
  lap('senders')
  return batch
}

/** What can be said of transactions, uncles and withdrawals without executing anything. */
const checkBody = (block: BlockInput, signed: readonly Uint8Array[] | undefined, fork: Fork, lap: Laps): void => {
  const { header, uncles = [], withdrawals } = block
  const expect = (field: keyof BlockHeader, actual: string): void => {
    if (header[field] !== actual)
      throw new BlockError(header.number, field, `header says ${header[field]}, is ${actual}`)
  }
  lap('decode')
  if (signed !== undefined) expect('transactionsRoot', transactionsRoot(signed))
  lap('roots')
  expect('uncleHash', uncleHashOf(uncles))
  if (uncles.length > MAX_UNCLES)
    throw new BlockError(header.number, 'uncles', `${uncles.length} of them, expected at most ${MAX_UNCLES}`)
  for (const { number } of uncles) {
    if (number < header.number - MAX_UNCLE_DEPTH || number >= header.number)
      throw new BlockError(header.number, 'uncles', `one has number ${number}, expected one of the 6 before the block`)
  }
  if (isAtLeast(fork, 'shanghai')) expect('withdrawalsRoot', withdrawalsRoot(withdrawals ?? []))
  else if (withdrawals !== undefined && withdrawals.length > 0)
    throw new BlockError(header.number, 'withdrawals', `${withdrawals.length} of them, expected none before shanghai`)
  if (isAtLeast(fork, 'osaka') && signed !== undefined) {
    const bytes = encodeBlock(block, signed).length
    if (bytes > MAX_BLOCK_BYTES)
      throw new BlockError(header.number, 'size', `${bytes} bytes of RLP, expected at most ${MAX_BLOCK_BYTES}`)
  }
}

const checkAccessList = ({ header, accessList }: BlockInput): void => {
  if (accessList === undefined) return
  try {
    checkOrder(accessList)
  } catch (thrown) {
    throw new BlockError(header.number, 'accessList', (thrown as Error).message)
  }
  const hash = accessListHash(accessList)
  if (header.blockAccessListHash !== undefined && header.blockAccessListHash !== hash)
    throw new BlockError(header.number, 'blockAccessListHash', `header says ${header.blockAccessListHash}, is ${hash}`)
}

/** RLP of the whole block. */
const encodeBlock = (
  { header, uncles = [], withdrawals = [] }: BlockInput,
  signed: readonly Uint8Array[],
): Uint8Array =>
  rlpList([
    encodeHeader(header),
    rlpList(signed.map((bytes) => (bytes[0]! >= 0xc0 ? bytes : rlpBytes(bytes)))),
    rlpList(uncles.map(encodeHeader)),
    rlpList(withdrawals.map(encodeWithdrawal)),
  ])
