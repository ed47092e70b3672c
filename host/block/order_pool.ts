import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { wordCompare } from '../state/word.ts'
import type { TransactionBatch } from './batch.ts'
import type { TransactionRules } from './rules.ts'

/**
 * The order in which a pool goes into a block: by what the coinbase gets per gas, highest first and of equals the earlier one,
 * while each sender's transactions keep the order of their nonces (of equal nonces the one that pays more is first).
 * Transactions that break a static rule are left out.
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
