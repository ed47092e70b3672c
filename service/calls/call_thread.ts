import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { type MessagePort, workerData } from 'node:worker_threads'
import { type DeviceOptions, openCallBatches, openChainView, openDevice, SenderCache } from '../../host/index.ts'
import { remoteCalls, serveCalls } from '../call_port.ts'
import { BlockReader } from '../node/block_reader.ts'
import { BlockTracer } from '../node/block_tracer.ts'
import { ChainReader, type RangeLimits } from '../node/chain_reader.ts'
import { Executors, type ExecutorTerms } from '../node/executors.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { StateReader } from '../node/state_reader.ts'
import { learned } from './named_blocks.ts'

/** What a call thread is told: numbers and names. */
export interface CallThreadTerms {
  /** The folder of the chain. */
  readonly path: string
  readonly gasCap: bigint
  readonly ranges: RangeLimits
  readonly executor: Pick<ExecutorTerms, 'memory'>
  /** The device that a thread opens of its own with the first simulated block of many calls; undefined: none. */
  readonly device?: DeviceOptions | undefined
}

/** What a call thread answers. */
export type CallThreadRooms = Pick<NodeCalls, 'chain' | 'state' | 'trace'>

/** What it asks the node for. */
export type CallThreadNode = Pick<NodeCalls, 'source'> & { readonly service: Pick<NodeCalls['service'], 'fault'> }

interface ThreadData {
  readonly terms: CallThreadTerms
  readonly callPort: MessagePort
  readonly nodePort: MessagePort
}

/**
 * A thread that executes calls and reads blocks on a view of the chain, which a node on its own thread has. It may be
 * ended at any moment: it changes nothing.
 */
const { terms, callPort, nodePort } = workerData as ThreadData

/** Where both want the same core, the node has it. Systems that do not tell threads apart leave it be. */
const stepBack = (): void => {
  try {
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // No such file, or not permitted.
  }
}

stepBack()
const node = remoteCalls<CallThreadNode>(nodePort)
const view = await openChainView(terms.path, node.source)
const executors = new Executors(
  { ...terms.executor, chainId: view.config.chainId, workers: 0 },
  view.state,
  new SenderCache(),
)
const { device } = terms
const batches =
  device === undefined
    ? undefined
    : openCallBatches({ ...terms.executor, chainId: view.config.chainId, device: () => openDevice(device) })
const blocks = new BlockReader(view, executors)
// What is in the pool, the node alone knows.
const noPool = { find: () => undefined, view: () => undefined }
const chain = new ChainReader(view, blocks, noPool, terms.ranges)
const state = new StateReader(view, blocks, executors, terms.gasCap, batches)
const trace = new BlockTracer(view, blocks, executors, terms.gasCap)
const rooms: CallThreadRooms = {
  chain: learned(chain, view),
  state: learned(state, view),
  trace: learned(trace, view),
}

serveCalls(callPort, { ...rooms, thread: { ready: async () => true } }, (name, thrown) => {
  const what = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  node.service.fault(name, what).catch(() => undefined)
})
