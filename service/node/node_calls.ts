import type { ChainSource } from '../../host/index.ts'
import type { ChoiceWait, MetricsPage } from '../metrics.ts'
import type { ChainCalls } from './chain_calls.ts'
import type { EngineCalls } from './engine_types.ts'
import type { MinerCalls } from './miner_calls.ts'
import type { PoolCalls } from './pool_calls.ts'
import type { StateCalls } from './state_calls.ts'
import type { TraceCalls } from './trace_calls.ts'

/** About the node itself. */
export interface ServiceCalls {
  metrics(): Promise<MetricsPage>
  /** A fork choice has been answered. */
  forkChoice(wait: ChoiceWait, elapsedMs: number): Promise<void>
  /** A call threw, on a thread of its own, what is no RpcError. */
  fault(name: string, what: string): Promise<void>
}

/** All that a listener may ask of a node, in values that a message between threads can carry. */
export interface NodeCalls {
  readonly chain: ChainCalls
  readonly state: StateCalls
  readonly pool: PoolCalls
  readonly engine: EngineCalls
  readonly miner: MinerCalls
  readonly trace: TraceCalls
  readonly service: ServiceCalls
  /** For the threads that read the chain's folder. */
  readonly source: ChainSource
}
