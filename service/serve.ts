import type { Chain, DeviceOptions, ExecutorOptions, SenderCache } from '../host/index.ts'
import { Kzg } from './kzg/kzg.ts'
import { type Listener, startListener } from './listener/listener.ts'
import type { CallOptions, OpenPorts, PortsOptions } from './listener/ports.ts'
import type { Logger } from './log.ts'
import { NodeMetrics } from './metrics.ts'
import { BlockReader } from './node/block_reader.ts'
import { BlockTracer } from './node/block_tracer.ts'
import { ChainReader, type RangeLimits } from './node/chain_reader.ts'
import { Engine } from './node/engine.ts'
import { Executors } from './node/executors.ts'
import type { NodeCalls } from './node/node_calls.ts'
import { type BuilderOptions, PayloadBuilder } from './node/payload_builder.ts'
import { Pool, type PoolLimits } from './node/pool.ts'
import { StateReader } from './node/state_reader.ts'

/** What `serve` takes. The chain stays the caller's, who closes it after the service. */
export interface ServeOptions {
  readonly chain: Chain
  readonly ports: PortsOptions
  readonly log: Logger
  /**
   * `threads` execute calls, and as many others read blocks. `callMs`: milliseconds that a call may take; 0: any time.
   * Where it is absent, all that is asked runs on the node's thread.
   */
  readonly calls?: { readonly threads: number; readonly callMs: number }
  /** The device that each thread of calls opens for simulated blocks of many calls; undefined: none. */
  readonly callDevice?: DeviceOptions | undefined
  /** Gas that a simulated call has at most. */
  readonly gasCap: bigint
  readonly ranges: RangeLimits
  readonly poolLimits: PoolLimits
  readonly builder: BuilderOptions
  /** Senders of the pool and of blocks: that of the chain, so those that were sent are known when a block has them. */
  readonly senderCache: SenderCache
  /** How calls are executed. */
  readonly executor: Omit<
    ExecutorOptions,
    'fork' | 'chainId' | 'chain' | 'state' | 'senderCache' | 'depositContract' | 'invalid'
  >
}

/** A node that listens. */
export interface Service {
  readonly ports: OpenPorts
  /** Resolves, with the reason, when the service has ended by itself. */
  readonly ended: Promise<unknown>
  /** Takes no more requests, answers those that are there, and ends. */
  close(): Promise<void>
}

/** Milliseconds that a call may read blocks. */
const READ_MS = 30_000
/** Calls that wait for a thread. */
const MOST_WAITING = 4096

/** Serves a chain over JSON-RPC. Rejects with RpcError where a port does not open. */
export const serve = async (options: ServeOptions): Promise<Service> => {
  const { chain, ports, log, gasCap, ranges, poolLimits, builder, executor } = options
  const metrics = new NodeMetrics()
  const executors = new Executors({ ...executor, chainId: chain.config.chainId }, chain.state, options.senderCache)
  const blocks = new BlockReader(chain, executors)
  const kzg = new Kzg()
  const pool = new Pool(chain, executors, poolLimits, kzg)
  let news: Listener['news'] | undefined
  pool.onPending = (hashes) => tell(news?.pooled(hashes))
  const payloads = new PayloadBuilder(chain, pool, builder)
  payloads.onFlashblock = (flashblock) => tell(news?.flashblock(flashblock))
  const node: NodeCalls = {
    chain: new ChainReader(chain, blocks, pool, ranges, payloads),
    state: new StateReader(chain, blocks, executors, gasCap),
    pool,
    engine: new Engine({
      chain,
      pool,
      builder: payloads,
      metrics,
      onHead: (change) => {
        payloads.headChanged()
        tell(news?.headChanged(change))
      },
    }),
    miner: payloads,
    trace: new BlockTracer(chain, blocks, executors, gasCap),
    service: {
      metrics: () => {
        metrics.blockMemory(chain.memory)
        metrics.pool(pool.count, pool.blobCount)
        metrics.knownSenders(options.senderCache.hits)
        return metrics.page()
      },
      forkChoice: async (...answered) => metrics.forkChoice(...answered),
      fault: async (name, what) => log.error({ call: name, what }, 'a call failed'),
    },
    source: {
      unwritten: async (hash) => chain.unwritten(hash),
      proof: (...of) => chain.proof(...of),
      rootAfter: (...of) => chain.rootAfter(...of),
    },
  }
  metrics.head(chain.head)
  let end: (reason: unknown) => void = () => undefined
  const ended = new Promise<unknown>((resolve) => {
    end = resolve
  })
  const listener: Listener = await startListener(
    node,
    { ...ports, ...callPart(options) },
    {
      onFault: (name, thrown) => log.error({ call: name, err: thrown }, 'a call failed'),
      onEnd: (thrown) => end(thrown),
    },
  )
  news = listener.news
  log.info({ ports: listener.ports, head: `${chain.head.header.number}`, hash: chain.head.hash }, 'listening')
  return {
    ports: listener.ports,
    ended,
    close: async () => {
      payloads.close()
      await listener.close()
      executors.close()
      await kzg.close()
    },
  }
}

const callPart = (options: ServeOptions): { readonly calls?: CallOptions } => {
  const { chain, calls, callDevice, gasCap, ranges, executor } = options
  if (calls === undefined) return {}
  const terms = {
    path: chain.folder,
    gasCap,
    ranges,
    executor: executor.memory === undefined ? {} : { memory: executor.memory },
    device: callDevice,
  }
  return { calls: { terms, ...calls, readMs: READ_MS, waiting: MOST_WAITING } }
}

/** A listener that has ended has no one to tell. */
const tell = (told: Promise<void> | undefined): void => {
  told?.catch(() => undefined)
}
