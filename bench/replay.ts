import { type BlockFixture, fillState } from '../conformance/block_fixture.ts'
import { checkFixture } from '../conformance/fixture_check.ts'
import type { TransactionExplanation } from '../host/batch/explain.ts'
import type { TransactionBatch, TransactionObject } from '../host/chain/batch.ts'
import { encodeBatch } from '../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../host/chain/environment.ts'
import { DeviceClock, type DeviceTimes } from '../host/device/clock.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import type { ExecutionResult } from '../host/flows/execution_result.ts'
import { createExecutor } from '../host/flows/executor.ts'
import type { Executor } from '../host/flows/executor_interface.ts'
import type { Receipts } from '../host/receipts/receipts.ts'
import type { TransactionChanges } from '../host/state/changes.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import type { PathStore } from '../host/tiers/path/store/store.ts'
import { type Fork, isAtLeast } from '../transpiler/spec/forks.ts'
import { collectGarbage } from './garbage.ts'
import { compareWithSerial, runSerial } from './oracle.ts'
import { SwitchedState } from './replay_state.ts'
import { type BlockReplay, NO_TIERS, type ReplayRun } from './report/replay_schema.ts'
import type { TierCounts } from './report/schema.ts'
import { median, medianIndex } from './report/statistics.ts'
import type { TierChoice } from './tier_choice.ts'

export interface ReplayOptions {
  readonly device: ComputeDevice | undefined
  /** Where recorded paths outlive the run; absent = nowhere. */
  readonly pathStore?: PathStore
  readonly tiers?: TierChoice
  /** Worker threads of the CPU tier; absent = the executor's choice. */
  readonly workers?: number
  /** Measured passes. */
  readonly samples: number
  /** Run serial @ethereumjs/vm beside it, and compare every receipt and the whole state. */
  readonly serial: boolean
}

/** What one block's replay gives beside its numbers. */
export interface ReplayDetail {
  readonly explain: readonly TransactionExplanation[]
  readonly changes: readonly TransactionChanges[]
  /** By transaction; 0 where rejected. */
  readonly gasUsed: ArrayLike<number>
}

/** A pass that takes longer is measured at once, without a warm one before it, and once only. */
const LONG_MS = 45_000
/**
 * Warm passes before the measured ones, serial and ours in turns: while kernels are still being compiled, and for
 * this long.
 */
const MOST_WARM_PASSES = 64
const WARM_MS = 1_000
/** No further sample when measuring this block has taken so long. */
const SAMPLING_MS = 60_000

/** Transactions to execute on a state, and what should come out. */
export interface Job {
  readonly fork: Fork
  readonly chainId: bigint
  readonly env: BlockEnvironment
  readonly state: MemoryState
  readonly transactions: readonly TransactionObject[]
  /** For messages about what the file lacks; absent where the job is no single file. */
  readonly fixture?: BlockFixture
  /** The first difference from what is known without serial execution, and what that was. */
  readonly check: (receipts: Receipts) => { readonly difference: string | undefined; readonly against: string }
}

/**
 * Executors by fork and chain, kept from block to block: their recorded paths and compiled kernels serve the next one.
 */
export class Replayer {
  readonly #options: ReplayOptions
  /** Runs only in passes that are not measured: timing takes time. */
  readonly #clock: DeviceClock | undefined
  readonly #executors = new Map<string, { readonly executor: Executor; readonly state: SwitchedState }>()

  constructor(options: ReplayOptions) {
    this.#options = options
    this.#clock = options.device === undefined ? undefined : new DeviceClock(options.device)
  }

  /** Throws FixtureError where the file lacks what the block asks for. */
  async block(fixture: BlockFixture): Promise<{ readonly replay: BlockReplay; readonly detail: ReplayDetail }> {
    const { run, detail } = await this.run(blockJob(fixture))
    return {
      replay: {
        block: fixture.name,
        chain: fixture.chain,
        fork: fixture.forkName,
        number: Number(fixture.env.number),
        postMerge: isAtLeast(fixture.fork, 'paris'),
        ...run,
      },
      detail,
    }
  }

