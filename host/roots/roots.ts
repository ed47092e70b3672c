import { BLOOM_BYTES } from '../chain/bloom.ts'
import type { Log } from '../chain/log.ts'
import { encodeWithdrawal, type Withdrawal } from '../chain/withdrawals.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { rlpBytes, rlpHex, rlpInteger, rlpList } from '../primitives/rlp.ts'
import { type Receipts, STATUS_REJECTED } from '../receipts/receipts.ts'
import { sortedTrieRoot } from '../state/trie/sorted_trie.ts'

/** What consensus keeps of one receipt. */
export interface ConsensusReceipt {
  readonly type: number
  readonly status: 0 | 1
  readonly cumulativeGasUsed: bigint | number
  readonly bloom: Uint8Array
  readonly logs: readonly Log[]
  /** State root after the transaction (0x-hex), in place of the status: before Byzantium (EIP-658). */
  readonly postState?: string
  /** OP-stack deposits from Regolith on: the sender's nonce, and from Canyon on the version of the receipt. */
  readonly depositNonce?: bigint
  readonly depositReceiptVersion?: bigint
}

/** The value of a receipt in the receipts trie: RLP, after its type byte where it has one (EIP-2718). */
export const encodeReceipt = (receipt: ConsensusReceipt): Uint8Array => {
  const { type, status, postState, depositNonce, depositReceiptVersion } = receipt
  const fields = [
    postState === undefined ? rlpInteger(status) : rlpHex(postState),
    rlpInteger(receipt.cumulativeGasUsed),
    rlpBytes(receipt.bloom),
    rlpList(receipt.logs.map(encodeLog)),
  ]
  if (depositNonce !== undefined) fields.push(rlpInteger(depositNonce))
  if (depositReceiptVersion !== undefined) fields.push(rlpInteger(depositReceiptVersion))
  return enveloped(type, rlpList(fields))
}

const encodeLog = ({ address, topics, data }: Log): Uint8Array =>
  rlpList([rlpHex(address), rlpList(topics.map(rlpHex)), rlpHex(data)])

const enveloped = (type: number, payload: Uint8Array): Uint8Array => {
  if (type === 0) return payload
  const bytes = new Uint8Array(1 + payload.length)
  bytes[0] = type
  bytes.set(payload, 1)
  return bytes
}

/**
 * What a receipts trie holds beyond the receipts of the batch, by transaction index.
 *
 * @example
 * import type { ReceiptExtras } from 'wgevm'
 *
 * const extras: ReceiptExtras = { deposits: new Map([[0, { nonce: 3n, version: 1n }]]) }
 * console.log(extras.deposits?.get(0)?.nonce) // 3n
 */
export interface ReceiptExtras {
  /** State root after each transaction (0x-hex), before Byzantium. */
  readonly postStates?: readonly string[]
  /** OP-stack deposits. */
  readonly deposits?: ReadonlyMap<number, { readonly nonce: bigint; readonly version?: bigint }>
}

/** Every included transaction's receipt as the trie holds it; rejected transactions have none. */
export const encodeReceipts = (receipts: Receipts, extras: ReceiptExtras = {}): readonly Uint8Array[] => {
  const blooms = receipts.blooms()
  const encoded: Uint8Array[] = []
  for (let i = 0; i < receipts.count; i++) {
    const status = receipts.status[i]!
    if (status === STATUS_REJECTED) continue
    const postState = extras.postStates?.[i]
    const deposit = extras.deposits?.get(i)
    encoded.push(
      encodeReceipt({
        type: receipts.type[i]!,
        status: status as 0 | 1,
        cumulativeGasUsed: receipts.cumulativeGasUsedOf(i),
        bloom: blooms.subarray(BLOOM_BYTES * i, BLOOM_BYTES * (i + 1)),
        logs: receipts.logs(i),
        ...(postState === undefined ? {} : { postState }),
        ...(deposit === undefined ? {} : { depositNonce: deposit.nonce }),
        ...(deposit?.version === undefined ? {} : { depositReceiptVersion: deposit.version }),
      }),
    )
  }
  return encoded
}

/**
 * Receipts root of the included transactions, 0x-hex (YP 4.3.1, EIP-2718).
 *
 * @example
 * import { createExecutor, EMPTY_TRIE_ROOT, MemoryState, receiptsRoot } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState() })
 * const env = { number: 1n, timestamp: 1n, coinbase, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n }
 * const { receipts } = await executor.execute({ env, transactions: [] })
 * console.log(receiptsRoot(receipts) === EMPTY_TRIE_ROOT) // true
 * executor.close()
 */
export const receiptsRoot = (receipts: Receipts, extras: ReceiptExtras = {}): string =>
  indexedRoot(encodeReceipts(receipts, extras))

/**
 * Transactions root, 0x-hex (YP 4.3, EIP-2718): each as it comes over the wire (typed: type byte and payload; legacy:
 * RLP).
 *
 * @example
 * import { EMPTY_TRIE_ROOT, transactionsRoot } from 'wgevm'
 *
 * console.log(transactionsRoot([]) === EMPTY_TRIE_ROOT) // true
 */
export const transactionsRoot = (signed: readonly Uint8Array[]): string => indexedRoot(signed)

/**
 * Withdrawals root, 0x-hex (EIP-4895).
 *
 * @example
 * import { withdrawalsRoot } from 'wgevm'
 *
 * const address = '0x00000000000000000000000000000000000a11ce'
 * console.log(withdrawalsRoot([{ index: 0n, validatorIndex: 7n, address, amount: 32_000_000_000n }]).length) // 66
 */
export const withdrawalsRoot = (withdrawals: readonly Withdrawal[]): string =>
  indexedRoot(withdrawals.map(encodeWithdrawal))

/** Root of the trie in which item i stands under the RLP of i, 0x-hex. */
export const indexedRoot = (items: readonly Uint8Array[]): string => {
  // Bytewise order of the keys: 1 to 127 are themselves, 0 is 0x80, longer ones begin with their length.
  const order: number[] = []
  for (let i = 1; i < Math.min(items.length, 128); i++) order.push(i)
  if (items.length > 0) order.push(0)
  for (let i = 128; i < items.length; i++) order.push(i)
  return bytesToHex(
    sortedTrieRoot(
      order.map((i) => rlpInteger(i)),
      order.map((i) => items[i]!),
    ),
  )
}
