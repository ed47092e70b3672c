import { DeviceClock, type DeviceTimes } from '../../host/device/clock.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import type { BlockResult } from '../../host/flows/block.ts'
import type { BlockInput } from '../../host/flows/block_input.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import type { Executor, ExecutorOptions } from '../../host/flows/executor_interface.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import type { StateTrie } from '../../host/state/trie/state_trie.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { collectGarbage } from '../garbage.ts'
import type { MemoryForm } from '../report/schema.ts'
import type { Sharing } from '../workloads/workload.ts'
import { encodeBlock, type SignedBlock, type SignedChain } from './signed_chain.ts'
import { type ExecutedSignedBlock, verifyRoots, verifySignedBlock } from './verify_block.ts'

/** Blocks of a stream that is measured. */
export const STREAM_BLOCKS = 3

/** A block that was timed; of a stream the last one, and the time by block. Its receipts are not kept. */
export interface TimedBlock {
  readonly elapsedMs: number
  readonly result: Omit<BlockResult, 'receipts' | 'writes'>
  readonly gas: number
  readonly bytes: number
  /** Transactions that were compared with serial execution. */
  readonly verified: number
}

/** What blocks came to. */
export interface RanBlock {
  readonly elapsedMs: number
  readonly result: BlockResult
}

/** An executor that follows a chain, whose blocks it is given as they come over the wire. */
export class MeasuredChain {
  readonly #chain: SignedChain
  readonly #shares: Sharing
  readonly #seed: number
  readonly #clock: DeviceClock | undefined
  readonly #state: MemoryState
  readonly #parentState: StateTrie
  readonly #executor: Executor
  #latest: SignedBlock | undefined

  constructor(
    chain: SignedChain,
    shares: Sharing,
    seed: number,
    device: ComputeDevice | undefined,
    options: (device: ComputeDevice | undefined) => Partial<ExecutorOptions>,
  ) {
    this.#chain = chain
    this.#shares = shares
    this.#seed = seed
    this.#clock = device === undefined ? undefined : new DeviceClock(device)
    if (this.#clock !== undefined) this.#clock.isOn = false
    this.#state = chain.genesis.clone()
    this.#parentState = createStateTrie(this.#state.dump())
    const { fork, chainId } = chain.scenario
    this.#executor = createExecutor({ fork, chainId, state: this.#state, ...options(this.#clock?.device) })
  }

  /** The block that ran last. */
  get latest(): SignedBlock | undefined {
    return this.#latest
  }

  /** The next block, not verified beyond its header. */
  async run(form: 'cold' | 'known'): Promise<TimedBlock> {
    const signed = await this.#next()
    return timedOf(signed, await this.#executeBlock(signed, form), 0)
  }

  /** The next block, with what dispatches take; without a total where the adapter has no timestamps. */
  async onDevice(): Promise<{ readonly block: TimedBlock; readonly deviceTimes: DeviceTimes }> {
    const clock = this.#clock!
    clock.isOn = true
    clock.begin()
    const block = await this.run('cold')
    const deviceTimes = clock.times
    clock.isOn = false
    return { block, deviceTimes }
  }

  /** The next block, or blocks, verified; sample 0 with its roots made anew. */
  async verified(form: MemoryForm, sample: number): Promise<TimedBlock> {
    const earlier: SignedBlock[] = []
    if (form === 'stream') for (let n = 1; n < STREAM_BLOCKS; n++) earlier.push(await this.#next())
    const before = this.#chain.state.clone()
    const signed = await this.#next()
    const ran = await (form === 'stream' ? this.#stream([...earlier, signed]) : this.#executeBlock(signed, form))
    const { scenario } = this.#chain
    const { result } = ran
    const executed: ExecutedSignedBlock = { scenario, shares: this.#shares, signed, result, before, after: this.#state }
    const count = await verifySignedBlock(executed, this.#seed + sample)
    if (sample === 0) await verifyRoots(executed)
    return timedOf(signed, ran, count)
  }

  close(): void {
    this.#executor.close()
  }

  async #next(): Promise<SignedBlock> {
    this.#latest = await this.#chain.next()
    return this.#latest
  }

  async #executeBlock({ parent, block, work }: SignedBlock, form: 'cold' | 'known'): Promise<RanBlock> {
    const input: BlockInput = form === 'cold' ? block : { ...block, senders: work.transactions.from }
    collectGarbage()
    const startedMs = performance.now()
    const result = await this.#executor.executeBlock(input, { parent, parentState: this.#parentState })
    return { elapsedMs: performance.now() - startedMs, result }
  }

  async #stream(blocks: readonly SignedBlock[]): Promise<RanBlock> {
    const inputs = blocks.map(({ block }) => block)
    const options = { parent: blocks[0]!.parent, parentState: this.#parentState }
    let last: BlockResult | undefined
    collectGarbage()
    const startedMs = performance.now()
    for await (const result of this.#executor.stream(inputs, options)) last = result
    return { elapsedMs: (performance.now() - startedMs) / blocks.length, result: last! }
  }
}

/** What of a block that was executed is kept. */
export const timedOf = (signed: SignedBlock, { elapsedMs, result }: RanBlock, verified: number): TimedBlock => {
  const { receipts, writes: _, ...kept } = result
  return { elapsedMs, result: kept, gas: receipts.totalGasUsed, bytes: encodeBlock(signed).length, verified }
}
