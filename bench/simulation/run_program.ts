import type { Program } from '../../conformance/program_file.ts'
import { type TransactionBatch, transactionData } from '../../host/chain/batch.ts'
import { decodeTransaction } from '../../host/chain/encode_batch.ts'
import { adapterRequest } from '../../host/device/adapter.ts'
import { DeviceClock, type DeviceTimes } from '../../host/device/clock.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import { deviceCosts } from '../../host/flows/device_costs.ts'
import type { TierCounts } from '../../host/flows/execution_result.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import type { Executor } from '../../host/flows/executor_interface.ts'
import type { Simulation, SimulationTimings } from '../../host/flows/simulation.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { collectGarbage } from '../garbage.ts'
import { commitOfCheckout, machine } from '../machine.ts'
import { createRandom, permutation } from '../random.ts'
import type { PeerResult } from '../report/schema.ts'
import { median, medianIndex, spread } from '../report/statistics.ts'
import type { SerialBase } from '../serial_state.ts'
import { type TierChoice, tierChoiceText } from '../tier_choice.ts'
import { findVariations, type Variation, variedCalls } from './program_variants.ts'
import { type ReadableState, ReadState } from './read_state.ts'
import { paidGas, runSerialCalls, type SerialCall } from './serial_calls.ts'

export interface ProgramRunOptions {
  /** Absent: what fits a few seconds, at most 100,000. */
  readonly lanes?: number
  readonly seed: number
  readonly samples: number
  readonly tiers?: TierChoice
  /** Lanes that are verified; absent: as many as a few seconds allow. */
  readonly verify?: number
  /** No simulation before the first sample but one of a few lanes. */
  readonly cold?: boolean
  /** Fewer lanes than asked for where one of each call says that the CPU tier would take longer than this. */
  readonly cpuLimitMs?: number
  /**
   * The calls run on this state in place of the program's, whose fork, environment and expectations are not used
   * either; of its accounts those without code remain callers that vary.
   */
  readonly on?: ProgramGround
}

/** A state, and what calls see around it. */
export type ProgramGround = Pick<Program, 'fork' | 'chainId' | 'env'> & { readonly state: ReadableState }

export interface ProgramReport {
  readonly schema: 'wgevm-simulate/1'
  readonly program: string
  readonly fork: string
  readonly commit: string
  readonly date: string
  readonly machine: ReturnType<typeof machine>
  readonly adapter: { readonly kind: string; readonly name: string; readonly driver: string }
  readonly lanes: number
  readonly seed: number
  /** By call: what varies from lane to lane. */
  readonly calls: readonly { readonly label: string; readonly varied: readonly Variation[] }[]
  readonly tiers: TierCounts
  /** Lanes on the CPU tier, by why. */
  readonly exits: Readonly<Record<string, number>>
  readonly status: { readonly success: number; readonly failure: number; readonly rejected: number }
  readonly gas: number
  /** The first call, which loads state and makes kernels. */
  readonly firstMs: number
  readonly firstCompileMs: number
  readonly samplesMs: readonly number[]
  readonly cpuMs: number
  readonly callsPerSecond: number
  readonly spread: number
  readonly stagesMs: SimulationTimings
  /**
   * Of a simulation of its own before the samples, since timing takes time (with `cold`, of the one that is the first
   * sample); without `totalMs` where the adapter has no timestamp queries.
   */
  readonly deviceTimes?: DeviceTimes
  readonly serial: { readonly name: '@ethereumjs/evm'; readonly calls: number; readonly callsPerSecond: number }
  readonly verified: { readonly lanes: number; readonly all: boolean }
  readonly faults: readonly string[]
  /** Native revm on the program's calls; absent where it was not asked for. */
  readonly revm?: PeerResult
  /** Tiers of the device that were allowed; absent = all. */
  readonly tierChoice?: TierChoice
}

/** A lane's result differs from that of @ethereumjs/evm, or a call's from what the program file expects. */
export class SimulationMismatchError extends Error {
  override readonly name = 'SimulationMismatchError'
}

