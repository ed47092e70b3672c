import { MessageChannel } from 'node:worker_threads'
import type { HeadChange } from '../../host/index.ts'
import { startThread, threadEntry } from '../../host/primitives/thread.ts'
import { type FaultListener, remoteCalls, serveCalls } from '../call_port.ts'
import type { Flashblock } from '../node/flashblock.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import type { OpenPorts, PortsOptions } from './ports.ts'

/** What the listening thread is told. */
export interface ListenerCalls {
  readonly ports: {
    open(options: PortsOptions): Promise<OpenPorts>
    /** Takes no more requests, answers those that are there, and ends. */
    close(): Promise<void>
  }
  /** What subscribers are told of. */
  readonly news: {
    headChanged(change: HeadChange): Promise<void>
    pooled(hashes: readonly string[]): Promise<void>
    flashblock(flashblock: Flashblock): Promise<void>
  }
}

/** A thread that listens for a node. */
export interface Listener {
  readonly ports: OpenPorts
  readonly news: ListenerCalls['news']
  close(): Promise<void>
}

/** What the node is told of its listener. */
export interface ListenerEvents {
  /** A call threw what is no RpcError. */
  readonly onFault: FaultListener
  /** The thread has ended by itself: nothing listens any more. */
  readonly onEnd: (thrown: unknown) => void
}

/** Starts the thread and opens its ports. Rejects with RpcError where one of them does not open. */
export const startListener = async (
  node: NodeCalls,
  options: PortsOptions,
  { onFault, onEnd }: ListenerEvents,
): Promise<Listener> => {
  const forNode = new MessageChannel()
  const forListener = new MessageChannel()
  const thread = startThread(threadEntry('listener_thread', import.meta.url), {
    workerData: { nodePort: forNode.port2, ownPort: forListener.port2 },
    transferList: [forNode.port2, forListener.port2],
  })
  // What listens keeps the process alive until it is closed.
  thread.ref()
  serveCalls(forNode.port1, node, onFault)
  const listener = remoteCalls<ListenerCalls>(forListener.port1)
  let isClosing = false
  const ended = new Promise<void>((resolve) => thread.on('exit', () => resolve()))
  const close = async (): Promise<void> => {
    isClosing = true
    await listener.ports.close()
    await ended
  }
  thread.on('error', onEnd)
  void ended.then(() => {
    if (!isClosing) onEnd(new Error('the listening thread has ended'))
  })
  try {
    return { ports: await listener.ports.open(options), news: listener.news, close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}
