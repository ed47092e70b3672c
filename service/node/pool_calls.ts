import type { PackedTransactions } from '../../host/index.ts'
import type { Bundle } from './bundle.ts'
import type { InclusionTerms } from './inclusion_terms.ts'
import type { TransactionView } from './views.ts'

/** Transactions of the pool by sender and nonce. */
export interface PoolContent {
  /** Those that the next block could take. */
  readonly pending: readonly TransactionView[]
  /** Those that wait for one before them. */
  readonly queued: readonly TransactionView[]
}

/** The hash of a transaction that was taken, or why it was not. */
export type SendReply = string | { readonly code: number; readonly message: string; readonly data: unknown }

export interface PoolCalls {
  /** Takes a signed transaction; its hash. Throws RpcError with the reason why not. */
  add(bytes: Uint8Array): Promise<string>
  /** Takes signed transactions, each as if they had come one after another; what became of them, in their order. */
  addAll(sent: PackedTransactions): Promise<readonly SendReply[]>
  /** The same for blocks that fulfil its terms. */
  addConditional(bytes: Uint8Array, terms: InclusionTerms): Promise<string>
  /** The same for blocks in which it does not fail. */
  addBundle(bundle: Bundle): Promise<string>
  /** All of it but blob transactions (as go-ethereum lists it), or what one sender has there. */
  content(sender: string | undefined): Promise<PoolContent>
  status(): Promise<{ readonly pending: number; readonly queued: number }>
  /** The nonce that the sender's next transaction has, after those of the pool. */
  nextNonce(sender: string): Promise<bigint>
}