const MOST_LANES = 100_000
/** Simulations between the first and the first sample, as long as they take no longer than this. */
const MOST_WARM_UPS = 8
const WARM_UP_MS = 2_000
/** Where the lanes are not given, a simulation shall take about this long. */
const SIMULATION_MS = 4_000
const PROBE_LANES = 64
const VERIFY_MS = 5_000

/** `runProgramOn` a device of its own: the best that answers, or the one that is asked for. */
export const runProgram = async (
  program: Program,
  { adapter, ...options }: ProgramRunOptions & { readonly adapter?: string },
): Promise<ProgramReport> => {
  const request = adapterRequest(adapter)
  const device = await openDevice(request === undefined ? {} : { adapter: request })
  try {
    const tiers = { ...options.tiers, costs: await deviceCosts(device) }
    return await runProgramOn(device, program, { ...options, tiers })
  } finally {
    device.destroy()
  }
}

const onGround = (program: Program, { fork, chainId, env }: ProgramGround): Program => {
  return { ...program, fork, chainId, env, expected: [] }
}

/** Runs the calls of a program in many varied lanes, beside serial @ethereumjs/evm, and verifies what came out. */
export const runProgramOn = async (
  device: ComputeDevice,
  given: Program,
  options: ProgramRunOptions,
): Promise<ProgramReport> => {
  const { seed, samples, tiers = {}, cold = false, on } = options
  const program = on === undefined ? given : onGround(given, on)
  const { fork, chainId } = program
  const state = on?.state ?? MemoryState.from(program.pre)
  const serialState = new ReadState(state)
  const clock = new DeviceClock(device)
  clock.isOn = false
  const executor = createExecutor({ fork, chainId, state, device: clock.device, compile: 'wait', ...tiers })
  try {
    await checkExpected(program, serialState)
    const variations = await findVariations(program, state, seed)
    const lanes =
      options.lanes === undefined
        ? await chooseLanes(program, variations, executor, seed)
        : await fewerLanes(program, variations, executor, { ...options, lanes: options.lanes })
    const calls = variedCalls(program, variations, lanes, seed)
    clock.isOn = cold
    let latest = await timed(executor, program, calls)
    const firstMs = latest.elapsedMs
    const firstCompileMs = latest.simulation.compileMs
    const taken: Sample[] = []
    // The results of the one before go: whoever kept them all would measure new memory for each.
    const take = ({ elapsedMs, cpuMs, simulation: { timings } }: TimedSimulation): void => {
      taken.push({ elapsedMs, cpuMs, timings })
    }
    if (cold) take(latest)
    const warmUntilMs = performance.now() + WARM_UP_MS
    for (let n = 0; !cold && (n === 0 || (n < MOST_WARM_UPS && performance.now() < warmUntilMs)); n++)
      latest = await timed(executor, program, calls)
    if (!cold) {
      clock.isOn = true
      clock.begin()
      latest = await timed(executor, program, calls)
    }
    clock.isOn = false
    const deviceTimes = clock.times
    while (taken.length < samples) {
      collectGarbage()
      latest = await timed(executor, program, calls)
      take(latest)
    }
    const { simulation } = latest
    const samplesMs = taken.map(({ elapsedMs }) => elapsedMs)
    const middle = taken[medianIndex(samplesMs)]!
    const serial = await verify(program, serialState, calls, simulation, options)
    return {
      schema: 'wgevm-simulate/1',
      program: program.name,
      fork: program.fork,
      commit: commitOfCheckout(),
      date: new Date().toISOString(),
      machine: machine(),
      adapter: { kind: device.kind, name: device.name, driver: device.driver },
      lanes,
      seed,
      calls: program.calls.map(({ label }, index) => ({ label, varied: variations[index]! })),
      tiers: simulation.tiers,
      exits: simulation.exits,
      status: {
        success: count(simulation.status, 1),
        failure: count(simulation.status, 0),
        rejected: count(simulation.status, 2),
      },
      gas: simulation.gasUsed.reduce((sum, gas) => sum + gas, 0),
      firstMs,
      firstCompileMs,
      samplesMs,
      cpuMs: middle.cpuMs,
      callsPerSecond: (1000 * lanes) / median(samplesMs),
      spread: spread(samplesMs),
      stagesMs: middle.timings,
      deviceTimes,
      serial: {
        name: '@ethereumjs/evm',
        calls: serial.count,
        callsPerSecond: (1000 * serial.count) / serial.elapsedMs,
      },
      verified: { lanes: serial.lanes, all: serial.lanes === lanes },
      faults: simulation.faults,
      ...(tierChoiceText(tiers) === undefined ? {} : { tierChoice: tiers }),
    }
  } finally {
    executor.close()
  }
}

