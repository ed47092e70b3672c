import { DeviceClock, type DeviceTimes } from '../host/device/clock.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import type { ExecutionResult } from '../host/flows/execution_result.ts'
import { createExecutor } from '../host/flows/executor.ts'
import type { Executor } from '../host/flows/executor_interface.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import { ethereumjsHardfork, type Fork } from '../transpiler/spec/forks.ts'
import { accessSets } from './access_sets.ts'
import { chooseSize, type Probe } from './calibrate.ts'
import { conflictMap } from './conflict_map.ts'
import { conflictMatrix, conflictRate, longestChain } from './conflict_matrix.ts'
import { collectGarbage } from './garbage.ts'
import { runAnvil } from './peers/anvil.ts'
import { AnvilError, findAnvil } from './peers/anvil_node.ts'
import type { Progress } from './report/progress.ts'
import type { PeerResult, WorkloadResult } from './report/schema.ts'
import { median, medianIndex } from './report/statistics.ts'
import type { TierChoice } from './tier_choice.ts'
import { type Verification, verificationText, verifyBlock } from './verify.ts'
import type { Scenario, Workload, WorkloadBlock } from './workloads/workload.ts'

export interface RunOptions {
  readonly device: ComputeDevice | undefined
  /** Opens one more device of the same kind, for the compile time with a filled driver cache; absent = not measured. */
  readonly openSecond?: () => Promise<ComputeDevice>
  readonly fork: Fork
  readonly tiers: TierChoice
  /** Transactions per block; absent = what fits the time. */
  readonly size?: number
  readonly samples: number
  readonly seed: number
  readonly native: boolean
  /** Of blocks: a folder on the disk that is measured. */
  readonly data?: string
  /** Time for this workload where `size` is absent. */
  readonly budgetMs: number
  readonly progress: Progress
}

/**
 * Blocks that are run before the first sample: one meets empty tables; more while kernels are still being compiled (a
 * path earns its kernel by being seen often); more until the host's own code is warm, which takes about six large
 * blocks.
 */
const WARM_UP_BLOCKS = 2
const MOST_WARM_UP_BLOCKS = 8
/**
 * A block inside which a kernel was compiled is warm-up, not a sample; past so many it is one, and the result says so.
 */
const MOST_REPLACED_BLOCKS = 4
/** Of execution, building the blocks aside; at most this share of the workload's time. */
const WARM_UP_MS = 4_000
const WARM_UP_SHARE = 1 / 6
/** Share of a workload's time that its blocks may take; verification and peers take the rest. */
const SIZE_SHARE = 1 / 4
const PROBE_SIZE = 2_048
const PROBE_BLOCKS = 8
/** No more blocks of a probe when this has passed since the first. */
const PROBE_MS = 1_000
/** Where transactions conflict much runs on the serial tier. */
const CONFLICT_PROBE_SIZE = 512
/**
 * Calls of one kind in a probe from which its kernel is compiled: an eighth of PROBE_SIZE, so rare kinds are not.
 */
const PROBE_RECORDS_FROM = 256
const REVM_TRANSACTIONS = 10_000
const CONFLICT_SAMPLE = 100

/**
 * Runs one workload: probe, warm-up, `samples` measured blocks, each verified, and the peers.
 *
 * One executor runs successive blocks on the state that they leave behind, as a sequencer does: kernels are compiled
 * and the senders' accounts are in its tables, a tenth of the recipients is new in every block. A sample is one
 * `execute` call from typed arrays to committed state and receipts, whose logs and blooms are made when they are read.
 * Making the block, copying the state for the verification, and verifying are outside. The device is timed in a block
 * of its own, the last before the samples.
 */
export const runWorkload = async (workload: Workload, options: RunOptions): Promise<WorkloadResult> => {
  const { progress, samples, native, openSecond } = options
  progress.start(
    workload.name,
    3 + samples + (options.device === undefined ? 0 : 1) + (native ? 1 : 0) + (openSecond === undefined ? 0 : 1),
  )
  try {
    return await measure(workload, options)
  } finally {
    progress.stop()
  }
}

