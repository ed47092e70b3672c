import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { wordCompare } from '../primitives/word.ts'
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
  const chains = senderChains(batch, rules)
  const next = new Uint32Array(chains.length)
  const heads = new Uint32Array(chains.length)
  for (const [chain, transactions] of chains.entries()) heads[chain] = transactions[0]!
  const isBefore = (a: number, b: number): boolean => {
    const i = heads[a]!
    const j = heads[b]!
    const order = wordCompare(rules.priority, LIMBS_PER_WORD * i, rules.priority, LIMBS_PER_WORD * j)
    return order !== 0 ? order > 0 : i < j
  }
  const heap = Uint32Array.from(chains, (_, chain) => chain)
  let size = heap.length
  const sink = (from: number): void => {
    let at = from
    for (;;) {
      let first = at
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < size; child++)
        if (isBefore(heap[child]!, heap[first]!)) first = child
      if (first === at) return
      const chain = heap[at]!
      heap[at] = heap[first]!
      heap[first] = chain
      at = first
    }
  }
  for (let at = (size >> 1) - 1; at >= 0; at--) sink(at)
  const order = new Uint32Array(chains.reduce((count, { length }) => count + length, 0))
  for (let n = 0; n < order.length; n++) {
    const chain = heap[0]!
    order[n] = heads[chain]!
    const following = chains[chain]![++next[chain]!]
    if (following === undefined) heap[0] = heap[--size]!
    else heads[chain] = following
    sink(0)
  }
  spreadCalls(order, batch, rules)
  return order
}

/** The transactions of each sender by nonce, in the order in which the senders come first. */
const senderChains = (batch: TransactionBatch, { rejection, priority }: TransactionRules): Uint32Array[] => {
  const bySender = new Map<string, number[]>()
  for (let i = 0; i < batch.count; i++) {
    if (rejection[i] !== 0) continue
    const name = batch.from.subarray(LIMBS_PER_ADDRESS * i, LIMBS_PER_ADDRESS * (i + 1)).join()
    const chain = bySender.get(name)
    if (chain === undefined) bySender.set(name, [i])
    else chain.push(i)
  }
  const { nonce } = batch
  return Array.from(bySender.values(), (chain) =>
    Uint32Array.from(
      chain.sort((i, j) => {
        const high = nonce[2 * i + 1]! - nonce[2 * j + 1]!
        const order = high !== 0 ? high : nonce[2 * i]! - nonce[2 * j]!
        return order !== 0 ? order : wordCompare(priority, LIMBS_PER_WORD * j, priority, LIMBS_PER_WORD * i) || i - j
      }),
    ),
  )
}

/**
 * Reorders each run of equal pay by how many calls of the same contract stand in front; a sender's never pass each
 * other.
 */
const spreadCalls = (order: Uint32Array, batch: TransactionBatch, { priority }: TransactionRules): void => {
  for (let first = 0; first < order.length; ) {
    let end = first + 1
    while (
      end < order.length &&
      wordCompare(priority, LIMBS_PER_WORD * order[first]!, priority, LIMBS_PER_WORD * order[end]!) === 0
    )
      end++
    if (end - first > 2) spreadRun(order.subarray(first, end), batch)
    first = end
  }
}

const spreadRun = (run: Uint32Array, { from, to, creates, dataStart }: TransactionBatch): void => {
  const calls = new Map<string, number>()
  const senders = new Map<string, number>()
  const ranks = new Map<number, number>()
  for (const i of run) {
    const sender = from.subarray(LIMBS_PER_ADDRESS * i, LIMBS_PER_ADDRESS * (i + 1)).join()
    let rank = senders.get(sender) ?? 0
    const isCall = creates[i] === 0 && dataStart[i + 1]! > dataStart[i]!
    if (isCall) {
      const callee = to.subarray(LIMBS_PER_ADDRESS * i, LIMBS_PER_ADDRESS * (i + 1)).join()
      const before = calls.get(callee) ?? 0
      calls.set(callee, before + 1)
      rank = Math.max(rank, before)
    }
    senders.set(sender, rank)
    ranks.set(i, rank)
  }
  const position = new Map(Array.from(run, (i, n) => [i, n]))
  run.sort((a, b) => ranks.get(a)! - ranks.get(b)! || position.get(a)! - position.get(b)!)
}
