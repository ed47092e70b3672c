import type { TransactionWatcher } from '../../../host/index.ts'
import { RPC_CODE, RpcError } from '../../rpc_error.ts'

/** What the traces of one request may hold together. */
export class TraceBudget {
  readonly #mostBytes: number
  #bytes = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** Throws RpcError where there is no room for so much more. */
  take(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes <= this.#mostBytes) return
    throw new RpcError(
      RPC_CODE.limitExceeded,
      `the trace is larger than ${this.#mostBytes} bytes: trace less (limit, disableStack, a tracer, one transaction)`,
    )
  }
}

/** A tracer of one transaction. */
export interface Tracer<View> {
  readonly watcher: TransactionWatcher
  /** What it has seen, when the transaction is settled. */
  view(): View
}
