import { decodeBlock, decodeHeader } from '../../chain/decode_block.ts'
import { joinBlock } from '../../chain/encode_block.ts'
import type { StepBack, Store } from '../../state/store/store.ts'
import { StoreError } from '../../state/store/store_error.ts'
import { StateLayers } from '../../state/store/stored_state.ts'
import { TouchedKeys } from '../../state/store/touched_keys.ts'
import { type Undone, undo } from '../../state/store/undo_record.ts'
import type { BlockMemory, ChainBlock } from './block_tree.ts'
import { leastUsed } from './forgotten_blocks.ts'
import { type KnownBlock, keptBytes } from './known_block.ts'
import { hashesOf } from './transaction_hashes.ts'

/**
 * How a block is reached: from a canonical block, which is `base`, over blocks that are not on disk, the lowest first.
 */
export interface Way {
  readonly base: bigint
  readonly above: readonly KnownBlock[]
}

/** Why a block is not known any more: no choice could lead to it, or it had to make room for others. */
export type Pruned = 'tooDeep' | 'finalized' | 'forgotten'

const MOST_PRUNED = 4096
/** Of the budget, what `trim` leaves: then not every block that comes needs another trim. */
const TRIMMED_PART = 7 / 8

/** The blocks that are not on disk, and with those on disk the ways to all of them. */
export class KnownBlocks {
  readonly #store: Store
  readonly #budget: number
  /** The block that was used longest ago first. */
  readonly #blocks = new Map<string, KnownBlock>()
  #bytes = 0
  #forgotten = 0
  /** Why a block is not known any more; the oldest first. */
  readonly #pruned = new Map<string, Pruned>()

  /** `budget`: bytes that `trim` leaves. */
  constructor(store: Store, budget = Infinity) {
    this.#store = store
    this.#budget = budget
  }

  get memory(): BlockMemory {
    return { bytes: this.#bytes, budget: this.#budget, blocks: this.#blocks.size, forgotten: this.#forgotten }
  }

  /** One that is not on disk. */
  get(hash: string): KnownBlock | undefined {
    return this.#blocks.get(hash)
  }

  add(block: KnownBlock): void {
    this.delete(block.hash)
    this.#blocks.set(block.hash, block)
    this.#bytes += keptBytes(block)
    this.#pruned.delete(block.hash)
  }

  delete(hash: string): void {
    const block = this.#blocks.get(hash)
    if (block === undefined) return
    this.#blocks.delete(hash)
    this.#bytes -= keptBytes(block)
  }

  /** A block is needed again: it and what it stands on stay the longer. */
  use(hash: string): void {
    const block = this.#blocks.get(hash)
    if (block === undefined) return
    this.#blocks.delete(hash)
    this.#blocks.set(hash, block)
  }

  /** Throws StoreError where the blocks on the way to a block, which all stay, take the budget. */
  checkRoom({ hash, header }: ChainBlock): void {
    const bytes = this.wayTo(hash)?.above.reduce((sum, known) => sum + keptBytes(known), 0) ?? 0
    if (bytes < this.#budget) return
    throw new StoreError(
      this.#store.folder,
      'memory',
      `no block is added on block ${header.number}: the blocks from the chain on disk to it take ${bytes} bytes of memory, the budget is ${this.#budget}; one of them must become the head first`,
    )
  }

  /**
   * Forgets blocks until the others are within the budget: those that were used longest ago first, and none before the
   * blocks on it. The way to `kept` stays.
   */
  trim(kept: ChainBlock): void {
    if (this.#bytes <= this.#budget) return
    const stay = new Set(this.wayTo(kept.hash)?.above.map(({ hash }) => hash))
    for (const { hash } of leastUsed(this.#blocks, stay)) {
      if (this.#bytes <= TRIMMED_PART * this.#budget) break
      this.delete(hash)
      this.#prune(hash, 'forgotten')
      this.#forgotten++
    }
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
    const transactionHashes = blocks.map(({ header: { number }, block }) => ({ number, hashes: hashesOf(block) }))
    return { back: { to, undone, transactionHashes }, blocks }
  }

  /**
   * Forgets blocks that no fork choice can lead to: their way leaves the chain below what can be undone or below the
   * finalized block, or is broken; and blocks that were built here for a place that the chain has passed.
   */
  prune(finalized: bigint): void {
    const { head, oldestState } = this.#store
    const least = finalized > oldestState ? finalized : oldestState
    for (const { hash, header, isBuilt } of this.#blocks.values())
      if (isBuilt && header.number <= head.number) this.delete(hash)
    for (const [hash, way] of [...this.#blocks.keys()].map((hash) => [hash, this.wayTo(hash)] as const)) {
      if (way !== undefined && way.base >= least) continue
      this.delete(hash)
      if (way !== undefined) this.#prune(hash, way.base < finalized ? 'finalized' : 'tooDeep')
    }
  }

  #prune(hash: string, why: Pruned): void {
    this.#pruned.set(hash, why)
    if (this.#pruned.size <= MOST_PRUNED) return
    const [oldest] = this.#pruned.keys()
    this.#pruned.delete(oldest!)
  }

  /** Why a block is not known any more, where it is remembered. */
  pruned(hash: string): Pruned | undefined {
    return this.#pruned.get(hash)
  }

  /** Why the state after a block that is not known cannot be read: a line for a StoreError. */
  goneText(hash: string): string {
    return this.#pruned.get(hash) === 'forgotten'
      ? `block ${hash} was dropped: the blocks that are not on disk passed their budget of ${this.#budget} bytes; it may be added again`
      : `the state after block ${hash} is not known`
  }

  /** Forgets blocks that were built on a block, and on which nothing was built since. */
  dropBuilt(parent: string): void {
    const parents = new Set([...this.#blocks.values()].map(({ header }) => header.parentHash))
    for (const { hash, header, isBuilt } of this.#blocks.values())
      if (isBuilt && header.parentHash === parent && !parents.has(hash)) this.delete(hash)
  }
}