interface Sample extends TimedResult {
  readonly verification: Verification
}

/** What the blocks of a workload took, in their order. */
interface MeasuredBlocks {
  readonly warmUp: readonly TimedResult[]
  readonly measured: readonly Sample[]
  readonly deviceTimes: DeviceTimes | undefined
}

const measure = async (workload: Workload, options: RunOptions): Promise<WorkloadResult> => {
  const { progress, samples, seed, fork, device } = options
  progress.step('compiling contracts and kernels')
  const probe = await runProbe(workload, options, device)
  const conflictHeavy = workload.shares === 'slots'
  const size =
    options.size ??
    chooseSize(probe, samples + WARM_UP_BLOCKS + 2, SIZE_SHARE * options.budgetMs, conflictHeavy ? 1 : 4)
  progress.step(`building ${size} transactions per block`)
  const blocks = samples + MOST_WARM_UP_BLOCKS + MOST_REPLACED_BLOCKS + 1
  const scenario = await workload.build({ fork, size, seed, blocks })
  const ran = await runBlocks(workload, scenario, options)
  const { warmUp, measured } = ran
  const peers = [serialPeer(measured)]
  if (options.native) peers.push(await revmPeer(workload, options, size))
  const compileMs = [...probe.blocks, ...warmUp].filter(compiled).reduce((sum, { result }) => sum + result.compileMs, 0)
  const conflicts = conflictHeavy ? await conflictFacts(workload, options) : undefined
  return {
    ...figuresOf(workload, size, ran),
    compileMs: await compileTimes(workload, options, compileMs),
    peers,
    seed,
    programs: [...new Set(scenario.programs)],
    notes: [
      ...scenario.notes,
      ...(conflicts === undefined ? [] : [conflicts.note]),
      ...measured
        .filter(compiled)
        .map(({ result: { compileMs: ms } }) => `a sample holds ${Math.round(ms)} ms of compilation`),
      ...new Set(measured.flatMap((sample) => sample.result.faults.map((fault) => `device fault: ${fault}`))),
    ],
    ...(conflicts === undefined ? {} : { conflicts: conflicts.map }),
  }
}

/** Warms up, times the device in a block of its own, and measures and verifies the samples. */
const runBlocks = async (workload: Workload, scenario: Scenario, options: RunOptions): Promise<MeasuredBlocks> => {
  const { progress, samples, seed, device } = options
  const state = genesisState(scenario)
  const clock = device === undefined ? undefined : new DeviceClock(device)
  if (clock !== undefined) clock.isOn = false
  const executor = open(workload, scenario, state, { ...options, device: clock?.device })
  const warmUp: TimedResult[] = []
  const measured: Sample[] = []
  let deviceTimes: DeviceTimes | undefined
  const verified = async (): Promise<Sample> => {
    const before = state.clone()
    const block = scenario.next()
    collectGarbage()
    const { timed, receipts } = await execute(executor, block)
    const executed = { scenario, shares: workload.shares, block, receipts, before, after: state }
    return { ...timed, verification: await verifyBlock(executed, seed + measured.length) }
  }
  try {
    progress.step('warming up')
    const warmUpMs = Math.min(WARM_UP_MS, WARM_UP_SHARE * options.budgetMs)
    const isCold = () => compiled(warmUp.at(-1)) || warmUp.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0) < warmUpMs
    while (warmUp.length < WARM_UP_BLOCKS || (warmUp.length < MOST_WARM_UP_BLOCKS && isCold())) {
      warmUp.push((await execute(executor, scenario.next())).timed)
    }
    if (clock !== undefined) {
      progress.step('timing the device')
      clock.isOn = true
      clock.begin()
      warmUp.push(await verified())
      deviceTimes = clock.times
      clock.isOn = false
    }
    let replaced = 0
    while (measured.length < samples) {
      progress.step(`sample ${measured.length + 1} of ${samples}`)
      const sample = await verified()
      if (compiled(sample) && replaced < MOST_REPLACED_BLOCKS) {
        replaced++
        warmUp.push(sample)
      } else measured.push(sample)
    }
  } finally {
    executor.close()
  }
  return { warmUp, measured, deviceTimes }
}

