import { transactionHashes } from '../../chain/decode.ts'
import type { DecodedBlock } from '../../chain/decode_block.ts'
import { rootedOf } from '../../roots/rooted_transactions.ts'

/** Hashes of a block's transactions, 32 bytes each. */
export const hashesOf = ({ transactions }: DecodedBlock): Uint8Array =>
  transactions.length === 0 ? new Uint8Array(0) : transactionHashes(rootedOf(transactions)?.packed ?? transactions)
