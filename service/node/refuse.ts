import { RPC_CODE, RpcError } from '../rpc_error.ts'

/** What the pool refuses is told with this code, in the words of go-ethereum where it has them. */
export const refuse = (message: string): never => {
  throw new RpcError(RPC_CODE.server, message)
}

/** What comes of work, or why it was refused. */
export const attempt = <Value>(work: () => Value): Value | RpcError => {
  try {
    return work()
  } catch (thrown) {
    if (thrown instanceof RpcError) return thrown
    throw thrown
  }
}

/** Those that were not refused. */
export const accepted = <Value>(all: readonly (Value | RpcError)[]): readonly Value[] =>
  all.flatMap((one) => (one instanceof RpcError ? [] : [one]))
