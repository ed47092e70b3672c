import type { CommandModule } from 'yargs'
import type { Part } from '../../bench/parts/part.ts'
import type { BenchLevel } from '../../bench/report/schema.ts'
import type { Workload } from '../../bench/workloads/workload.ts'
import { FORKS, type Fork, isAtLeast, isFork } from '../../transpiler/spec/forks.ts'
import { DEVICE_OPTIONS, type DeviceArguments, parseDevice } from '../device_options.ts'
import { EXIT_SLOWER } from '../exit_codes.ts'
import { UserError } from '../fail.ts'
import { checkResultPaths, parseWhole, writeResult } from '../result_file.ts'
import { PATHS_NEVER, parseTiers, TIER_OPTIONS, type TierArguments } from '../tier_options.ts'

interface BenchArguments extends TierArguments, DeviceArguments {
  level: string | undefined
  workloads: string[] | undefined
  list: boolean
  size: string | undefined
  samples: string | undefined
  seed: string
  adapter: string | undefined
  fork: string | undefined
  peers: string | undefined
  json: string | undefined
  report: string | undefined
  compare: string | undefined
  cold: boolean
  data: string | undefined
}

const LARGEST_SIZE = 2 ** 22
const MOST_SAMPLES = 100
const USUAL_SAMPLES = 3
/** Verification takes longer than the sample: with two, every workload of the default run has its turn. */
const DEFAULT_RUN_SAMPLES = 2

/** What runs when no workload is named. */
const DEFAULT_WORKLOADS: Readonly<Record<BenchLevel, readonly string[]>> = {
  execute: ['transfers', 'erc20', 'erc20-hot-recipient', 'mixed', 'conflict-10', 'uniswap-v2'],
  block: ['transfers', 'erc20', 'mixed', 'uniswap-v2'],
}

/**
 * Of a run without names: no workload of it needs the lane VM, whose kernel compiles for up to two minutes of processor
 * time beside the measured blocks.
 */
const DEFAULT_RUN_TIERS = { laneVm: 'never' } as const

/** The workloads by name; `all` is every one. Throws UserError. */
export const chooseWorkloads = (
  names: readonly string[],
  all: readonly Workload[],
  level: BenchLevel = 'execute',
): readonly Workload[] => {
  if (names.includes('all')) return all
  const known = all.map(({ name }) => name)
  for (const name of names) {
    if (!known.includes(name)) throw new UserError(`unknown workload '${name}'; there is ${known.join(', ')}, all`)
  }
  const wanted = names.length === 0 ? DEFAULT_WORKLOADS[level] : [...new Set(names)]
  return wanted.flatMap((wantedName) => all.filter(({ name }) => name === wantedName))
}

/** The parts by name; undefined where none is named. They do not run beside workloads. Throws UserError. */
export const chooseParts = (names: readonly string[], all: readonly Part[]): readonly Part[] | undefined => {
  const isPart = (name: string): boolean => all.some((part) => part.name === name)
  if (!names.some(isPart)) return undefined
  const other = names.find((name) => !isPart(name))
  if (other !== undefined) throw new UserError(`'${other}' cannot run beside ${names.find(isPart)}: name parts alone`)
  return all.filter(({ name }) => names.includes(name))
}

const NATIVE_PEER: Readonly<Record<BenchLevel, string>> = { execute: 'revm', block: 'anvil' }

/** What is measured; that of an earlier run goes without saying. Throws UserError. */
export const parseLevel = (level: string | undefined, earlier: BenchLevel | undefined): BenchLevel => {
  if (level === undefined) return earlier ?? 'execute'
  if (level !== 'execute' && level !== 'block') throw new UserError(`--level takes execute or block, got '${level}'`)
  if (earlier !== undefined && earlier !== level)
    throw new UserError(`--level ${level}: the earlier run is of level ${earlier}`)
  return level
}

/** Names of optional peers, separated by commas. Throws UserError. */
export const parsePeers = (peers: string | undefined, level: BenchLevel = 'execute'): readonly string[] => {
  const names = peers === undefined ? [] : peers.split(',')
  for (const name of names) {
    if (name !== NATIVE_PEER[level]) {
      throw new UserError(
        `unknown peer '${name}'; there is ${NATIVE_PEER[level]} at level ${level} (@ethereumjs/vm always runs)`,
      )
    }
  }
  return names
}

