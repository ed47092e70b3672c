import { transactionHashes } from '../../chain/decode.ts'
import type { DecodedBlock } from '../../chain/decode_block.ts'
import { keccakMany } from '../../primitives/keccak_many.ts'
import { rootedOf } from '../../roots/rooted_transactions.ts'

/** Hashes of a block's transactions, 32 bytes each. */
export const hashesOf = ({ transactions }: DecodedBlock): Uint8Array => {
  const [first] = transactions
  if (first === undefined) return new Uint8Array(0)
  const rooted = rootedOf(transactions)
  if (rooted !== undefined) return rooted.hashes
  // Of a block that was read: they are hashed where they lie.
  const count = transactions.length
  const offsets = new Uint32Array(count)
  const lengths = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const { buffer, byteOffset, length } = transactions[i]!
    if (buffer !== first.buffer) return transactionHashes(transactions)
    offsets[i] = byteOffset
    lengths[i] = length
  }
  return keccakMany({ count, bytes: new Uint8Array(first.buffer), offsets, lengths })
}
