import type { Program } from '../../conformance/program_file.ts'
import { adapterRequest } from '../../host/device/adapter.ts'
import { type DeviceOptions, openDevice } from '../../host/device/device.ts'
import { deviceCosts } from '../../host/flows/device_costs.ts'
import { commitOfCheckout, machine } from '../machine.ts'
import { AnvilError, findAnvil } from '../peers/anvil_node.ts'
import type { Progress } from '../report/progress.ts'
import type { BenchReport } from '../report/schema.ts'
import type { TierChoice } from '../tier_choice.ts'
import { programPeer } from './program_peer.ts'
import { type ProgramReport, runProgramOn, SimulationMismatchError } from './run_program.ts'

export interface ProgramSessionOptions {
  readonly programs: readonly Program[]
  /** Absent: LANES, and SWAP_LANES for the swaps. */
  readonly lanes?: number
  readonly seed: number
  readonly samples: number
  readonly adapter?: string
  /** How to open it. */
  readonly opened?: Pick<DeviceOptions, 'robustness' | 'compileLimitMs'>
  readonly tiers: TierChoice
  /** Native revm beside it. */
  readonly revm: boolean
  readonly progress: Progress
  readonly onProgram: (report: ProgramReport) => void
}

/** The result file of `wgevm programs --json`. */
export interface ProgramsReport {
  readonly schema: 'wgevm-programs/1'
  readonly commit: string
  readonly date: string
  readonly machine: BenchReport['machine']
  readonly adapter: { readonly kind: string; readonly name: string; readonly driver: string }
  readonly node: string
  readonly results: readonly ProgramReport[]
  /** Programs without a result, or without revm beside it, and why. */
  readonly failed: readonly { readonly program: string; readonly reason: string }[]
  /** Why no revm stands beside the results. */
  readonly revmNote?: string
}

const LANES = 1_024
const SWAP_LANES = 16_384
/** Of a sample. Where the lanes of a program would use more there are fewer of them, and it runs once. */
const SAMPLE_GAS = 20e9
const LEAST_LANES = 128
/** Of a sample: what leaves the device shall not hold up the others. */
const CPU_LIMIT_MS = 10_000

/** Lane counts, and the calls that count, of programs whose target is for some of their calls. */
const SWAPS: Readonly<Record<string, RegExp>> = {
  'real.uniswap_v2': /^swap(?! minOut)/,
  'real.uniswap_v3': /swap/,
}

/**
 * Runs the programs one after another on one device. A program whose lanes are wrong stands in `failed`. Throws
 * NoAdapterError.
 */
export const runPrograms = async (options: ProgramSessionOptions): Promise<ProgramsReport> => {
  const { programs, progress, seed } = options
  const asked = adapterRequest(options.adapter)
  const device = await openDevice({ ...options.opened, ...(asked === undefined ? {} : { adapter: asked }) })
  const tiers = { ...options.tiers, costs: await deviceCosts(device) }
  const anvil = options.revm ? findAnvil() : undefined
  const results: ProgramReport[] = []
  const failed: { program: string; reason: string }[] = []
  progress.start('programs', programs.length)
  try {
    for (const given of programs) {
      const program = withoutOtherCalls(given)
      const { lanes, isLong } = sizeOf(program, options.lanes)
      progress.step(`${program.name}, ${lanes} lanes`)
      const run = { lanes, seed, tiers, samples: isLong ? 1 : options.samples, cold: isLong, cpuLimitMs: CPU_LIMIT_MS }
      try {
        const measured = await runProgramOn(device, program, run)
        const report = anvil === undefined ? measured : await withPeer(anvil, program, measured, failed)
        results.push(report)
        options.onProgram(report)
      } catch (thrown) {
        if (!(thrown instanceof SimulationMismatchError)) throw thrown
        failed.push({ program: program.name, reason: thrown.message })
      }
    }
  } finally {
    progress.stop()
    device.destroy()
  }
  return {
    schema: 'wgevm-programs/1',
    commit: commitOfCheckout(),
    date: new Date().toISOString(),
    machine: machine(),
    adapter: { kind: device.kind, name: device.name, driver: device.driver },
    node: process.version,
    results,
    failed,
    ...(anvil === undefined ? { revmNote: options.revm ? 'the anvil binary is not there' : 'not asked for' } : {}),
  }
}

/** A program that revm does not take stands without it, and why in `failed`. */
const withPeer = async (
  anvil: string,
  program: Program,
  measured: ProgramReport,
  failed: { program: string; reason: string }[],
): Promise<ProgramReport> => {
  try {
    return { ...measured, revm: await programPeer(anvil, program) }
  } catch (thrown) {
    if (!(thrown instanceof AnvilError)) throw thrown
    failed.push({ program: program.name, reason: `without revm: ${thrown.message}` })
    return measured
  }
}

/** Swaps that succeed are what the targets of the exchanges are about. */
const withoutOtherCalls = (program: Program): Program => {
  const wanted = SWAPS[program.name]
  if (wanted === undefined) return program
  const kept = program.calls.map(({ label }) => wanted.test(label))
  return {
    ...program,
    calls: program.calls.filter((_, index) => kept[index]),
    expected: program.expected.filter((_, index) => kept[index]),
  }
}

const sizeOf = ({ name, calls, expected }: Program, wanted: number | undefined) => {
  const lanes = wanted ?? (SWAPS[name] === undefined ? LANES : SWAP_LANES)
  const gas = expected.reduce((sum, { gasUsed }) => sum + Number(gasUsed), 0) / Math.max(1, calls.length)
  if (wanted !== undefined || lanes * gas <= SAMPLE_GAS) return { lanes, isLong: lanes * gas > SAMPLE_GAS }
  return { lanes: Math.min(lanes, Math.max(LEAST_LANES, Math.floor(SAMPLE_GAS / gas))), isLong: true }
}

/** Calls per second over those of the serial peer. */
export const timesSerial = ({ callsPerSecond, serial }: ProgramReport): number => callsPerSecond / serial.callsPerSecond

/** Programs of evmone and revmc, for which the target is a mean. */
export const isInMean = ({ program }: ProgramReport): boolean => /^(evmone|revmc)\./.test(program)

export const geometricMean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
