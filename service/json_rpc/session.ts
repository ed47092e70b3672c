import type { LogFilter } from '../node/views.ts'

/** What a connection that stays open may be told of as it comes. */
export type FeedTopic =
  | { readonly kind: 'newHeads' }
  | { readonly kind: 'logs'; readonly filter: LogFilter }
  | { readonly kind: 'pendingTransactions'; readonly isFull: boolean }

/** What a call may do with the connection that it came over, where that stays open. */
export interface Session {
  /** The name of the subscription, whose first message follows the reply. Throws RpcError where there are too many. */
  subscribe(topic: FeedTopic): string
  /** False where there is none of this name. */
  unsubscribe(id: string): boolean
}
