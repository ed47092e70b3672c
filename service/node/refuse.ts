import { RPC_CODE, RpcError } from '../rpc_error.ts'

/** What the pool refuses is told with this code, in the words of go-ethereum where it has them. */
export const refuse = (message: string): never => {
  throw new RpcError(RPC_CODE.server, message)
}