  /**
   * First pass: records every path it can, notes changes and is checked; then serial execution, once unmeasured; warm
   * passes until nothing is compiled in them, for a second at least if there are so many, serial and ours in turns;
   * then samples, serial and ours in turns; last one pass that explains itself and times the device. Every pass is
   * checked.
   */
  async run(
    job: Job,
  ): Promise<{ readonly run: ReplayRun; readonly detail: ReplayDetail; readonly receipts: Receipts }> {
    const { samples, serial } = this.#options
    const batch = encodeBatch(job.transactions)
    const checks: ReturnType<Job['check']>[] = []
    const faults = new Set<string>()
    const pass = async (kind: PassKind): Promise<Pass> => {
      const made = await this.#pass(job, batch, kind)
      checks.push(job.check(made.result.receipts))
      for (const fault of made.result.faults) faults.add(fault)
      return made
    }
    const first = await pass('first')
    const serialMs: number[] = []
    let difference: string | undefined
    if (serial) {
      const reference = await runSerial(job)
      difference = compareWithSerial({ receipts: first.result.receipts, state: first.after }, reference)
      if (reference.elapsedMs >= LONG_MS) serialMs.push(reference.elapsedMs)
    }
    const isLong = first.elapsedMs >= LONG_MS || serialMs.length > 0
    let last = first
    let compileMs = first.result.compileMs
    const measured: MeasuredPass[] = []
    if (isLong) {
      measured.push(measuredOf(first))
      if (serial && serialMs.length === 0) serialMs.push((await runSerial(job)).elapsedMs)
    } else {
      const warmUntilMs = performance.now() + WARM_MS
      for (let n = 0; n < MOST_WARM_PASSES; n++) {
        const { result } = await pass('warm')
        compileMs += result.compileMs
        if (performance.now() < warmUntilMs) {
          if (serial) await runSerial(job)
        } else if (result.compileMs === 0) break
      }
      const end = performance.now() + SAMPLING_MS
      while (measured.length < samples && (measured.length === 0 || performance.now() < end)) {
        if (serial) {
          collectGarbage()
          serialMs.push((await runSerial(job)).elapsedMs)
        }
        measured.push(measuredOf(await pass('measured')))
      }
      last = await pass('explained')
    }
    difference ??= checks.find((check) => check.difference !== undefined)?.difference
    const against = [
      checks[0]!.against,
      serial ? 'every receipt and the whole state of serial @ethereumjs/vm' : '',
    ].filter((text) => text !== '')
    const samplesMs = measured.map(({ elapsedMs }) => elapsedMs)
    const { rounds, timings } = measured[medianIndex(samplesMs)]!
    const { deviceTimes } = last
    const medianMs = median(samplesMs)
    const serialMedianMs = serialMs.length === 0 ? 0 : median(serialMs)
    const run: ReplayRun = {
      txCount: batch.count,
      gas: first.result.receipts.totalGasUsed,
      verdict: difference !== undefined ? 'different' : against.length === 0 ? 'unchecked' : 'exact',
      verification: difference ?? (against.length === 0 ? 'nothing to compare with' : against.join('; ')),
      tiers: last.result.tiers,
      tierGas: gasByTier(last.result),
      rounds,
      exits: last.result.exits,
      stagesMs: timings,
      ...(deviceTimes === undefined ? {} : { deviceTimes }),
      firstMs: first.elapsedMs,
      compileMs,
      samplesMs,
      medianMs,
      serialSamplesMs: serialMs,
      serialMedianMs,
      ratio: serialMs.length === 0 || medianMs === 0 ? 0 : serialMedianMs / medianMs,
      warm: isLong ? 'nothing: one long pass' : WARM,
      faults: [...faults],
    }
    const { changes = [] } = first.result
    const { explain = [], receipts } = last.result
    return { run, detail: { explain, changes, gasUsed: receipts.gasUsed }, receipts }
  }

  /** One pass, checked against the header: the receipts, and the first difference. Records the block's paths. */
  async once(fixture: BlockFixture): Promise<{ readonly receipts: Receipts; readonly difference: string | undefined }> {
    const job = blockJob(fixture)
    const { result } = await this.#pass(job, encodeBatch(job.transactions), 'warm')
    return { receipts: result.receipts, difference: job.check(result.receipts).difference }
  }

  /** The executors' device stays open. */
  close(): void {
    for (const { executor } of this.#executors.values()) executor.close()
    this.#executors.clear()
  }

  async #pass(job: Job, transactions: TransactionBatch, kind: PassKind): Promise<Pass> {
    const { executor, state } = this.#executorOf(job)
    const after = job.state.clone()
    state.use(after, job.fixture)
    executor.forget()
    const explain = kind === 'first' || kind === 'explained'
    if (kind === 'measured') collectGarbage()
    const clock = this.#clock
    if (clock !== undefined) {
      clock.isOn = explain
      clock.begin()
    }
    const start = performance.now()
    const result = await executor.execute({ env: job.env, transactions, explain, changes: kind === 'first' })
    const elapsedMs = performance.now() - start
    return { elapsedMs, result, after, deviceTimes: explain ? clock?.times : undefined }
  }

  #executorOf({ fork, chainId }: Job) {
    const key = `${fork} ${chainId}`
    const known = this.#executors.get(key)
    if (known !== undefined) return known
    const { pathStore, workers, tiers } = this.#options
    const state = new SwitchedState()
    const executor = createExecutor({
      fork,
      chainId,
      state,
      recordFrom: 1,
      // A block has a hundred paths: they run as programs, which are there as soon as they are recorded.
      compile: 'wait',
      kernels: 'never',
      ...tiers,
      ...(this.#clock === undefined ? {} : { device: this.#clock.device }),
      ...(pathStore === undefined ? {} : { pathStore }),
      ...(workers === undefined ? {} : { workers }),
    })
    const made = { executor, state }
    this.#executors.set(key, made)
    return made
  }
}

type PassKind = 'first' | 'warm' | 'measured' | 'explained'

interface Pass {
  readonly elapsedMs: number
  readonly result: ExecutionResult
  readonly after: MemoryState
  readonly deviceTimes: DeviceTimes | undefined
}

/** What is kept of a measured pass: its receipts and its state go before the next one. */
interface MeasuredPass {
  readonly elapsedMs: number
  readonly rounds: number
  readonly timings: ExecutionResult['timings']
}

const measuredOf = ({ elapsedMs, result: { rounds, timings } }: Pass): MeasuredPass => ({ elapsedMs, rounds, timings })

const WARM = 'recorded paths, compiled kernels and the code of the host; accounts and slots are read anew in every pass'

/** A block on the state before it, checked against its header. */
export const blockJob = (fixture: BlockFixture): Job => {
  const { fork, chainId, env, transactions } = fixture
  const state = fillState(fixture, new MemoryState())
  return { fork, chainId, env, state, transactions, fixture, check: (receipts) => checkFixture(fixture, receipts) }
}

/** Gas used by the transactions of each tier; zero everywhere where the pass did not explain itself. */
const gasByTier = ({ receipts, explain = [] }: ExecutionResult): TierCounts => {
  const gas = { ...NO_TIERS }
  for (const { index, tier } of explain)
    if (tier !== 'rejected') gas[tier as keyof TierCounts] += receipts.gasUsed[index]!
  return gas
}
