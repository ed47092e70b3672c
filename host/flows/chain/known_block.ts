import type { UnwrittenBlock } from './chain_interface.ts'

/** A valid block that is not on disk: above the head, or beside the chain. `isBuilt`: here, and not added since. */
export type KnownBlock = UnwrittenBlock

/** A header with its hash, names in maps, columns without rows. */
const BLOCK_BYTES = 4096
/** What a view of bytes takes beside them. */
const VIEW_BYTES = 128

const known = new WeakMap<KnownBlock, number>()

/** About what a block takes in memory. */
export const keptBytes = (block: KnownBlock): number => {
  const before = known.get(block)
  if (before !== undefined) return before
  const bytes = bytesOf(block)
  known.set(block, bytes)
  return bytes
}

const bytesOf = ({ block, receipts, writes }: KnownBlock): number => {
  let bytes = BLOCK_BYTES + receipts.length
  for (const transaction of block.transactions) bytes += transaction.length + VIEW_BYTES
  for (const { deletedAccounts, accountAddresses, accounts, slotAddresses, slotKeys, slotValues, code } of writes) {
    const { exists, nonce, balance, codeHash } = accounts
    for (const column of [deletedAccounts, accountAddresses, exists, nonce, balance, codeHash])
      bytes += column.byteLength
    for (const column of [slotAddresses, slotKeys, slotValues]) bytes += column.byteLength
    for (const ofHash of code.values()) bytes += ofHash.length + VIEW_BYTES
  }
  return bytes
}
