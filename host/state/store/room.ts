import { LIMBS_PER_ADDRESS } from '../../../transpiler/layout/word.ts'
import type { StateWrites } from '../state.ts'
import type { Environment } from './environment.ts'
import { StoreError } from './store_error.ts'

/** What of changed pages of the trie takes room. */
interface Pages {
  readonly written: readonly { readonly bytes: Uint8Array }[]
  readonly gone: readonly number[]
}

/** What of a change of the head takes room. */
interface Change {
  readonly back?: {
    readonly undone: { readonly size: number }
    readonly transactionHashes: readonly { readonly hashes: { readonly length: number } }[]
  }
  readonly blocks: readonly {
    readonly block: Readonly<Record<'header' | 'body' | 'receipts' | 'transactionHashes', Uint8Array>>
    readonly writes: readonly StateWrites[]
  }[]
  /** Of the trie. */
  readonly pages?: Pages | undefined
  /** Undo records that are dropped. */
  readonly droppedUndo?: number
}

/** Of a row and its undo entry, with their keys and heads in a page. */
const ROW_BYTES = 320
const PLACE_BYTES = 96
const HASH_BYTES = 32
/** Rows of a block beside its state: header, body, receipts, number, undo record, head, fork choice. */
const ROWS_PER_BLOCK = 8
/** Of a page that is free, in the list of those. */
const FREE_PAGE_BYTES = 8
/** Pages that a put copies: a leaf, what splits off it, and above them what other puts do not share. */
const PAGES_PER_PUT = 3
const ROOM_BYTES = 2 ** 20

/** Of what the binding tells. */
interface MapStats {
  readonly mapSize: number
  readonly lastPageNumber: number
  readonly root: { readonly pageSize: number }
}

/** Puts and removals of a transaction, the bytes of what is put, and whether more goes than is counted. */
export interface Size {
  readonly puts: number
  readonly bytes: number
  readonly isWiping?: boolean
}

/** Throws StoreError where the map has no room for all that a change may need. */
export const checkRoom = (environment: Environment, what: string, change: Change): void =>
  checkRoomOf(environment, what, sizeOf(change))

/**
 * Throws StoreError where the map has no room for all that a transaction may need. It copies each page that it changes:
 * at most all that there are, and what comes to them. More than enough is asked for, since nothing stops the binding at
 * the end of the map.
 */
export const checkRoomOf = ({ folder, root }: Environment, what: string, { puts, bytes, isWiping }: Size): void => {
  const stats = root.getStats() as unknown as MapStats
  const { mapSize, lastPageNumber } = stats
  const { pageSize } = stats.root
  const pages = lastPageNumber + 1
  const taken = pages * pageSize
  const copied = Math.min(taken, PAGES_PER_PUT * pageSize * puts)
  // What an account that goes takes with it is not known before.
  const needed = ROOM_BYTES + 2 * bytes + copied + (isWiping === true ? taken : 0) + FREE_PAGE_BYTES * pages
  if (taken + needed <= mapSize) return
  throw new StoreError(
    folder,
    'write',
    `${what} was not written: the map of ${mapSize} bytes is full: ${taken} are taken, and it may need ${needed} (mapBytes)`,
  )
}

/** Of pages of the trie, and the record of their root. */
export const sizeOfPages = ({ written, gone }: Pages): Size => ({
  puts: written.length + gone.length + 1,
  bytes: written.reduce((sum, page) => sum + page.bytes.length, 0),
})

/** Of places of transactions that are put. */
export const sizeOfPlaces = (hashBytes: number): Size => ({
  puts: hashBytes / HASH_BYTES,
  bytes: PLACE_BYTES * (hashBytes / HASH_BYTES),
})

const sizeOf = ({ back, blocks, pages, droppedUndo = 0 }: Change): Size => {
  let puts = droppedUndo
  let bytes = 0
  let isWiping = false
  const row = (count: number): void => {
    puts += 2 * count
    bytes += count * ROW_BYTES
  }
  row(back?.undone.size ?? 0)
  for (const { hashes } of back?.transactionHashes ?? []) puts += ROWS_PER_BLOCK + hashes.length / HASH_BYTES
  if (pages !== undefined) {
    const ofPages = sizeOfPages(pages)
    puts += ofPages.puts
    bytes += ofPages.bytes
  }
  for (const { block, writes } of blocks) {
    const places = sizeOfPlaces(block.transactionHashes.length)
    puts += ROWS_PER_BLOCK + places.puts
    bytes += block.header.length + block.body.length + block.receipts.length + places.bytes
    for (const { accountCount, slotCount, deletedAccounts, code } of writes) {
      const deleted = deletedAccounts.length / LIMBS_PER_ADDRESS
      row(accountCount + slotCount + deleted)
      isWiping ||= deleted > 0
      puts += code.size
      for (const ofHash of code.values()) bytes += ofHash.length
    }
  }
  return { puts, bytes, isWiping }
}
