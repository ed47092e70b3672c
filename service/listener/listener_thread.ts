import { type MessagePort, workerData } from 'node:worker_threads'
import { remoteCalls, serveCalls } from '../call_port.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { ListenerCalls } from './listener.ts'
import { type Listeners, openPorts, type PortsOptions } from './ports.ts'

/** The thread that listens: it parses, checks and encodes, and asks the thread of the node for the rest. */
const { nodePort, ownPort } = workerData as { readonly nodePort: MessagePort; readonly ownPort: MessagePort }

const node = remoteCalls<NodeCalls>(nodePort)
let listeners: Listeners | undefined

const ports: ListenerCalls['ports'] = {
  open: async (options: PortsOptions) => {
    try {
      listeners = await openPorts(node, options)
    } catch (thrown) {
      throw new RpcError(RPC_CODE.server, (thrown as Error).message)
    }
    return listeners.ports
  },
  close: async () => {
    await listeners?.close()
    nodePort.close()
    setImmediate(() => ownPort.close())
  },
}

const news: ListenerCalls['news'] = {
  headChanged: async (change) => listeners?.feeds.headChanged(change),
  pooled: async (hashes) => listeners?.feeds.pooled(hashes),
  flashblock: async (flashblock) => listeners?.flashblocks?.tell(flashblock),
}

serveCalls(ownPort, { ports, news }, (_, thrown) => {
  throw thrown
})
