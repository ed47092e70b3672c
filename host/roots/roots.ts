import { TransactionInputError } from '../chain/encode_batch.ts'
import { checkPacked, type PackedTransactions, type SignedTransactions } from '../chain/packed.ts'
import { ReceiptListWriter } from '../chain/receipt_list.ts'
import { NO_TRANSACTION_BYTES } from '../chain/signed_batch.ts'
import { checkWithdrawals, encodeWithdrawal, type Withdrawal } from '../chain/withdrawals.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { checkObject, refuse } from '../primitives/input.ts'
import { EMPTY_TRIE_ROOT } from '../primitives/keccak.ts'
import { rlpInteger } from '../primitives/rlp.ts'
import { Receipts } from '../receipts/receipts.ts'
import { sortedTrieRoot } from '../state/trie/sorted_trie.ts'
import { indexPlan, SHORTEST_VALUE } from './index_trie.ts'
import { type ReceiptExtras, ReceiptValues } from './receipt_values.ts'
import { knownRoot, plannedRoot, type RootJob } from './root_job.ts'

/** Every included transaction's receipt as the trie holds it; rejected transactions have none. */
export const encodeReceipts = (receipts: Receipts, extras: ReceiptExtras = {}): readonly Uint8Array[] => {
  const encoded: Uint8Array[] = []
  new ReceiptValues(receipts, extras).visit(({ bytes, lengths }) => {
    let at = 0
    for (const length of lengths) {
      encoded.push(bytes.slice(at, at + length))
      at += length
    }
  })
  return encoded
}

/** The same as they are kept: a block of them never stands whole in memory. */
export const encodeKeptReceipts = (receipts: Receipts, extras: ReceiptExtras = {}): Uint8Array => {
  const list = new ReceiptListWriter()
  new ReceiptValues(receipts, extras).visit((some) => list.add(some))
  return list.finish()
}

/**
 * Receipts root of the included transactions, 0x-hex (YP 4.3.1, EIP-2718). Throws InputError.
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
export const receiptsRoot = (receipts: Receipts, extras: ReceiptExtras = {}): string => {
  if (!(receipts instanceof Receipts)) refuse('receipts', receipts, 'the Receipts of a result')
  checkObject(extras, 'extras')
  return prepareReceiptsRoot(receipts, extras).finishNow()
}

/** The same as a job: all but its hashes is done here. @internal */
export const prepareReceiptsRoot = (receipts: Receipts, extras: ReceiptExtras = {}): RootJob => {
  const values = new ReceiptValues(receipts, extras)
  // A receipt has a bloom: none is short.
  if (values.count === 0) return knownRoot(EMPTY_TRIE_ROOT)
  const { plan, valueAt } = indexPlan(values.lengths)
  values.write(plan.bytes, valueAt)
  return plannedRoot(plan)
}

/**
 * Transactions root, 0x-hex (YP 4.3, EIP-2718): each as it comes over the wire (typed: type byte and payload; legacy:
 * RLP). Throws InputError for what is no bytes, and for offsets that do not lie side by side from 0 to the end.
 *
 * @example
 * import { EMPTY_TRIE_ROOT, transactionsRoot } from 'wgevm'
 *
 * console.log(transactionsRoot([]) === EMPTY_TRIE_ROOT) // true
 */
export const transactionsRoot = (signed: SignedTransactions): string => {
  if (!Array.isArray(signed)) return preparePackedRoot(checkPacked(signed, 'transactions')).finishNow()
  for (let i = 0; i < signed.length; i++) {
    const raw: unknown = signed[i]
    if (!(raw instanceof Uint8Array))
      throw new TransactionInputError(i, NO_TRANSACTION_BYTES, `transactions[${i}]`, raw)
  }
  return prepareIndexedRoot(signed).finishNow()
}

/** The same as a job, of what has been checked: all but its hashes is done here. @internal */
export const prepareTransactionsRoot = (signed: SignedTransactions): RootJob =>
  'offsets' in signed ? preparePackedRoot(signed) : prepareIndexedRoot(signed)

const preparePackedRoot = ({ bytes, offsets }: PackedTransactions): RootJob => {
  const count = offsets.length - 1
  const lengths = new Uint32Array(count)
  let shortest = SHORTEST_VALUE
  for (let i = 0; i < count; i++) {
    lengths[i] = offsets[i + 1]! - offsets[i]!
    shortest = Math.min(shortest, lengths[i]!)
  }
  if (count === 0 || shortest < SHORTEST_VALUE)
    return knownRoot(serialIndexedRoot(Array.from(lengths, (_, i) => bytes.subarray(offsets[i], offsets[i + 1]))))
  const { plan, valueAt } = indexPlan(lengths)
  for (let i = 0; i < count; i++) plan.bytes.set(bytes.subarray(offsets[i], offsets[i + 1]), valueAt[i])
  return plannedRoot(plan)
}

/**
 * Withdrawals root, 0x-hex (EIP-4895). Throws InputError.
 *
 * @example
 * import { withdrawalsRoot } from 'wgevm'
 *
 * const address = '0x00000000000000000000000000000000000a11ce'
 * console.log(withdrawalsRoot([{ index: 0n, validatorIndex: 7n, address, amount: 32_000_000_000n }]).length) // 66
 */
export const withdrawalsRoot = (withdrawals: readonly Withdrawal[]): string => {
  checkWithdrawals(withdrawals, 'withdrawals')
  return indexedRoot(withdrawals.map(encodeWithdrawal))
}

/** Root of the trie in which item i stands under the RLP of i, 0x-hex. */
export const indexedRoot = (items: readonly Uint8Array[]): string => prepareIndexedRoot(items).finishNow()

const prepareIndexedRoot = (items: readonly Uint8Array[]): RootJob => {
  const { length } = items
  const valueLengths = new Uint32Array(length)
  let shortest = SHORTEST_VALUE
  for (let i = 0; i < length; i++) {
    valueLengths[i] = items[i]!.length
    shortest = Math.min(shortest, items[i]!.length)
  }
  if (length === 0 || shortest < SHORTEST_VALUE) return knownRoot(serialIndexedRoot(items))
  const { plan, valueAt } = indexPlan(valueLengths)
  for (let i = 0; i < length; i++) plan.bytes.set(items[i]!, valueAt[i])
  return plannedRoot(plan)
}

/** Of items of any length: short nodes stand in their parents. */
const serialIndexedRoot = (items: readonly Uint8Array[]): string => {
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
