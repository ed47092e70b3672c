import { TYPE_DEPOSIT } from '../chain/batch.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import { isOpAtLeast } from '../chain/op/op_forks.ts'
import { MESSAGE_PASSER } from '../chain/op/predeploys.ts'
import { type Receipts, STATUS_REJECTED } from '../receipts/receipts.ts'
import type { ReceiptExtras } from '../roots/receipt_values.ts'
import type { StateTrie } from '../state/trie/state_trie.ts'
import type { EndedGround } from './block_steps.ts'

/** The version of deposits' receipts from Canyon on. */
const RECEIPT_VERSION = 1n

/**
 * What the receipts trie of a block has beyond its receipts: of deposits the sender's nonce, and a version, from Canyon
 * on. Between Regolith and Canyon receipts have the nonce, and the trie has not (op-geth core/types/receipt.go).
 */
export const depositExtras = (receipts: Receipts, chain: OpRules | undefined): ReceiptExtras => {
  if (chain === undefined || !isOpAtLeast(chain.fork, 'canyon')) return {}
  const deposits = new Map<number, { readonly nonce: bigint; readonly version: bigint }>()
  for (let i = 0; i < receipts.count; i++) {
    if (receipts.type[i] !== TYPE_DEPOSIT || receipts.status[i] === STATUS_REJECTED) continue
    deposits.set(i, { nonce: receipts.depositNonce(i) ?? 0n, version: RECEIPT_VERSION })
  }
  return { deposits }
}

/** `blobGasUsed` of a block of the OP stack: what its data takes of it from Jovian on. */
export const footprintOf = ({ fork }: OpRules, { blobGasUsed }: EndedGround): bigint =>
  isOpAtLeast(fork, 'jovian') ? BigInt(blobGasUsed) : 0n

/**
 * The withdrawals root of a block from Isthmus on: the storage root of the contract of withdrawals after it. Undefined
 * before, and of a trie that does not tell.
 */
export const messagesRoot = (chain: OpRules | undefined, trie: StateTrie | undefined): string | undefined =>
  chain === undefined || !isOpAtLeast(chain.fork, 'isthmus') ? undefined : trie?.storageRoot?.(MESSAGE_PASSER)
