import { keccak_256 } from '@noble/hashes/sha3.js'
import { type BlockName, blockName, data, hash, toData } from '../json_rpc/codec.ts'
import { type Json, type Method, method } from '../json_rpc/method.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'

const there = <View>(view: View | undefined, json: (view: View) => Json): Json => {
  if (view === undefined) throw new RpcError(RPC_CODE.server, 'block not found')
  return json(view)
}

const bytesOf = (read: (node: NodeCalls, name: BlockName) => Promise<Uint8Array | undefined>): Method<NodeCalls> =>
  method([blockName], async (node: NodeCalls, name) => there(await read(node, name), toData))

/** Methods `net_` and `web3_`; `version` is what the client says it is. */
export const netMethods = (version: string): Readonly<Record<string, Method<NodeCalls>>> => ({
  net_version: method([], async (node: NodeCalls) => `${await node.chain.chainId()}`),
  net_listening: method([], async () => true),
  net_peerCount: method([], async () => '0x0'),
  web3_clientVersion: method([], async () => version),
  web3_sha3: method([data()], async (_: NodeCalls, bytes) => toData(keccak_256(bytes))),
})

/** Methods `debug_` that give what is stored. */
export const debugMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  debug_getRawBlock: bytesOf((node, name) => node.chain.blockBytes(name)),
  debug_getRawHeader: bytesOf((node, name) => node.chain.headerBytes(name)),
  debug_getRawReceipts: method([blockName], async (node: NodeCalls, name) =>
    there(await node.chain.receiptBytes(name), (receipts) => receipts.map(toData)),
  ),
  debug_getRawTransaction: method([hash], async (node: NodeCalls, name) => {
    const bytes = await node.chain.transactionBytes(name)
    return bytes === undefined ? null : toData(bytes)
  }),
}