/** The figures of the block in the middle of the samples, and of all samples together. */
const figuresOf = ({ name, shares }: Workload, size: number, { warmUp, measured, deviceTimes }: MeasuredBlocks) => {
  const samplesMs = measured.map(({ elapsedMs }) => elapsedMs)
  const { result, gas } = measured[medianIndex(samplesMs)]!
  const medianMs = median(samplesMs)
  return {
    workload: name,
    txCount: size,
    gas,
    verified: true as const,
    verifiedCount: measured.reduce((sum, { verification }) => sum + verification.count, 0),
    verification: verificationText(size, measured.length, shares),
    samplesMs,
    medianMs,
    txPerSecond: (1000 * size) / medianMs,
    mgasPerSecond: gas / 1000 / medianMs,
    tiers: result.tiers,
    rounds: result.rounds,
    exits: result.exits,
    stagesMs: { ...result.timings },
    ...(deviceTimes === undefined ? {} : { deviceTimes }),
    deviceBytesPerTx: result.deviceBytesPerTransaction,
    firstBlockMs: warmUp[0]!.elapsedMs - warmUp[0]!.result.compileMs,
    chunks: result.chunks,
    warmUpBlocks: warmUp.length,
  }
}

interface CompiledProbe extends Probe {
  readonly blocks: readonly TimedResult[]
}

/** Small blocks: the first compiles the kernels, the best of the others says how fast they are. */
const runProbe = async (
  workload: Workload,
  options: RunOptions,
  device: ComputeDevice | undefined,
): Promise<CompiledProbe> => {
  const { fork, seed, size } = options
  const probeSize = Math.min(size ?? PROBE_SIZE, workload.shares === 'slots' ? CONFLICT_PROBE_SIZE : PROBE_SIZE)
  // Compiles the contracts, so the time below is that of the traffic.
  await workload.build({ fork, size: 1, seed, blocks: 1 })
  const start = performance.now()
  const scenario = await workload.build({ fork, size: probeSize, seed, blocks: PROBE_BLOCKS })
  const buildMs = performance.now() - start
  const executor = open(workload, scenario, genesisState(scenario), { ...options, device }, PROBE_RECORDS_FROM)
  try {
    const blocks = [(await execute(executor, scenario.next())).timed]
    const compiledAt = performance.now()
    while (blocks.length < 2 || (blocks.length < PROBE_BLOCKS && performance.now() - compiledAt < PROBE_MS)) {
      blocks.push((await execute(executor, scenario.next())).timed)
    }
    const blockMs = Math.min(...blocks.slice(1).map(({ elapsedMs, result }) => elapsedMs - result.compileMs))
    return { size: probeSize, buildMs, blockMs, blocks }
  } finally {
    executor.close()
  }
}

/**
 * Without a second device the driver's cache was what it was: that counts as filled, except for SwiftShader, which
 * keeps none. A second device shares nothing with the first but that cache.
 */
const compileTimes = async (
  workload: Workload,
  options: RunOptions,
  compileMs: number,
): Promise<WorkloadResult['compileMs']> => {
  const { device, openSecond, progress } = options
  if (openSecond === undefined) {
    return device?.kind === 'swiftshader' ? { cold: compileMs, warm: 0 } : { cold: 0, warm: compileMs }
  }
  progress.step('compiling again')
  const second = await openSecond()
  try {
    const { blocks } = await runProbe(workload, options, second)
    return { cold: compileMs, warm: blocks.reduce((sum, { result }) => sum + result.compileMs, 0) }
  } finally {
    second.destroy()
  }
}

/** Fetching a kernel that the device has compiled already takes less than a millisecond. */
const compiled = (block: TimedResult | undefined): boolean => block !== undefined && block.result.compileMs >= 1

const genesisState = (scenario: Scenario): MemoryState => {
  const state = new MemoryState()
  state.commit(scenario.genesis)
  return state
}

