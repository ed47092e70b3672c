import { encodeBody } from '../../chain/encode_block.ts'
import { encodeHeader } from '../../chain/header.ts'
import type { AppendedBlock, StepBack, Store, StoredForkChoice } from '../../state/store/store.ts'
import { deletesAccounts } from '../../state/store/write_state.ts'
import type { HeadChange } from './block_tree.ts'
import type { ChainExecutor } from './chain_executor.ts'
import type { KnownBlock } from './known_block.ts'
import type { KnownBlocks, Way } from './known_blocks.ts'
import { hashesOf } from './transaction_hashes.ts'

/** State of blocks that are written as one transaction, in bytes: LMDB keeps the pages of one in memory. */
const MOST_BYTES = 2 ** 26

/** What goes with a move of the head. */
export interface MoveTerms {
  readonly forkChoice: StoredForkChoice
  /** Undo records that are kept below each head: so many, and all above the finalized block. */
  readonly undoDepth: number
  readonly finalized: bigint | undefined
  /** Whether transactions are to be found by their hashes. */
  readonly places: boolean
}

/** What of the executor a move of the head needs. */
export type HeadExecutor = Pick<ChainExecutor, 'moveTo' | 'changedPages' | 'undoOf' | 'written' | 'settle'>

/** The lowest block whose undo record is kept with a head. */
export const oldestUndo = (
  head: bigint,
  { undoDepth, finalized }: Pick<MoveTerms, 'undoDepth' | 'finalized'>,
): bigint => {
  const oldest = head - BigInt(undoDepth) + 1n
  return finalized === undefined || finalized >= oldest ? oldest : finalized + 1n
}

/** A block as the store takes it, `undo` its record where it is known. */
export const appendedBlock = (
  { hash, header, block, receipts, writes, totalDifficulty }: KnownBlock,
  places: boolean,
  undo: Uint8Array | undefined,
): AppendedBlock => ({
  block: {
    number: header.number,
    hash,
    stateRoot: header.stateRoot,
    parentHash: header.parentHash,
    totalDifficulty,
    header: encodeHeader(header),
    body: encodeBody(block),
    receipts,
    transactionHashes: places ? hashesOf(block) : new Uint8Array(0),
  },
  writes,
  undo: writes.some(deletesAccounts) ? undefined : undo,
})

/**
 * Makes a known block the head on disk: back to `way.base` and forward again. Blocks that leave the chain are known in
 * memory then, and those that came to it only on disk. Where it throws StoreError, the head is at the end of a part.
 *
 * `executor`: goes to the block of each part before it is written, which proves the block's root.
 */
export const moveHead = async (
  store: Store,
  known: KnownBlocks,
  way: Way,
  terms: MoveTerms,
  executor: HeadExecutor,
): Promise<HeadChange> => {
  const { head } = store
  const undone = way.base < head.number ? known.stepBack(way.base) : undefined
  let back = undone?.back
  const parts = partsOf(way.above)
  for (const [n, part] of parts.entries()) {
    const isLast = n === parts.length - 1
    const end = part.at(-1) ?? known.block(store.canonical(way.base)!.hash)!
    await executor.moveTo(end)
    const blocks = part.map((block) => {
      const parent = known.block(block.header.parentHash)!
      return appendedBlock(block, terms.places, executor.undoOf(parent, block))
    })
    const oldest = oldestUndo(end.header.number, terms)
    store.move({
      ...backOf(back),
      blocks,
      pages: executor.changedPages(end),
      ...(isLast ? { forkChoice: terms.forkChoice } : {}),
      oldestUndo: oldest,
    })
    for (const { hash } of part) known.delete(hash)
    if (back !== undefined) for (const block of undone!.blocks) known.add(block)
    back = undefined
    executor.written()
    executor.settle()
  }
  const blocksOf = (blocks: readonly KnownBlock[]): HeadChange['undone'] =>
    blocks.map(({ hash, header }) => ({ hash, header }))
  return { undone: blocksOf(undone?.blocks ?? []), applied: blocksOf(way.above) }
}

const backOf = (back: StepBack | undefined): { readonly back?: StepBack } => (back === undefined ? {} : { back })

/** One part, that goes back only, where there are no blocks. */
const partsOf = (blocks: readonly KnownBlock[]): readonly (readonly KnownBlock[])[] => {
  const parts: KnownBlock[][] = [[]]
  let bytes = 0
  for (const block of blocks) {
    const size = writtenBytes(block)
    if (bytes > 0 && bytes + size > MOST_BYTES) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)!.push(block)
    bytes += size
  }
  return parts
}

/** About what the transaction of a block takes: keys, values and undo record. */
const writtenBytes = ({ writes, receipts, block }: KnownBlock): number => {
  let bytes = receipts.length
  for (const { accountCount, slotCount, deletedAccounts } of writes)
    bytes += ACCOUNT_BYTES * (accountCount + deletedAccounts.length / 5) + SLOT_BYTES * slotCount
  for (const transaction of block.transactions) bytes += transaction.length + PLACE_BYTES
  return bytes
}

const ACCOUNT_BYTES = 160
const SLOT_BYTES = 200
const PLACE_BYTES = 60