/** A fork from `oldest` on. Throws UserError. */
export const parseFork = (name: string, oldest: Fork): Fork => {
  const usable = FORKS.filter((fork) => isAtLeast(fork, oldest))
  if (isFork(name) && usable.includes(name)) return name
  throw new UserError(`--fork takes ${usable.join(', ')}; got '${name}'`)
}

/** Whether the user named no workload, or all: those that cannot run here are then left out. */
const isMany = (names: readonly string[]): boolean => names.length === 0 || names.includes('all')

const listText = (all: readonly Pick<Workload, 'name' | 'title'>[]): string => {
  const width = Math.max(...all.map(({ name }) => name.length))
  return all.map(({ name, title }) => `${name.padEnd(width)}  ${title}\n`).join('')
}

const run = async (options: BenchArguments): Promise<void> => {
  const { WORKLOADS } = await import('../../bench/workloads/index.ts')
  const { PARTS } = await import('../../bench/parts/index.ts')
  if (options.list) {
    process.stdout.write(listText([...WORKLOADS, ...PARTS]))
    return
  }
  const parts = chooseParts(options.workloads ?? [], PARTS)
  if (parts !== undefined) return runPartsAlone(parts, options)
  const { DEFAULT_FORK, OLDEST_FORK } = await import('../../bench/workloads/workload.ts')
  const { compareRuns, compareText, isSlower, readEarlierRun } = await import('../../bench/report/compare.ts')
  const earlier = options.compare === undefined ? undefined : readEarlierRun(options.compare)
  const named = options.workloads ?? []
  // Without names a comparison runs what ran before, as far as it is still there.
  const known = WORKLOADS.map(({ name }) => name)
  const ran = earlier?.results.map(({ workload }) => workload).filter((name) => known.includes(name)) ?? []
  const level = parseLevel(options.level, earlier?.level)
  if (level === 'block' && options.cold) throw new UserError('--cold is for --level execute')
  if (level !== 'block' && options.data !== undefined) throw new UserError('--data is for --level block')
  const workloads = chooseWorkloads(named.length === 0 ? ran : named, WORKLOADS, level)
  const size = options.size === undefined ? {} : { size: parseWhole('size', options.size, 1, LARGEST_SIZE) }
  const seed = parseWhole('seed', options.seed, 0, 2 ** 32 - 1)
  const { BLOCK_FORK } = await import('../../bench/block/run.ts')
  const fork = parseFork(options.fork ?? (level === 'block' ? BLOCK_FORK : DEFAULT_FORK), OLDEST_FORK)
  const peers = parsePeers(options.peers, level)
  const isDefault = options.size === undefined && named.length === 0 && ran.length === 0
  const tiers = { ...(isDefault ? DEFAULT_RUN_TIERS : {}), ...parseTiers(options) }
  const usual = isDefault ? DEFAULT_RUN_SAMPLES : USUAL_SAMPLES
  const samples = options.samples === undefined ? usual : parseWhole('samples', options.samples, 1, MOST_SAMPLES)
  checkResultPaths(
    { json: options.json, report: options.report },
    options.compare === undefined ? [] : [options.compare],
  )
  if (options.report !== undefined) await (await import('../../bench/report/charts.ts')).loadCharts()
  const { ANVIL_HINT, findAnvil } = await import('../../bench/peers/anvil_node.ts')
  const native = peers.length > 0
  if (native && findAnvil() === undefined)
    throw new UserError(`--peers ${peers[0]} needs the anvil binary: ${ANVIL_HINT}`)

  const { DEFAULT_RUN_MS, runSession } = await import('../../bench/session.ts')
  const { createProgress } = await import('../../bench/report/progress.ts')
  const { summaryText, workloadText } = await import('../../bench/report/text.ts')
  const { textStyle } = await import('../../bench/report/text_table.ts')
  const style = textStyle(process.stdout)
  const report = await runSession({
    workloads,
    level,
    fork,
    tiers,
    opened: parseDevice(options),
    ...size,
    ...(earlier === undefined
      ? {}
      : { sizes: new Map(earlier.results.map(({ workload, txCount }) => [workload, txCount])) }),
    ...(isDefault && level === 'execute' ? { timeMs: DEFAULT_RUN_MS } : {}),
    ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
    ...(options.data === undefined ? {} : { data: options.data }),
    samples,
    seed,
    native,
    leavesOut: isMany(named),
    cold: options.cold,
    progress: createProgress(process.stderr),
    onResult: (result) => process.stdout.write(`${workloadText(result, style)}\n`),
  })
  process.stdout.write(summaryText(report, style))
  if (options.json !== undefined) {
    writeResult(options.json, `${JSON.stringify(report, null, 2)}\n`)
    process.stdout.write(`results  ${options.json}\n`)
  }
  if (options.report !== undefined) {
    const { benchPage } = await import('../../bench/report/bench_page.ts')
    writeResult(options.report, await benchPage(report), 'report')
    process.stdout.write(`page     ${options.report}\n`)
  }
  if (earlier !== undefined) {
    const comparisons = compareRuns(earlier, report.results)
    process.stdout.write(`\n${compareText(earlier, report, comparisons, style)}`)
    if (isSlower(comparisons)) process.exitCode = EXIT_SLOWER
  }
  // What ran out of time may still be compiling on the device, and would keep the process.
  if (report.skipped.length > 0) process.exit()
}

