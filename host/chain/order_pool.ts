import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { wordCompare, wordToNumber } from '../primitives/word.ts'
import { type AddressGroups, groupByAddress } from './address_groups.ts'
import type { TransactionBatch } from './batch.ts'
import type { TransactionRules } from './rules.ts'

/**
 * The order in which a pool goes into a block: by what the coinbase gets per gas, highest first and of equals the
 * earlier one, while each sender's transactions keep the order of their nonces (of equal nonces the one that pays more
 * is first). Transactions that break a static rule are left out.
 *
 * Of those that pay the same, one that calls a contract which others before it call goes after the first call of every
 * other contract, and so on: transactions that may conflict move later, as far as pay and nonces leave it open.
 *
 * A heap of senders, each standing for its next transaction: O(n log n), without objects per transaction.
 */
export const orderPool = (batch: TransactionBatch, rules: TransactionRules): Uint32Array => {
  const { rejection } = rules
  const senders = groupByAddress(batch.from, batch.count, (i) => rejection[i] === 0)
  const pay = payOf(batch.count, rules)
  const { rows, starts } = senderChains(batch, senders, pay)
  const next = starts.slice()
  const isBefore = (a: number, b: number): boolean => {
    const i = rows[next[a]!]!
    const j = rows[next[b]!]!
    const order = pay.compare(i, j)
    return order !== 0 ? order > 0 : i < j
  }
  const heap = Uint32Array.from({ length: senders.count }, (_, sender) => sender)
  let size = heap.length
  const sink = (from: number): void => {
    let at = from
    for (;;) {
      let first = at
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < size; child++)
        if (isBefore(heap[child]!, heap[first]!)) first = child
      if (first === at) return
      const sender = heap[at]!
      heap[at] = heap[first]!
      heap[first] = sender
      at = first
    }
  }
  for (let at = (size >> 1) - 1; at >= 0; at--) sink(at)
  const order = new Uint32Array(rows.length)
  for (let n = 0; n < order.length; n++) {
    const sender = heap[0]!
    order[n] = rows[next[sender]!]!
    if (++next[sender]! === starts[sender + 1]) heap[0] = heap[--size]!
    sink(0)
  }
  spreadCalls(order, batch, senders, pay)
  return order
}

/** What transactions give the coinbase per gas. */
interface Pay {
  /** -1, 0 or 1 as transaction i gives less than, as much as or more than j. */
  compare(i: number, j: number): -1 | 0 | 1
}

/** In doubles, where they are exact. */
const payOf = (count: number, { priority }: TransactionRules): Pay => {
  const numbers = new Float64Array(count)
  for (let i = 0; i < count; i++) numbers[i] = wordToNumber(priority, LIMBS_PER_WORD * i)
  return {
    compare: (i, j) => {
      const a = numbers[i]!
      const b = numbers[j]!
      if (a !== b) return a > b ? 1 : -1
      return a === Infinity ? wordCompare(priority, LIMBS_PER_WORD * i, priority, LIMBS_PER_WORD * j) : 0
    },
  }
}

/** The transactions of each sender by nonce: those of sender s are rows[starts[s] .. starts[s + 1]]. */
const senderChains = (
  { count, nonce }: TransactionBatch,
  { count: senderCount, of }: AddressGroups,
  pay: Pay,
): { readonly rows: Uint32Array; readonly starts: Uint32Array } => {
  const starts = new Uint32Array(senderCount + 1)
  for (let i = 0; i < count; i++) if (of[i]! >= 0) starts[of[i]! + 1]!++
  for (let s = 0; s < senderCount; s++) starts[s + 1]! += starts[s]!
  const rows = new Uint32Array(starts[senderCount]!)
  const end = starts.slice()
  for (let i = 0; i < count; i++) if (of[i]! >= 0) rows[end[of[i]!]!++] = i
  const byNonce = (i: number, j: number): number => {
    const high = nonce[2 * i + 1]! - nonce[2 * j + 1]!
    const order = high !== 0 ? high : nonce[2 * i]! - nonce[2 * j]!
    return order !== 0 ? order : pay.compare(j, i) || i - j
  }
  for (let s = 0; s < senderCount; s++)
    if (starts[s + 1]! - starts[s]! > 1) rows.subarray(starts[s], starts[s + 1]).sort(byNonce)
  return { rows, starts }
}

/**
 * Reorders each run of equal pay by how many calls of the same contract stand before; a sender's never pass each other.
 */
const spreadCalls = (order: Uint32Array, batch: TransactionBatch, senders: AddressGroups, pay: Pay): void => {
  let spread: Spread | undefined
  for (let first = 0; first < order.length; ) {
    let end = first + 1
    while (end < order.length && pay.compare(order[first]!, order[end]!) === 0) end++
    if (end - first > 2) {
      spread ??= spreadOf(batch, senders)
      spreadRun(order.subarray(first, end), spread)
    }
    first = end
  }
}

/** Groups of senders and of called contracts, with what a run counts of each: zero between runs. */
interface Spread {
  readonly senders: AddressGroups
  readonly callees: AddressGroups
  readonly ranks: Float64Array
  readonly calls: Float64Array
}

const spreadOf = ({ to, count, creates, dataStart }: TransactionBatch, senders: AddressGroups): Spread => {
  const isCall = (i: number): boolean => creates[i] === 0 && dataStart[i + 1]! > dataStart[i]!
  const callees = groupByAddress(to, count, isCall)
  return { senders, callees, ranks: new Float64Array(senders.count), calls: new Float64Array(callees.count) }
}

/** Above any position in a run. */
const RANK = 2 ** 26

const spreadRun = (run: Uint32Array, { senders, callees, ranks, calls }: Spread): void => {
  /** Rank and position of each, by which they are sorted. */
  const keys = new Float64Array(run.length)
  for (let n = 0; n < run.length; n++) {
    const i = run[n]!
    const sender = senders.of[i]!
    const callee = callees.of[i]!
    let rank = ranks[sender]!
    if (callee >= 0) rank = Math.max(rank, calls[callee]!++)
    ranks[sender] = rank
    keys[n] = rank * RANK + n
  }
  for (const i of run) {
    ranks[senders.of[i]!] = 0
    if (callees.of[i]! >= 0) calls[callees.of[i]!] = 0
  }
  const before = run.slice()
  keys.sort()
  for (let n = 0; n < run.length; n++) run[n] = before[keys[n]! % RANK]!
}