const open = (
  { kernels }: Workload,
  { fork, chainId }: Scenario,
  state: MemoryState,
  { device, tiers }: Pick<RunOptions, 'device' | 'tiers'>,
  recordFrom?: number,
): Executor =>
  createExecutor({
    fork,
    chainId,
    state,
    // What is measured is what a path comes to once it has earned its own kernel.
    compile: 'wait',
    ...tiers,
    ...(kernels === undefined ? {} : { kernels }),
    ...(device === undefined ? {} : { device }),
    ...(recordFrom === undefined ? {} : { recordFrom }),
  })

/** What a report tells of a block. Its receipts are not kept: a block after it takes the memory that they had. */
interface TimedResult {
  readonly elapsedMs: number
  readonly gas: number
  readonly result: Pick<
    ExecutionResult,
    'tiers' | 'rounds' | 'exits' | 'timings' | 'compileMs' | 'chunks' | 'faults' | 'deviceBytesPerTransaction'
  >
}

interface TimedBlock {
  readonly timed: TimedResult
  readonly receipts: ExecutionResult['receipts']
}

const execute = async (executor: Executor, { env, transactions }: WorkloadBlock): Promise<TimedBlock> => {
  const start = performance.now()
  const { receipts, ...executed } = await executor.execute({ env, transactions })
  const elapsedMs = performance.now() - start
  // Nothing of a block that is large is kept.
  const { tiers, rounds, exits, timings, compileMs, chunks, faults, deviceBytesPerTransaction } = executed
  const result = { tiers, rounds, exits, timings, compileMs, chunks, faults, deviceBytesPerTransaction }
  const timed = { elapsedMs, gas: receipts.totalGasUsed, result }
  return { timed, receipts }
}

/** The verification's own serial runs are the peer's time: the same transactions in the same run of this command. */
const serialPeer = (measured: readonly Sample[]): PeerResult => {
  const sum = (pick: (verification: Verification) => number) =>
    measured.reduce((total, { verification }) => total + pick(verification), 0)
  const elapsedMs = sum(({ serialMs }) => serialMs)
  const txCount = sum(({ count }) => count)
  return {
    name: '@ethereumjs/vm',
    level: 'execution',
    txCount,
    txPerSecond: (1000 * txCount) / elapsedMs,
    mgasPerSecond: sum(({ serialGas }) => serialGas) / 1000 / elapsedMs,
    note: 'serial runTx, senders known, native keccak',
  }
}

/** The first block of the same traffic, from the same pre-state. */
const revmPeer = async (workload: Workload, options: RunOptions, size: number): Promise<PeerResult> => {
  const { fork, seed, progress } = options
  progress.step('revm')
  const binary = findAnvil()
  if (binary === undefined) throw new AnvilError('the anvil binary is gone')
  const scenario = await workload.build({ fork, size: Math.min(size, REVM_TRANSACTIONS), seed, blocks: 1 })
  const { env, transactions } = scenario.next()
  const { genesis, chainId } = scenario
  return runAnvil(binary, { genesis, env, chainId, transactions, hardfork: ethereumjsHardfork(fork) })
}

/** How much the transactions of a small block meet, in words and as a map of contracts. */
const conflictFacts = async (workload: Workload, { fork, seed }: RunOptions) => {
  const scenario = await workload.build({ fork, size: CONFLICT_SAMPLE, seed, blocks: 1 })
  const sets = await accessSets(scenario)
  const matrix = await conflictMatrix(sets)
  const rate = (100 * conflictRate(matrix)).toFixed(1)
  const footprints = sets.called.map((contract, i) => ({
    // What touches no slot is a plain transfer, or as good as one.
    contract: sets.reads[i]!.length + sets.writes[i]!.length === 0 ? undefined : contract,
    reads: sets.reads[i]!.map(String),
    writes: sets.writes[i]!.map(String),
  }))
  return {
    note: `${rate} % of ${CONFLICT_SAMPLE} transactions access a slot that an earlier one writes (measured by access sets); longest chain ${longestChain(matrix)}`,
    map: await conflictMap([footprints]),
  }
}
