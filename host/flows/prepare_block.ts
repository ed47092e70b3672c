import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { accessListHash, checkOrder } from '../chain/access_list.ts'
import { type TransactionBatch, TYPE_DEPOSIT } from '../chain/batch.ts'
import { checkBatch } from '../chain/check_batch.ts'
import { headerFault } from '../chain/check_header.ts'
import { encodeBatch } from '../chain/encode_batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { type BlockHeader, blobScheduleAt, encodeHeader, environmentOf, uncleHashOf } from '../chain/header.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import { isOpAtLeast } from '../chain/op/op_forks.ts'
import { activatedFork, checkForkOf } from '../chain/op/op_header.ts'
import { isPacked, type SignedTransactions, signedCount, signedItemLength } from '../chain/packed.ts'
import { type DecodeOptions, decodeSignedBatch, type SignedBatch } from '../chain/signed_batch.ts'
import { encodeWithdrawal } from '../chain/withdrawals.ts'
import type { NodeHasher } from '../primitives/hash_plan.ts'
import { rlpHeadBytes, rlpList } from '../primitives/rlp.ts'
import { rootedOf } from '../roots/rooted_transactions.ts'
import { prepareTransactionsRoot, withdrawalsRoot } from '../roots/roots.ts'
import { knownColumn } from '../senders/known_senders.ts'
import { type RecoverRows, recoverSendersBulk } from '../senders/recover.ts'
import { BlockError, type BlockInput, type BlockOptions } from './block_input.ts'
import { RootJobs } from './root_jobs.ts'

/** The chain that a block is of, and what recovers its senders. */
export interface PrepareChain {
  readonly fork: Fork
  readonly chainId: bigint
  /** On a chain of the OP stack. */
  readonly chain?: OpRules | undefined
  readonly recover: RecoverRows
  /** Hashes the transactions trie. */
  readonly hasher: NodeHasher
}

/** A block of which all has been checked that can be without a state. */
export interface PreparedBlock {
  readonly block: BlockInput
  readonly batch: TransactionBatch
  readonly env: BlockEnvironment
  /** The transactions over the wire, where they are known. */
  readonly signed: SignedTransactions | undefined
  /** Undefined where the signed transactions are not known. */
  readonly transactionsRoot: string | undefined
  /** Wall milliseconds. */
  readonly timings: Readonly<Record<PrepareStage, number>>
}

type PrepareStage = 'decode' | 'senders' | 'roots'

/** Adds the time since it was last called to a stage. */
type Laps = (stage: PrepareStage) => void

/**
 * Checks the header and the body of a block, decodes its transactions and recovers their senders, while their trie is
 * hashed. Reads no state and changes nothing. Throws BlockError and TransactionInputError: of several faults the one
 * that stands first in the block.
 */
export const prepareBlock = async (
  { fork, chainId, chain, recover, hasher }: PrepareChain,
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
  if (chain !== undefined) checkForkOf(chain, header.timestamp)
  const schedule =
    chain === undefined ? (options.blobSchedule ?? blobScheduleAt(fork, chainId, header.timestamp)) : undefined
  const fault = headerFault(header, fork, options.parent, schedule, chain)
  if (fault !== undefined)
    throw new BlockError(header.number, fault.field, `header says ${fault.stated}, expected ${fault.actual}`)
  const signed = signedOf(block)
  const jobs = new RootJobs(hasher)
  lap('decode')
  const root =
    rootedOf(block.transactions)?.root ??
    (signed === undefined ? undefined : jobs.start((hasher) => prepareTransactionsRoot(signed).finish(hasher)))
  lap('roots')
  const decoding = (async () => decodedOf(block, { chainId, fork, deposits: chain !== undefined }))()
  lap('decode')
  const recovering = decoding.then((decoded) => recovered(block, decoded, recover))
  // A fault of a transaction has its turn after those of the body.
  const ended = Promise.allSettled([recovering, jobs.settled()])
  try {
    const found = await root
    lap('roots')
    if (found !== undefined) expectField(header, 'transactionsRoot', found)
    checkBody(block, signed, fork, chain)
    checkAccessList(block)
    lap('decode')
    const batch = await recovering
    if (chain !== undefined) checkActivation(header, options.parent, batch, chain)
    lap('senders')
    const env = environmentOf(header, fork, schedule)
    return { block, batch, env, signed, transactionsRoot: found, timings }
  } finally {
    await ended
  }
}

/** EIP-7934 (Osaka): bytes of the RLP of a block. */
export const MAX_BLOCK_BYTES = 8 * 1024 * 1024
const MAX_UNCLES = 2
const MAX_UNCLE_DEPTH = 6n

const isWire = (transactions: BlockInput['transactions']): transactions is SignedTransactions =>
  isPacked(transactions) || (Array.isArray(transactions) && transactions[0] instanceof Uint8Array)

