import type { IntList } from './int_list.ts'
import { orderByKey } from './key_order.ts'
import { LEAF_ENTRIES, LEAF_LIMBS, QUEUED } from './leaf_rows.ts'
import type { TrieNodes } from './trie_nodes.ts'

/** From so many leaves on it pays to lay their rows in the order of their keys. */
const BULK = 256

/**
 * Puts queued leaves into their tries, those of one trie that were queued one after the other in the order of their
 * keys. Where there are many with new rows, those are laid in that order too, so that what is near in a trie is near in
 * memory; `moved` is then told of every row's new id, from the id `first` on. Every queued row has an entry of its own
 * change.
 */
export const insertQueued = (
  nodes: TrieNodes,
  queue: IntList,
  rootOf: (leaf: number) => number,
  moved: (first: number, ids: Int32Array) => void,
): void => {
  const runs = runsOf(nodes, queue, rootOf)
  const { values, count } = queue
  for (let run = 0; run + 1 < runs.length; run++) orderByKey(nodes.leaves, values, runs[run]!, runs[run + 1]!)
  const queued = values.subarray(0, count)
  const first = queued.reduce((least, leaf) => Math.min(least, leaf), Infinity)
  // Rows that older records name stay where those say.
  const mayMove = (leaf: number): boolean =>
    leaf < first + count && nodes.leaves.rows[LEAF_LIMBS * leaf + LEAF_ENTRIES] === 1
  if (count >= BULK && queued.every(mayMove)) {
    moved(first, nodes.leaves.layOut(first, queued))
    for (let n = 0; n < count; n++) values[n] = first + n
  }
  for (let run = 0; run + 1 < runs.length; run++) {
    const [from, end] = [runs[run]!, runs[run + 1]!]
    const root = rootOf(values[from]!)
    if (nodes.isEmpty(root)) nodes.build(values, from, end, root)
    else for (let n = from; n < end; n++) nodes.insert(values[n]!, root)
  }
  queue.clear()
}

/** Where the leaves of each trie begin, and where the last ones end. Leaves that were taken away again are left out. */
const runsOf = (nodes: TrieNodes, queue: IntList, rootOf: (leaf: number) => number): number[] => {
  const { values } = queue
  const runs: number[] = []
  let count = 0
  let root = -1
  for (let n = 0; n < queue.count; n++) {
    const leaf = values[n]!
    if (nodes.leaves.parentOf(leaf) !== QUEUED) continue
    if (rootOf(leaf) !== root) {
      root = rootOf(leaf)
      runs.push(count)
    }
    values[count++] = leaf
  }
  queue.count = count
  return [...runs, count]
}
