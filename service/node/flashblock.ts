import type { BuiltBlock, Withdrawal } from '../../host/index.ts'
import { addressToHex, wordToBigInt } from '../../host/index.ts'
import { readReceipt } from './receipt_views.ts'
import { hashesOf } from './transaction_views.ts'

/**
 * A sub-block of a payload (flashbots rollup-boost, FlashblocksPayloadV1), without a word of JSON. `diff` has the
 * transactions that are new; all else in it is of the block as it stands with them.
 */
export interface Flashblock {
  readonly payloadId: string
  /** From 0 on, without gaps. */
  readonly index: number
  /** With the first one: what holds for all of them. */
  readonly base: FlashblockBase | undefined
  readonly diff: FlashblockDiff
  readonly metadata: FlashblockMetadata
}

export interface FlashblockBase {
  readonly parentBeaconBlockRoot: string
  readonly parentHash: string
  readonly feeRecipient: string
  readonly prevRandao: string
  readonly blockNumber: bigint
  readonly gasLimit: bigint
  readonly timestamp: bigint
  readonly extraData: string
  readonly baseFeePerGas: bigint
}

export interface FlashblockDiff {
  readonly stateRoot: string
  readonly receiptsRoot: string
  readonly logsBloom: string
  readonly gasUsed: bigint
  readonly blockHash: string
  readonly transactions: readonly Uint8Array[]
  readonly withdrawals: readonly Withdrawal[]
  readonly withdrawalsRoot: string
  readonly blobGasUsed: bigint | undefined
}

export interface FlashblockMetadata {
  readonly blockNumber: bigint
  /** Of all accounts that the block has changed so far. */
  readonly balances: readonly (readonly [address: string, wei: bigint])[]
  /** Of the new transactions. */
  readonly receipts: readonly FlashblockReceipt[]
}

export interface FlashblockReceipt {
  readonly transactionHash: string
  readonly type: number
  readonly status: number
  readonly cumulativeGasUsed: bigint
  readonly logs: readonly { readonly address: string; readonly topics: readonly string[]; readonly data: Uint8Array }[]
  readonly deposit: { readonly nonce: bigint; readonly version: bigint | undefined } | undefined
}

const ZERO_HASH = `0x${'0'.repeat(64)}`
const LIMBS_PER_ADDRESS = 5
const LIMBS_PER_WORD = 8

/** A block as it stands, of which `first` transactions were told before, and `fresh` not; `receipts` are all. */
export interface StandingBlock {
  readonly payloadId: string
  readonly index: number
  readonly first: number
  readonly built: BuiltBlock
  readonly fresh: readonly Uint8Array[]
  readonly receipts: readonly Uint8Array[]
}

export const flashblockOf = (standing: StandingBlock): Flashblock => {
  const { payloadId, index, first, built, fresh } = standing
  const { header, withdrawals = [] } = built.block
  return {
    payloadId,
    index,
    base:
      index > 0
        ? undefined
        : {
            parentBeaconBlockRoot: header.parentBeaconBlockRoot ?? ZERO_HASH,
            parentHash: header.parentHash,
            feeRecipient: header.coinbase,
            prevRandao: header.mixHash,
            blockNumber: header.number,
            gasLimit: header.gasLimit,
            timestamp: header.timestamp,
            extraData: header.extraData,
            baseFeePerGas: header.baseFeePerGas ?? 0n,
          },
    diff: {
      stateRoot: header.stateRoot,
      receiptsRoot: header.receiptsRoot,
      logsBloom: header.logsBloom,
      gasUsed: header.gasUsed,
      blockHash: built.hash,
      transactions: fresh,
      withdrawals,
      withdrawalsRoot: header.withdrawalsRoot ?? ZERO_HASH,
      blobGasUsed: header.blobGasUsed,
    },
    metadata: {
      blockNumber: header.number,
      balances: balancesOf(built),
      receipts: receiptsOf(fresh, standing.receipts.slice(first)),
    },
  }
}

const balancesOf = ({ execution: { writes } }: BuiltBlock): FlashblockMetadata['balances'] => {
  const { deletedAccounts, accountCount, accountAddresses, accounts } = writes
  const balances = new Map<string, bigint>()
  for (let at = 0; at < deletedAccounts.length; at += LIMBS_PER_ADDRESS)
    balances.set(addressToHex(deletedAccounts, at), 0n)
  for (let i = 0; i < accountCount; i++)
    balances.set(
      addressToHex(accountAddresses, LIMBS_PER_ADDRESS * i),
      wordToBigInt(accounts.balance, LIMBS_PER_WORD * i),
    )
  return [...balances]
}

const receiptsOf = (
  transactions: readonly Uint8Array[],
  receipts: readonly Uint8Array[],
): readonly FlashblockReceipt[] => {
  const hashes = hashesOf(transactions)
  return receipts.map((bytes, i) => {
    const { status = 0, cumulativeGasUsed, logs, deposit } = readReceipt(bytes)
    const type = bytes[0]! < FIRST_OF_LIST ? bytes[0]! : 0
    return { transactionHash: hashes[i]!, type, status, cumulativeGasUsed, logs, deposit }
  })
}

const FIRST_OF_LIST = 0xc0