/** Options that say nothing of a part. */
const OF_WORKLOADS = [
  ...(['level', 'fork', 'peers', 'report', 'compare', 'data'] as const),
  ...(['tier', 'paths', 'lane-vm', 'waves', 'range'] as const),
]

const runPartsAlone = async (parts: readonly Part[], options: BenchArguments): Promise<void> => {
  const given = OF_WORKLOADS.find((name) => options[name] !== undefined) ?? (options.cold ? 'cold' : undefined)
  if (given !== undefined) throw new UserError(`--${given} is for workloads; ${parts[0]!.name} is measured without it`)
  const { runParts, partsText } = await import('../../bench/parts/session.ts')
  const { textStyle } = await import('../../bench/report/text_table.ts')
  const size = options.size === undefined ? {} : { size: parseWhole('size', options.size, 1, LARGEST_SIZE) }
  const samples =
    options.samples === undefined ? USUAL_SAMPLES : parseWhole('samples', options.samples, 1, MOST_SAMPLES)
  const seed = parseWhole('seed', options.seed, 0, 2 ** 32 - 1)
  checkResultPaths({ json: options.json })
  const report = await runParts({
    parts,
    opened: parseDevice(options),
    ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
    ...size,
    samples,
    seed,
    step: (part, what) => process.stderr.write(`${part}: ${what}\n`),
  })
  process.stdout.write(partsText(report, textStyle(process.stdout)))
  if (options.json === undefined) return
  writeResult(options.json, `${JSON.stringify(report, null, 2)}\n`)
  process.stdout.write(`results  ${options.json}\n`)
}

export const benchCommand: CommandModule<object, BenchArguments> = {
  command: 'bench [workloads..]',
  describe: 'Run workloads, verify them against serial execution, and show what they cost',
  builder: (parser) =>
    parser
      .positional('workloads', { type: 'string', array: true, describe: 'names (see --list), or all; or parts alone' })
      .option('list', { type: 'boolean', default: false, describe: 'name the workloads and stop' })
      .option('level', {
        type: 'string',
        describe: 'execute: decoded transactions to receipts; block: signed bytes to three roots [default: execute]',
      })
      .option('size', { type: 'string', describe: 'transactions per block [default: what fits the time]' })
      .option('samples', {
        type: 'string',
        describe: `measured blocks per workload [default: ${USUAL_SAMPLES}; ${DEFAULT_RUN_SAMPLES} when no workload is named]`,
      })
      .option('seed', { type: 'string', default: '1', describe: 'seed of the traffic and of the verified sample' })
      .option('adapter', { type: 'string', describe: 'gpu, lavapipe, swiftshader, or a part of a name' })
      .option('fork', { type: 'string', describe: 'cancun or later [default: osaka; prague at level block]' })
      .options(TIER_OPTIONS)
      .options(DEVICE_OPTIONS)
      .option('paths', { type: 'string', describe: PATHS_NEVER })
      .option('peers', { type: 'string', describe: 'revm (level execute) or anvil (level block): native' })
      .option('json', { type: 'string', describe: 'write the results to this file' })
      .option('report', { type: 'string', describe: 'write a page with tables and pictures to this file' })
      .option('compare', {
        type: 'string',
        describe:
          'a result file of before: the same workloads and sizes again, with ratios; exit code 3 where one is slower',
      })
      .option('data', {
        type: 'string',
        describe: 'level block: the same blocks also through chains in new folders below this one, which are removed',
      })
      .option('cold', { type: 'boolean', default: false, describe: 'measure compilation with an empty driver cache' })
      .strict(),
  handler: run,
}