const signedOf = ({ transactions, signed }: BlockInput): SignedTransactions | undefined => {
  if (isWire(transactions)) return rootedOf(transactions)?.packed ?? transactions
  return signed ?? (Array.isArray(transactions) && transactions.length === 0 ? [] : undefined)
}

/** The columns of the transactions, and where these came signed what their senders are recovered from. */
const decodedOf = (
  { transactions }: BlockInput,
  options: Pick<DecodeOptions, 'chainId' | 'fork' | 'deposits'>,
): TransactionBatch | SignedBatch => {
  const rooted = rootedOf(transactions)
  if (rooted !== undefined) return withHashes(decodeSignedBatch(rooted.packed, options), () => rooted.hashes)
  if (isWire(transactions)) return decodeSignedBatch(transactions, options)
  return Array.isArray(transactions) ? encodeBatch(transactions) : checkBatch(transactions)
}

/** The signatures are known by hashes of transactions that something else has a use for. */
const withHashes = ({ signatures, ...decoded }: SignedBatch, hashes: () => Uint8Array): SignedBatch => ({
  ...decoded,
  signatures: {
    rs: signatures.rs,
    parity: signatures.parity,
    get hash() {
      return signatures.hash
    },
    get identity() {
      return hashes()
    },
  },
})

/** The batch with its senders. */
const recovered = async (
  { senders }: BlockInput,
  decoded: TransactionBatch | SignedBatch,
  recover: RecoverRows,
): Promise<TransactionBatch> =>
  'signatures' in decoded ? recoverSendersBulk(decoded, recover, { known: knownColumn(senders) }) : decoded

/** What can be said of uncles, withdrawals and the size without executing anything. */
const checkBody = (
  block: BlockInput,
  signed: SignedTransactions | undefined,
  fork: Fork,
  chain: OpRules | undefined,
): void => {
  const { header, uncles = [], withdrawals } = block
  expectField(header, 'uncleHash', uncleHashOf(uncles))
  if (uncles.length > MAX_UNCLES)
    throw new BlockError(header.number, 'uncles', `${uncles.length} of them, expected at most ${MAX_UNCLES}`)
  for (const { number } of uncles) {
    if (number < header.number - MAX_UNCLE_DEPTH || number >= header.number)
      throw new BlockError(header.number, 'uncles', `one has number ${number}, expected one of the 6 before the block`)
  }
  const hasMessages = chain !== undefined && isOpAtLeast(chain.fork, 'isthmus')
  if (chain !== undefined && withdrawals !== undefined && withdrawals.length > 0)
    throw new BlockError(header.number, 'withdrawals', `${withdrawals.length} of them, expected none on the OP stack`)
  if (isAtLeast(fork, 'shanghai') && !hasMessages)
    expectField(header, 'withdrawalsRoot', withdrawalsRoot(withdrawals ?? []))
  else if (!hasMessages && withdrawals !== undefined && withdrawals.length > 0)
    throw new BlockError(header.number, 'withdrawals', `${withdrawals.length} of them, expected none before shanghai`)
  if (isAtLeast(fork, 'osaka') && chain === undefined && signed !== undefined) {
    const bytes = blockBytes(block, signed)
    if (bytes > MAX_BLOCK_BYTES)
      throw new BlockError(header.number, 'size', `${bytes} bytes of RLP, expected at most ${MAX_BLOCK_BYTES}`)
  }
}

/** The first block of a fork from Jovian on holds deposits only. */
const checkActivation = (
  { number, timestamp }: BlockHeader,
  parent: BlockHeader | undefined,
  { count, type }: TransactionBatch,
  chain: OpRules,
): void => {
  const fork = parent === undefined ? undefined : activatedFork(chain, timestamp, parent.timestamp)
  if (fork === undefined) return
  for (let i = 0; i < count; i++)
    if (type[i] !== TYPE_DEPOSIT)
      throw new BlockError(
        number,
        'transactions',
        `transaction ${i} is no deposit, expected none else in ${fork}'s first`,
      )
}

const expectField = (header: BlockHeader, field: keyof BlockHeader, actual: string): void => {
  if (header[field] !== actual) throw new BlockError(header.number, field, `header says ${header[field]}, is ${actual}`)
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

/** Bytes of the RLP of the whole block. */
const blockBytes = ({ header, uncles = [], withdrawals = [] }: BlockInput, signed: SignedTransactions): number => {
  let transactions = 0
  for (let i = 0; i < signedCount(signed); i++) transactions += signedItemLength(signed, i)
  return withHead(
    encodeHeader(header).length +
      withHead(transactions) +
      rlpList(uncles.map(encodeHeader)).length +
      rlpList(withdrawals.map(encodeWithdrawal)).length,
  )
}

/** A payload of so many bytes, and its header. */
const withHead = (length: number): number => rlpHeadBytes(length) + length
