import { LIMBS_PER_ADDRESS } from '../../../transpiler/layout/word.ts'
import type { StateWrites } from '../state.ts'
import type { Environment } from './environment.ts'
import { StoreError } from './store_error.ts'

/** What of a change of the head takes room. */
interface Change {
  readonly back?: { readonly undone: { readonly size: number } }
  readonly blocks: readonly {
    readonly block: Readonly<Record<'header' | 'body' | 'receipts' | 'transactionHashes', Uint8Array>>
    readonly writes: readonly StateWrites[]
  }[]
  /** Of the trie. */
  readonly pages?:
    | { readonly written: readonly { readonly bytes: Uint8Array }[]; readonly gone: readonly number[] }
    | undefined
}

/** Of a row and its undo entry, with their keys and heads in a page. */
const ROW_BYTES = 320
const PLACE_BYTES = 96
/** Pages that a put copies: a leaf, what splits off it, and above them what other puts do not share. */
const PAGES_PER_PUT = 3
const ROOM_BYTES = 2 ** 20

/** Of what the binding tells. */
interface MapStats {
  readonly mapSize: number
  readonly lastPageNumber: number
  readonly root: { readonly pageSize: number }
}

/**
 * Throws StoreError where the map has no room for all that a change may need. A transaction copies each page that it
 * changes: at most all that there are, and what comes to them. More than enough is asked for, since nothing stops the
 * binding at the end of the map.
 */
export const checkRoom = ({ folder, root }: Environment, what: string, change: Change): void => {
  const stats = root.getStats() as unknown as MapStats
  const { mapSize, lastPageNumber } = stats
  const { pageSize } = stats.root
  const taken = (lastPageNumber + 1) * pageSize
  const { puts, bytes, isWiping } = sizeOf(change)
  // What an account that goes takes with it is not known before.
  const needed = ROOM_BYTES + 2 * bytes + Math.min(taken, PAGES_PER_PUT * pageSize * puts) + (isWiping ? taken : 0)
  if (taken + needed <= mapSize) return
  throw new StoreError(
    folder,
    'write',
    `${what} was not written: the map of ${mapSize} bytes is full: ${taken} are taken, and it may need ${needed} (mapBytes)`,
  )
}

const sizeOf = ({
  back,
  blocks,
  pages,
}: Change): { readonly puts: number; readonly bytes: number; readonly isWiping: boolean } => {
  let puts = 0
  let bytes = 0
  let isWiping = false
  const row = (count: number): void => {
    puts += 2 * count
    bytes += count * ROW_BYTES
  }
  row(back?.undone.size ?? 0)
  puts += (pages?.written.length ?? 0) + (pages?.gone.length ?? 0)
  for (const page of pages?.written ?? []) bytes += page.bytes.length
  for (const { block, writes } of blocks) {
    puts += 8 + block.transactionHashes.length / 32
    bytes +=
      block.header.length +
      block.body.length +
      block.receipts.length +
      PLACE_BYTES * (block.transactionHashes.length / 32)
    for (const { accountCount, slotCount, deletedAccounts, code } of writes) {
      const deleted = deletedAccounts.length / LIMBS_PER_ADDRESS
      row(accountCount + slotCount + deleted)
      isWiping ||= deleted > 0
      for (const ofHash of code.values()) bytes += ofHash.length
    }
  }
  return { puts, bytes, isWiping }
}