interface Sample {
  readonly elapsedMs: number
  readonly cpuMs: number
  readonly timings: SimulationTimings
}

interface TimedSimulation {
  readonly simulation: Simulation
  readonly elapsedMs: number
  readonly cpuMs: number
}

const timed = async (executor: Executor, { env }: Program, calls: TransactionBatch): Promise<TimedSimulation> => {
  const before = process.cpuUsage()
  const startedMs = performance.now()
  const simulation = await executor.simulate({ at: env, calls })
  const elapsedMs = performance.now() - startedMs
  const { user, system } = process.cpuUsage(before)
  return { simulation, elapsedMs, cpuMs: (user + system) / 1000 }
}

const fewerLanes = async (
  program: Program,
  variations: readonly (readonly Variation[])[],
  executor: Executor,
  { lanes, seed, cpuLimitMs }: ProgramRunOptions & { readonly lanes: number },
): Promise<number> => {
  if (cpuLimitMs === undefined) return lanes
  const kinds = program.calls.length
  const { simulation } = await timed(executor, program, variedCalls(program, variations, kinds, seed))
  const { cpu } = simulation.timings
  return simulation.tiers.cpu === 0 ? lanes : Math.min(lanes, Math.max(kinds, Math.floor((kinds * cpuLimitMs) / cpu)))
}

/**
 * Four times as many lanes as before as long as they take less than a quarter of the time, so paths get to be
 * worth their kernels.
 */
const chooseLanes = async (
  program: Program,
  variations: readonly (readonly Variation[])[],
  executor: Executor,
  seed: number,
): Promise<number> => {
  let lanes = program.calls.length
  for (;;) {
    const calls = variedCalls(program, variations, lanes, seed)
    const first = await timed(executor, program, calls)
    if (first.elapsedMs - first.simulation.compileMs > SIMULATION_MS) return lanes
    const { elapsedMs } = await timed(executor, program, calls)
    if (4 * elapsedMs > SIMULATION_MS) return Math.max(lanes, Math.floor((lanes * SIMULATION_MS) / elapsedMs / 2))
    if (lanes === MOST_LANES) return lanes
    lanes = Math.min(MOST_LANES, Math.max(PROBE_LANES, 4 * lanes))
  }
}

/**
 * What an account costs more that is not warm yet (EIP-2929), and how many are from the start: caller, called account,
 * coinbase.
 */
const COLD_ACCOUNT = 2_500n
const WARM_ACCOUNTS = 3n

/**
 * Whether both are the same, but for accounts that a transaction finds warm and the tool that made the file did not.
 */
const isColder = (expected: bigint, gas: bigint): boolean => {
  const more = expected - gas
  return more >= 0n && more % COLD_ACCOUNT === 0n && more / COLD_ACCOUNT <= WARM_ACCOUNTS
}

