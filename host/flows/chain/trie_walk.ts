import type { StateWrites } from '../../state/state.ts'
import type { MakeProgress } from '../../state/store/make_nodes.ts'
import type { Store } from '../../state/store/store.ts'
import { StoreError } from '../../state/store/store_error.ts'
import { TouchedKeys } from '../../state/store/touched_keys.ts'
import { undoOf } from '../../state/store/undo_record.ts'
import type { ArenaTrie } from '../../state/trie/arena_trie.ts'
import type { PageChanges } from '../../state/trie/page_cuts.ts'
import type { ChainBlock } from './block_tree.ts'
import type { KnownBlock } from './known_block.ts'
import type { KnownBlocks, Way } from './known_blocks.ts'

interface WalkParts {
  readonly store: Store
  readonly known: KnownBlocks
  /** At `head`. */
  readonly trie: ArenaTrie
  readonly head: ChainBlock
  /** In bytes. */
  readonly trieMemory: number
  /** Is told while pages of the trie are made anew. */
  readonly onRepair?: MakeProgress | undefined
}

/**
 * The state trie of a chain, which goes from one known block to another. What it has met stays in memory; where that is
 * more than its budget, the trie is dropped, and begins again with that of the state on disk.
 */
export class TrieWalk {
  readonly #store: Store
  readonly #known: KnownBlocks
  /** In bytes. */
  readonly #budget: number
  readonly #progress: MakeProgress | undefined
  /** Undefined where it was lost on the way, or dropped. */
  #trie: ArenaTrie | undefined
  #at: ChainBlock
  /** More than this is too much: what a way to a block takes alone is not, since it would be gone over again. */
  #most: number

  constructor({ store, known, trie, head, trieMemory, onRepair }: WalkParts) {
    this.#store = store
    this.#known = known
    this.#trie = trie
    this.#at = head
    this.#budget = trieMemory
    this.#most = trieMemory
    this.#progress = onRepair
  }

  /** A block was executed on the trie. */
  arrive(block: ChainBlock): void {
    this.#at = block
  }

  /** The last block was executed on the trie, and is not known. */
  leave(parent: ChainBlock): void {
    this.#trie?.rewind(parent.header.stateRoot)
    this.#at = parent
  }

  /**
   * Brings the trie to the state after a block, and gives it. Throws StoreError where the undo records do not reach it,
   * or what they lead to has another root.
   */
  async to(block: ChainBlock): Promise<ArenaTrie> {
    const kept = this.#kept()
    const trie = kept ?? (await this.#anew())
    if (block.hash !== this.#at.hash) {
      const way = this.#known.wayTo(block.hash)!
      this.#store.checkReach(way.base)
      this.#trie = undefined
      await this.#walk(trie, this.#known.wayTo(this.#at.hash)!, way)
      this.#trie = trie
      this.#at = block
    }
    if (kept === undefined) this.#most = Math.max(this.#budget, 2 * trie.sizeBytes)
    return trie
  }

  /** The undo record of the block between two roots, where the trie has gone over it and remembers what it had. */
  undoBetween(parentRoot: string, root: string): Uint8Array | undefined {
    const replaced = this.#trie?.replaced(parentRoot, root)
    return replaced === undefined ? undefined : undoOf(replaced)
  }

  /** What makes the trie on disk that after this block, where the trie is. */
  changedPages(block: ChainBlock): PageChanges {
    if (this.#trie === undefined || this.#at.hash !== block.hash)
      throw new Error(`the trie is not at block ${block.header.number}`)
    return this.#trie.changedPages()
  }

  /** The trie on disk is that of the block where the trie is. */
  written(): void {
    this.#trie?.clearChanges()
  }

  /** Undefined where the trie is too large, or good for nothing, or at a block that is not known any more. */
  #kept(): ArenaTrie | undefined {
    const trie = this.#trie
    if (trie === undefined || trie.fault !== undefined || trie.sizeBytes > this.#most) return undefined
    return this.#known.wayTo(this.#at.hash) === undefined ? undefined : trie
  }

  async #anew(): Promise<ArenaTrie> {
    const trie = await this.#store.openTrie(this.#budget, this.#progress)
    this.#trie = trie
    this.#at = this.#known.block(this.#store.head.hash)!
    return trie
  }

  async #walk(trie: ArenaTrie, from: Way, to: Way): Promise<void> {
    let shared = 0
    if (from.base === to.base)
      while (shared < from.above.length && from.above[shared]?.hash === to.above[shared]?.hash) shared++
    const isUp = from.base < to.base
    const base = isUp ? from.base : to.base
    const left = from.above.slice(shared)
    if (left.length > 0 || from.base > base)
      await this.#back(trie, { ...from, above: left }, base, from.above[shared - 1])
    if (isUp) await this.#alongDisk(trie, base, to.base)
    for (const known of to.above.slice(shared)) {
      for (const writes of known.writes) await trie.apply(writes)
      this.#checkRoot(trie, known)
    }
  }

  /** Over the blocks of `left` and those on disk above `base`, to `ancestor`, which is that on disk where absent. */
  async #back(trie: ArenaTrie, left: Way, base: bigint, ancestor: KnownBlock | undefined): Promise<void> {
    const to = ancestor ?? this.#canonical(base)
    try {
      trie.rewind(to.header.stateRoot)
    } catch {
      // Its history does not go back so far.
      const touched = new TouchedKeys()
      for (const { writes } of left.above) for (const of of writes) touched.addWrites(of)
      for (let number = left.base; number > base; number--) touched.addRecord(this.#store.undoEntries(number))
      await trie.apply(this.#writesTo(touched, to))
    }
    this.#checkRoot(trie, to)
  }

  /** From one block on disk to a later one. */
  async #alongDisk(trie: ArenaTrie, from: bigint, to: bigint): Promise<void> {
    const touched = new TouchedKeys()
    for (let number = from + 1n; number <= to; number++) touched.addRecord(this.#store.undoEntries(number))
    const block = this.#canonical(to)
    await trie.apply(this.#writesTo(touched, block))
    this.#checkRoot(trie, block)
  }

  #writesTo(touched: TouchedKeys, { hash }: ChainBlock): StateWrites {
    const layers = this.#known.layersAt(this.#known.wayTo(hash)!)
    return touched.writesTo(this.#store.stateUnder(() => layers))
  }

  #canonical(number: bigint): ChainBlock {
    return this.#known.block(this.#store.canonical(number)!.hash)!
  }

  #checkRoot({ root }: ArenaTrie, { header: { number, stateRoot } }: ChainBlock): void {
    if (root === stateRoot) return
    throw new StoreError(
      this.#store.folder,
      'damaged',
      `the store is damaged: the undo records lead to root ${root}, block ${number} has ${stateRoot}`,
    )
  }
}
