import type { NodeHasher } from '../primitives/hash_plan.ts'
import type { StateWrites } from '../state/state.ts'
import type { StateTrie } from '../state/trie/state_trie.ts'

/**
 * The roots of one block while they are being made. Each begins as soon as what it is of stands: its plan is made at
 * once, and hashed by the one hasher beside whatever this thread does next.
 */
export class RootJobs {
  readonly hasher: NodeHasher
  /** What `start` has taken of this thread: plans, and hashes where the hasher works on it. */
  thisThreadMs = 0
  readonly #started: Promise<unknown>[] = []

  constructor(hasher: NodeHasher) {
    this.hasher = hasher
  }

  /** What `make` gives, begun now. Whether anything waits for it or not, `settled` does. */
  start<Root>(make: (hasher: NodeHasher) => Promise<Root>): Promise<Root> {
    const startedMs = performance.now()
    const root = (async () => make(this.hasher))()
    this.thisThreadMs += performance.now() - startedMs
    this.#started.push(root.catch(() => {}))
    return root
  }

  /** The root after the writes: a trie that cannot prepare it hashes by itself. */
  startState(trie: StateTrie, writes: StateWrites): Promise<string> {
    return this.start((hasher) => trie.prepare?.(writes).finish(hasher) ?? trie.apply(writes))
  }

  /** No job works on any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#started)
  }
}
