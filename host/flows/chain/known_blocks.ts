import { type DecodedBlock, decodeBlock, decodeHeader } from '../../chain/decode_block.ts'
import { joinBlock } from '../../chain/encode_block.ts'
import type { StateWrites } from '../../state/state.ts'
import type { StepBack, Store } from '../../state/store/store.ts'
import { StateLayers } from '../../state/store/stored_state.ts'
import { TouchedKeys } from '../../state/store/touched_keys.ts'
import { type Undone, undo } from '../../state/store/undo_record.ts'
import type { ChainBlock } from './block_tree.ts'
import { hashesOf } from './transaction_hashes.ts'

/** A valid block that is not on disk: above the head, or beside the chain. */
export interface KnownBlock extends ChainBlock {
  readonly block: DecodedBlock
  /** RLP of a list of byte strings. */
  readonly receipts: Uint8Array
  /** What it writes to its parent's state, in this order. */
  readonly writes: readonly StateWrites[]
  /** Of the block and all before it. */
  readonly totalDifficulty: bigint
  /** It was built here, and not added since. */
  readonly isBuilt: boolean
}

/**
 * How a block is reached: from a canonical block, which is `base`, over blocks that are not on disk, the lowest first.
 */
export interface Way {
  readonly base: bigint
  readonly above: readonly KnownBlock[]
}

const MOST_PRUNED = 4096

/** The blocks that are not on disk, and with those on disk the ways to all of them. */
export class KnownBlocks {
  readonly #store: Store
  readonly #blocks = new Map<string, KnownBlock>()
  /** Why the head cannot be a block that is forgotten; the oldest first. */
  readonly #pruned = new Map<string, 'tooDeep' | 'finalized'>()

  constructor(store: Store) {
    this.#store = store
  }

  /** One that is not on disk. */
  get(hash: string): KnownBlock | undefined {
    return this.#blocks.get(hash)
  }

  add(block: KnownBlock): void {
    this.#blocks.set(block.hash, block)
    this.#pruned.delete(block.hash)
  }

  delete(hash: string): void {
    this.#blocks.delete(hash)
  }

  /** One on disk or not. */
  block(hash: string): ChainBlock | undefined {
    const known = this.#blocks.get(hash)
    if (known !== undefined) return { hash, header: known.header }
    const header = this.#store.header(hash)
    return header === undefined ? undefined : { hash, header: decodeHeader(header) }
  }

  totalDifficulty({ hash, header }: ChainBlock): bigint {
    return this.#blocks.get(hash)?.totalDifficulty ?? this.#store.canonical(header.number)!.totalDifficulty
  }

  /** Undefined where the block is not known, or a block before it is not any more. */
  wayTo(hash: string): Way | undefined {
    const above: KnownBlock[] = []
    let at = hash
    for (let known = this.#blocks.get(at); known !== undefined; known = this.#blocks.get(at)) {
      above.push(known)
      at = known.header.parentHash
    }
    const header = this.#store.header(at)
    return header === undefined ? undefined : { base: decodeHeader(header).number, above: above.reverse() }
  }

  /** What makes the state on disk that after the block. Throws StoreError where the undo records do not reach it. */
  layersAt({ base, above }: Way): StateLayers {
    const isHead = base === this.#store.head.number
    const undone = isHead ? undefined : this.#store.undoneTo(base)
    const writes = above.flatMap((known) => known.writes)
    const layers = new StateLayers(base, undone, writes)
    for (const { hash, header } of above) layers.arrive(header.number, hash)
    return layers
  }

  /**
   * What goes back to a canonical block, and the blocks that are undone by it, the highest first, as blocks that are
   * not on disk.
   */
  stepBack(base: bigint): { readonly back: StepBack; readonly blocks: readonly KnownBlock[] } {
    const store = this.#store
    store.checkReach(base)
    const undone: Undone = new Map()
    const layers = new StateLayers(base, undone)
    const state = store.stateUnder(() => layers)
    const blocks: KnownBlock[] = []
    for (let { number } = store.head; number > base; number--) {
      const entries = store.undoEntries(number)
      const touched = new TouchedKeys()
      touched.addRecord(entries)
      const { hash, totalDifficulty } = store.canonical(number)!
      const block = decodeBlock(joinBlock(store.header(hash)!, store.body(hash)!))
      const receipts = store.receipts(hash)!
      const writes = [touched.writesTo(state)]
      blocks.push({ hash, header: block.header, block, receipts, writes, totalDifficulty, isBuilt: false })
      undo(undone, entries)
    }
    const { hash, header } = this.block(store.canonical(base)!.hash)!
    const to = { number: base, hash, stateRoot: header.stateRoot }
    return { back: { to, undone, transactionHashes: blocks.map(({ block }) => hashesOf(block)) }, blocks }
  }

  /**
   * Forgets blocks that no fork choice can lead to: their way leaves the chain below what can be undone or below the
   * finalized block, or is broken; and blocks that were built here for a place that the chain has passed.
   */
  prune(finalized: bigint): void {
    const { head, oldestState } = this.#store
    const least = finalized > oldestState ? finalized : oldestState
    for (const { hash, header, isBuilt } of this.#blocks.values())
      if (isBuilt && header.number <= head.number) this.#blocks.delete(hash)
    for (const [hash, way] of [...this.#blocks.keys()].map((hash) => [hash, this.wayTo(hash)] as const)) {
      if (way !== undefined && way.base >= least) continue
      this.#blocks.delete(hash)
      if (way !== undefined) this.#pruned.set(hash, way.base < finalized ? 'finalized' : 'tooDeep')
    }
    for (const hash of this.#pruned.keys()) {
      if (this.#pruned.size <= MOST_PRUNED) break
      this.#pruned.delete(hash)
    }
  }

  /** Why the head cannot be a block that was forgotten, where it is remembered. */
  pruned(hash: string): 'tooDeep' | 'finalized' | undefined {
    return this.#pruned.get(hash)
  }

  /** Forgets blocks that were built on a block, and on which nothing was built since. */
  dropBuilt(parent: string): void {
    const parents = new Set([...this.#blocks.values()].map(({ header }) => header.parentHash))
    for (const { hash, header, isBuilt } of this.#blocks.values())
      if (isBuilt && header.parentHash === parent && !parents.has(hash)) this.#blocks.delete(hash)
  }
}
