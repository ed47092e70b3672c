import { codeSkeleton } from '../../transpiler/index.ts'
import { CompileWait } from '../batch/compile_wait.ts'
import { explainSchedule } from '../batch/explain.ts'
import { ExplainLog } from '../batch/explain_log.ts'
import { createSchedule, type Schedule, TIER_LANE, TIER_VM } from '../batch/open_batch.ts'
import type { Policy } from '../batch/policy.ts'
import { ExitReasons } from '../batch/reason.ts'
import { loadParties, routeTransactions } from '../batch/route.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { depositContractAt } from '../chain/requests.ts'
import { transactionRules } from '../chain/rules.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { faultReason, faultText } from '../device/fault.ts'
import { Precompiles } from '../precompiles/precompiles.ts'
import type { Receipts } from '../receipts/receipts.ts'
import { DeviceSession } from '../session/device_session.ts'
import { ExecutorDevice } from '../session/executor_device.ts'
import { ChangeRecorder } from '../settle/change_recorder.ts'
import { loadListed } from '../settle/listed_versions.ts'
import { type RetryingTier, Rounds } from '../settle/rounds.ts'
import { Sweep } from '../settle/sweep.ts'
import { CheckedState } from '../state/checked_state.ts'
import { RunningState } from '../state/running_state.ts'
import type { State, StateWrites } from '../state/state.ts'
import { ResidentState } from '../state/tables/resident_tables.ts'
import { collectWrites } from '../state/writes/collect.ts'
import { mergeWrites } from '../state/writes/merge.ts'
import { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'
import { CpuWorkers } from '../tiers/cpu/workers.ts'
import { VmKinds } from '../tiers/lane_vm/profiles.ts'
import { HOT_LANES, VmRunner } from '../tiers/lane_vm/runner.ts'
import { isVmWanted, type VmEngine, VmStage } from '../tiers/lane_vm/tier.ts'
import { LaneRunner } from '../tiers/path/kernels/runner.ts'
import { PathLibrary } from '../tiers/path/library.ts'
import { PrecompileAccounts } from '../tiers/path/precompile_accounts.ts'
import { LaneStage } from '../tiers/path/tier.ts'
import { Walk } from './batch_run.ts'
import { type BlockInput, type BlockOptions, type BlockResult, type BlockRunner, executeBlock } from './block.ts'
import type { BlockSteps } from './block_steps.ts'
import { type BuildRequest, type BuiltBlock, buildBlock } from './build.ts'
import { CallQueue, type CallTerms } from './call_queue.ts'
import { checkBlockInput, checkBuildRequest } from './check_block_input.ts'
import { checkOptions, checkSimulateRequest, readRequest } from './check_requests.ts'
import {
  type ExecuteRequest,
  type ExecutionResult,
  type Executor,
  type ExecutorOptions,
  InvalidTransactionError,
  type StageTimings,
} from './executor_interface.ts'
import { policyOf } from './policy.ts'
import { executedReasons, receiptsOf, rejectedOf, tierCounts } from './result.ts'
import { readCalls, type SimulateRequest, Simulator } from './simulate.ts'
import type { Simulation } from './simulation.ts'

/** A call whose turn has come. */
interface OpenCall extends CallTerms {
  /** Something was done to the tables. */
  hasBegun: boolean
}

/** Transactions on the CPU tier from which their mean time is taken for its speed. */
const LEAST_MEASURED = 16

/** Transactions of a batch that may be kept until the next one. */
const MOST_KEPT = 4096

/**
 * An executor of batches, blocks, builds and simulations on one State. It opens nothing before its first call. Throws
 * InputError where an option is unknown or out of range.
 *
 * @example
 * import { createExecutor, MemoryState } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n } })
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const { receipts } = await executor.execute({
 *   env: { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n },
 *   transactions: [{ from: alice, to: bob, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n, value: 1n }],
 * })
 * console.log(receipts.get(0)?.status, receipts.totalGasUsed) // 1 21000
 * executor.close()
 */
export const createExecutor = (options: ExecutorOptions): Executor => new BatchExecutor(checkOptions(options))

/** Opens what runs the lane VM on these tables. @internal */
export type OpenVm = (resident: ResidentState) => VmEngine

/** An executor on another lane VM than the device's. @internal */
export const createExecutorOnVm = (options: ExecutorOptions, openVm: OpenVm): Executor =>
  new BatchExecutor(checkOptions(options), openVm)

class BatchExecutor implements Executor {
  readonly #options: ExecutorOptions
  readonly #policy: Policy
  readonly #compileWait = new CompileWait()
  readonly #cpu: CpuTier
  readonly #workers: CpuWorkers
  readonly #resident: ResidentState
  readonly #reasons = new ExitReasons()
  readonly #library: PathLibrary
  readonly #lanes: LaneStage
  readonly #running: RunningState
  readonly #simulator: Simulator
  readonly #openVm: OpenVm | undefined
  readonly #vmKinds = new VmKinds()
  #session: DeviceSession | undefined
  #runner: LaneRunner | undefined
  #vm: VmStage | undefined
  readonly #device: ExecutorDevice
  readonly #state: State
  readonly #calls = new CallQueue()
  #commits = 0
  /** The last batch, where it was small. Nobody reads it: it keeps an instance of each class alive. */
  kept: object | undefined

  constructor(options: ExecutorOptions, openVm?: OpenVm) {
    this.#options = options
    this.#policy = policyOf(options)
    this.#openVm = openVm
    this.#cpu = new CpuTier(options)
    this.#device = new ExecutorDevice(options)
    this.#state = new CheckedState(options.state)
    this.#resident = new ResidentState(this.#state, codeSkeleton)
    this.#library = new PathLibrary(options.pathStore || undefined, this.#compileWait)
    this.#lanes = new LaneStage(this.#policy, this.#resident, this.#library, this.#reasons)
    this.#running = new RunningState(this.#resident)
    this.#workers = new CpuWorkers({ ...options, cpu: this.#cpu, resident: this.#resident, running: this.#running })
    this.#simulator = new Simulator({
      policy: this.#policy,
      device: () => this.#device.current,
      clock: () => this.#device.clock,
      resident: this.#resident,
      library: this.#library,
      reasons: this.#reasons,
      cpu: this.#cpu,
      lanes: this.#lanes,
      openRunner: (device) => this.#begin(device, false),
      session: () => this.#session,
      closeRunner: () => this.#closeSession(),
      paths: () => this.#paths,
      wantsVm: (schedule) => this.#wantsVm(schedule),
      vmFor: (schedule, runner) => this.#vmForCalls(schedule, runner),
      openVm: (session) => this.#overlaidVm(session),
      generation: () => this.#commits + this.#resident.generation,
    })
  }

  async simulate(request: SimulateRequest): Promise<Simulation> {
    checkSimulateRequest(request)
    const calls = readCalls(request)
    return this.#call(request.signal, (call) => {
      call.hasBegun = true
      return this.#simulator.run(request, calls, call)
    })
  }

  async execute(request: ExecuteRequest): Promise<ExecutionResult> {
    const batch = readRequest(request)
    const { env, changes = false, explain = false } = request
    return this.#call(request.signal, (call) => this.#execute(env, batch, { changes, explain }, call))
  }

  async executeBlock(block: BlockInput, options: BlockOptions = {}): Promise<BlockResult> {
    checkBlockInput(block, options)
    return this.#call(options.signal, (call) => executeBlock(this.#blockRunner(call), block, options))
  }

  async build(request: BuildRequest): Promise<BuiltBlock> {
    checkBuildRequest(request)
    return this.#call(request.signal, (call) => buildBlock(this.#blockRunner(call), request))
  }

  #blockRunner(call: OpenCall): BlockRunner {
    const { fork, chainId, depositContract = depositContractAt(chainId) } = this.#options
    const run = (env: BlockEnvironment, batch: TransactionBatch, changes: boolean, steps: BlockSteps) =>
      this.#execute(env, batch, { changes, explain: false }, call, steps)
    return { fork, chainId, depositContract: depositContract?.toLowerCase(), run }
  }

  /** Runs a call when its turn has come, on the device that there is then. */
  #call<Result>(signal: AbortSignal | undefined, run: (call: OpenCall) => Promise<Result>): Promise<Result> {
    return this.#calls.run(signal, async (stop) => {
      const faults = await this.#device.prepare(() => {
        this.#closeSession()
        this.#library.forgetKernels()
      })
      const call: OpenCall = { stop, faults, hasBegun: false }
      try {
        stop.check()
        return await run(call)
      } catch (thrown) {
        // The tables hold running values of a batch that was not committed.
        if (call.hasBegun) this.forget()
        throw thrown
      } finally {
        this.#device.settle()
      }
    })
  }

  forget(): void {
    this.#resident.forget()
  }

  warm(): Promise<void> {
    return this.#workers.warm()
  }

  close(): void {
    this.#calls.close(() => {
      this.#closeSession()
      this.#workers.close()
      this.#device.close()
      this.kept = undefined
    })
  }

  #closeSession(): void {
    this.#runner = undefined
    this.#vm?.engine.destroy()
    this.#vm = undefined
    this.#session?.close()
    this.#session = undefined
  }

  async #execute(
    env: BlockEnvironment,
    batch: TransactionBatch,
    { changes, explain }: { readonly changes: boolean; readonly explain: boolean },
    call: OpenCall,
    steps?: BlockSteps,
  ): Promise<ExecutionResult> {
    const { stop } = call
    call.hasBegun = true
    const { fork, waves, range } = this.#policy
    const { clock } = this.#device
    clock?.begin()
    const timings: StageTimings = { route: 0, upload: 0, execute: 0, readback: 0, validate: 0, commit: 0, receipts: 0 }
    const waitedBeforeMs = this.#compileWait.waitedMs
    const faults: string[] = [...call.faults]
    let startedMs = performance.now()
    const lap = (): number => {
      const now = performance.now()
      const elapsed = now - startedMs
      startedMs = now
      return elapsed
    }

    const recorder = changes ? new ChangeRecorder(this.#resident, this.#running, batch.count) : undefined
    const list = steps?.accessList
    const listed = list === undefined ? undefined : await loadListed(list, this.#resident, batch.count)
    const earlier = steps === undefined ? undefined : await this.#stepsBefore(steps, recorder)
    const explained = explain ? new ExplainLog() : undefined
    const schedule = createSchedule(batch, env, transactionRules(batch, fork, env), explained)
    await loadParties(schedule, this.#resident)
    routeTransactions(fork, schedule, this.#resident, this.#paths, this.#reasons)
    timings.route = lap()

    const runner = this.#openRunner(schedule, faults)
    const session = runner && this.#session
    const vm = this.#stageVm(schedule, session)
    const retrying = new Map<number, RetryingTier>()
    const lanes = this.#lanes
    if (runner !== undefined)
      retrying.set(TIER_LANE, { mends: (i) => lanes.mends(schedule, i), retry: () => lanes.retry(schedule, runner) })
    if (vm !== undefined)
      retrying.set(TIER_VM, { mends: (i) => vm.mends(schedule, i), retry: () => vm.retry(schedule) })
    const rounds = new Rounds(schedule, this.#resident.slots, retrying, waves === 'always')
    if (listed !== undefined) rounds.believe(listed)
    const sweep = new Sweep(fork, schedule, this.#resident, this.#reasons)
    sweep.recorder = recorder
    const cpu = this.#workers.begin(schedule)
    const walk = new Walk(schedule, {
      lanes: this.#lanes,
      sweep,
      rounds,
      cpu,
      precompiles: new PrecompileAccounts(schedule, this.#resident),
      running: this.#running,
      runner,
      vm,
      range,
      stop,
    })
    try {
      await walk.run()
    } finally {
      faults.push(...this.#workers.finish(cpu))
    }
    faults.push(...walk.faults, ...this.#library.failures.splice(0), ...(vm?.faults.splice(0) ?? []))
    if (cpu.own >= LEAST_MEASURED) this.#library.cpuMs = cpu.ownMs / cpu.own
    if (walk.hasFailed) this.#closeSession()
    const compileMs = this.#compileWait.waitedMs - waitedBeforeMs
    timings.execute = walk.cpuMs + (runner?.timings.execute ?? 0) + (vm?.engine.timings.execute ?? 0)
    timings.readback = (runner?.timings.readback ?? 0) + (vm?.engine.timings.readback ?? 0)
    timings.validate = walk.sweepMs + rounds.resolveMs
    if (runner !== undefined || vm !== undefined)
      timings.upload = Math.max(0, lap() - compileMs - timings.execute - timings.readback - timings.validate)
    else lap()
    const rejected = rejectedOf(schedule)
    if ((steps ?? this.#policy).invalid === 'throw' && rejected.length > 0)
      throw new InvalidTransactionError(rejected[0]!.index, rejected[0]!.code)
    let receipts: Receipts | undefined
    let writes: StateWrites
    if (steps === undefined || earlier === undefined) writes = collectWrites(this.#resident)
    else {
      const ground = { running: this.#running, cpu: this.#cpu, sink: sweep, recorder }
      receipts = await receiptsOf(schedule)
      await steps.after(ground, receipts)
      writes = mergeWrites(earlier, collectWrites(this.#resident))
      await steps.check(ground, receipts, writes)
    }
    stop.check()
    await this.#state.commit(writes)
    this.#commits++
    this.#session?.tables.noteWrites()
    this.#resident.settle()
    timings.commit = lap()

    // A garbage collection that finds no instance of a class drops its hidden class, and all code optimised for it.
    if (batch.count <= MOST_KEPT) this.kept = { schedule, sweep, walk, cpu, rounds, writes }
    receipts ??= await receiptsOf(schedule)
    receipts.blooms()
    faults.push(...(session?.faults ?? []))
    timings.receipts = lap()
    const deviceTimes = clock?.times
    if (deviceTimes?.totalMs !== undefined) timings.device = deviceTimes.totalMs
    return {
      receipts,
      rejected,
      writes,
      ...(recorder === undefined ? {} : { changes: recorder.all() }),
      tiers: tierCounts(schedule),
      rounds: 1 + rounds.rounds,
      exits: this.#reasons.count(executedReasons(schedule)),
      timings,
      ...(deviceTimes === undefined ? {} : { deviceTimes }),
      chunks: (runner?.chunks ?? 0) + (vm?.engine.chunks ?? 0),
      deviceBytesPerTransaction:
        session === undefined || batch.count === 0
          ? 0
          : ((runner?.laneBytes ?? 0) + (vm?.engine.laneBytes ?? 0) + session.tables.sizeBytes) / batch.count,
      compileMs,
      ahead: { held: cpu.held, broken: cpu.broken },
      ...(explain ? { explain: explainSchedule(schedule, this.#reasons) } : {}),
      faults: [...new Set([...faults, ...(session?.faults ?? [])])],
    }
  }

  /** Runs what stands in front of the transactions, as a batch of its own in the tables only: its writes are base values then. */
  async #stepsBefore(steps: BlockSteps, recorder: ChangeRecorder | undefined): Promise<StateWrites> {
    await steps.before({ running: this.#running, cpu: this.#cpu, sink: { codeChanged: false, renew() {} }, recorder })
    const writes = collectWrites(this.#resident)
    this.#session?.tables.noteWrites()
    this.#resident.settle()
    return writes
  }

  /** The runner for this batch; undefined where no transaction needs one, or where there is no device for it. */
  #openRunner(schedule: Schedule, faults: string[]): LaneRunner | undefined {
    const forVm = this.#openVm === undefined && this.#wantsVm(schedule)
    if (!forVm && !schedule.tier.includes(TIER_LANE)) return undefined
    const device = this.#device.current
    if (device === undefined || device.isLost) {
      this.#lanes.refuse(schedule, device === undefined ? 'no device' : 'device lost')
      this.#closeSession()
      return undefined
    }
    try {
      return this.#begin(device)
    } catch (thrown) {
      faults.push(faultText(thrown))
      this.#lanes.refuse(schedule, faultReason(thrown))
      this.#closeSession()
      return undefined
    }
  }

  /** The lane VM, where this batch may have calls for it. */
  #stageVm(schedule: Schedule, session: DeviceSession | undefined): VmStage | undefined {
    if (!this.#mayUseVm || (session === undefined && !isVmWanted(schedule, this.#policy, this.#vmKinds)))
      return undefined
    if (this.#vm === undefined) {
      const engine = this.#openVm?.(this.#resident) ?? (session && this.#vmRunner(session))
      if (engine === undefined) return undefined
      this.#vm = new VmStage(this.#policy, this.#resident, engine, this.#vmKinds, this.#compileWait, this.#reasons)
    }
    return this.#vm
  }

  #vmForCalls(schedule: Schedule, openRunner: () => LaneRunner | undefined): VmStage | undefined {
    if (!this.#wantsVm(schedule)) return undefined
    if (this.#openVm !== undefined) return this.#stageVm(schedule, undefined)
    return openRunner() && this.#stageVm(schedule, this.#session)
  }

  /** On tables with overrides, once the kernel is there: a call with overrides does not wait for it. */
  #overlaidVm(session: DeviceSession): VmStage | undefined {
    if (this.#policy.compile !== 'wait' && this.#vm?.engine.isReady !== true) return undefined
    const engine = this.#vmRunner(session)
    return new VmStage(
      { ...this.#policy, compile: 'wait' },
      session.resident,
      engine,
      this.#vmKinds,
      this.#compileWait,
      this.#reasons,
    )
  }

  #vmRunner(session: DeviceSession): VmRunner {
    const { fork, chainId, laneVm } = this.#policy
    const precompiles = new Precompiles(fork, chainId)
    const hotLanes = laneVm === 'always' ? 0 : HOT_LANES
    return new VmRunner(session, { fork, chainId, precompiles, hotLanes })
  }

  /** Where calls find their paths; undefined: nowhere. */
  get #paths(): PathLibrary | undefined {
    return this.#policy.paths ? this.#library : undefined
  }

  #wantsVm(schedule: Schedule): boolean {
    return this.#mayUseVm && isVmWanted(schedule, this.#policy, this.#vmKinds)
  }

  get #mayUseVm(): boolean {
    const device = this.#device.current
    if (this.#policy.laneVm === 'never') return false
    return this.#openVm !== undefined || (device !== undefined && !device.isLost)
  }

  #begin(device: ComputeDevice, hashesTopics = true): LaneRunner {
    this.#session ??= new DeviceSession(device, this.#resident)
    this.#session.begin(hashesTopics)
    this.#runner ??= new LaneRunner(this.#session, this.#policy)
    this.#runner.begin()
    return this.#runner
  }
}