/** The calls as they stand give what the file says. */
const checkExpected = async (program: Program, state: SerialBase): Promise<void> => {
  const { expected, calls, fork, chainId, env } = program
  if (expected.length === 0) return
  const unvaried = variedCalls(
    program,
    calls.map(() => []),
    calls.length,
    0,
  )
  const { results } = await runSerialCalls(fork, chainId, env, state, unvaried, [...calls.keys()], { ms: VERIFY_MS })
  for (const [index, result] of results.entries()) {
    const { status, gasUsed, output } = expected[index]!
    const where = `${program.name}, call '${calls[index]!.label}'`
    if ((status === 'success') !== (result.status === 1))
      throw new SimulationMismatchError(
        `${where}: the file expects ${status}, @ethereumjs/evm gives status ${result.status}`,
      )
    // What halts uses all its gas, and the file's gas limits are without the intrinsic part.
    if (!isColder(gasUsed, result.executionGas) && gasUsed !== calls[index]!.gas)
      throw new SimulationMismatchError(
        `${where}: the file expects ${gasUsed} gas, @ethereumjs/evm uses ${result.executionGas}`,
      )
    if (output !== undefined && output !== result.output)
      throw new SimulationMismatchError(
        `${where}: the file expects output ${output}, @ethereumjs/evm gives ${result.output}`,
      )
  }
}

/**
 * Compares a seeded sample of the lanes, or all, with @ethereumjs/evm, which executes equal calls once. The program's
 * calls take turns in the sample. Throws SimulationMismatchError.
 */
const verify = async (
  { fork, chainId, env, name, calls: kinds }: Program,
  state: SerialBase,
  calls: TransactionBatch,
  simulation: Simulation,
  { seed, verify: wanted }: ProgramRunOptions,
): Promise<{ readonly count: number; readonly lanes: number; readonly elapsedMs: number }> => {
  const sample = inTurns([...permutation(calls.count, createRandom(seed, 'verified'))], kinds.length).slice(0, wanted)
  const equal = new Map<string, number[]>()
  for (const i of sample) {
    const key = JSON.stringify(decodeTransaction(calls, i), (_, value) =>
      typeof value === 'bigint' ? `${value}` : value,
    )
    const lanes = equal.get(key)
    if (lanes === undefined) equal.set(key, [i])
    else lanes.push(i)
  }
  const alike = [...equal.values()]
  const order = alike.map(([i]) => i!)
  const budget = { ms: wanted === undefined ? VERIFY_MS : Number.POSITIVE_INFINITY, atLeast: kinds.length }
  const { results, elapsedMs } = await runSerialCalls(fork, chainId, env, state, calls, order, budget)
  let lanes = 0
  for (const [n, result] of results.entries()) {
    const gas = paidGas(result, transactionData(calls, order[n]!), fork, false)
    for (const i of alike[n]!) {
      const difference = differenceOf(simulation, i, result, gas)
      const label = kinds[i % kinds.length]!.label
      if (difference !== undefined) throw new SimulationMismatchError(`${name}, lane ${i} ('${label}'): ${difference}`)
      lanes++
    }
  }
  return { count: results.length, lanes, elapsedMs }
}

/** The same lanes, so calls take turns; lane i runs call i % `kinds`. */
const inTurns = (lanes: readonly number[], kinds: number): number[] => {
  const byKind = Array.from({ length: kinds }, (_, kind) => lanes.filter((i) => i % kinds === kind))
  return Array.from({ length: Math.max(...byKind.map(({ length }) => length)) }, (_, n) =>
    byKind.flatMap((own) => own.slice(n, n + 1)),
  ).flat()
}

const differenceOf = (simulation: Simulation, i: number, serial: SerialCall, gas: bigint): string | undefined => {
  const ours = simulation.get(i)
  if (ours.status !== serial.status) return `status ${ours.status ?? ours.rejection}, @ethereumjs/evm ${serial.status}`
  if (ours.gasUsed !== gas) return `gas ${ours.gasUsed}, @ethereumjs/evm ${gas}`
  if (BigInt(simulation.gasRefund[i]!) !== serial.refund && ours.status === 1)
    return `refund ${simulation.gasRefund[i]}, @ethereumjs/evm ${serial.refund}`
  if (ours.output !== serial.output) return `output ${ours.output}, @ethereumjs/evm ${serial.output}`
  const [a, b] = [JSON.stringify(ours.logs), JSON.stringify(serial.logs)]
  return a === b ? undefined : `logs ${a}, @ethereumjs/evm ${b}`
}

const count = (status: Uint8Array, wanted: number): number =>
  status.reduce((sum, one) => sum + (one === wanted ? 1 : 0), 0)
