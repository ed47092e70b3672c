import type { CommandModule } from 'yargs'
import type { RealBlocksOptions } from '../../bench/block/real_blocks.ts'
import type { TierChoice } from '../../bench/tier_choice.ts'
import { readBlockFixture } from '../../conformance/block_fixture.ts'
import { isOpWitness } from '../../conformance/op_witness.ts'
import { isAtLeast } from '../../transpiler/spec/forks.ts'
import { EXIT_BAD_FILE, EXIT_FAILURE } from '../exit_codes.ts'
import { UserError } from '../fail.ts'
import { fixtureFiles } from '../fixture_files.ts'
import { checkResultPaths, parseWhole, writeResult } from '../result_file.ts'
import { PATHS_NEVER, parseTiers, TIER_OPTIONS, type TierArguments } from '../tier_options.ts'
import { parseLevel } from './bench.ts'

interface ReplayArguments extends TierArguments {
  fixtures: string[]
  level: string | undefined
  merged: boolean
  explain: boolean
  serial: boolean
  'post-merge': boolean
  samples: string
  workers: string | undefined
  adapter: string | undefined
  json: string | undefined
  report: string | undefined
}

const MOST_SAMPLES = 100
const MOST_WORKERS = 64

const isPostMerge = (file: string): boolean => isAtLeast(readBlockFixture(file).fork, 'paris')

const run = async (options: ReplayArguments): Promise<void> => {
  const samples = parseWhole('samples', options.samples, 1, MOST_SAMPLES)
  const workers = options.workers === undefined ? undefined : parseWhole('workers', options.workers, 0, MOST_WORKERS)
  const tiers = parseTiers(options)
  const level = parseLevel(options.level, undefined)
  if (level === 'block' && (options.merged || options.explain || options.report !== undefined || !options.serial)) {
    throw new UserError('--level block goes without --merged, --explain, --report and --no-serial')
  }
  if (options.merged && !options.serial) {
    throw new UserError('--merged is checked against serial execution alone: leave out --no-serial')
  }
  if (options.merged && (options.explain || options.report !== undefined)) {
    throw new UserError('--merged goes without --explain and --report: they show blocks as they are')
  }
  const found = fixtureFiles(options.fixtures)
  const witnesses = found.filter(isOpWitness)
  if (witnesses.length > 0) return runWitnesses(witnesses, found, { ...options, tiers, workers })
  checkResultPaths({ json: options.json, report: options.report }, found)
  if (options.report !== undefined) await (await import('../../bench/report/charts.ts')).loadCharts()
  const files = options['post-merge'] ? found.filter(isPostMerge) : found
  if (files.length === 0) throw new UserError('no block after the merge among these')
  const { adapter, json } = options
  const common = {
    files,
    samples,
    tiers,
    ...(workers === undefined ? {} : { workers }),
    ...(adapter === undefined ? {} : { adapter }),
  }
  if (level === 'block') return runBlocks(common, json)

  const { runReplay } = await import('../../bench/replay_session.ts')
  const { createProgress } = await import('../../bench/report/progress.ts')
  const { blockLine, explainText, replayText } = await import('../../bench/report/replay_text.ts')
  const { textStyle } = await import('../../bench/report/text_table.ts')
  const style = textStyle(process.stdout)
  const report = await runReplay({
    ...common,
    serial: options.serial,
    keepPaths: options.paths !== false && tiers.paths !== 'never',
    merged: options.merged,
    conflicts: options.report !== undefined,
    progress: createProgress(process.stderr),
    onBlock: (replay, { explain, gasUsed }) => {
      // Said at once, so an interruption loses nothing of the blocks before it.
      process.stdout.write(blockLine(replay))
      if (options.explain) process.stdout.write(explainText(replay.block, explain, gasUsed, style))
    },
    onMerged: () => {},
  })
  process.stdout.write(replayText(report, style))
  if (options.json !== undefined) {
    writeResult(options.json, `${JSON.stringify(report, null, 2)}\n`)
    process.stdout.write(`results  ${options.json}\n`)
  }
  if (options.report !== undefined) {
    const { replayPage } = await import('../../bench/report/replay_page.ts')
    writeResult(options.report, await replayPage(report), 'report')
    process.stdout.write(`page     ${options.report}\n`)
  }
  const runs = [...report.blocks, ...(report.merged ?? [])]
  if (report.notRun.some(({ cause }) => cause === 'file')) process.exitCode = EXIT_BAD_FILE
  else if (report.notRun.length > 0 || runs.some(({ verdict }) => verdict === 'different')) {
    process.exitCode = EXIT_FAILURE
  }
}

interface WitnessArguments extends Omit<ReplayArguments, 'workers' | 'tiers'> {
  tiers: TierChoice
  workers: number | undefined
}

/** Blocks of the OP stack are built from their attributes and executed from their headers, to the expected hash. */
const runWitnesses = async (
  witnesses: readonly string[],
  found: readonly string[],
  { merged, explain, level, report, json, adapter, tiers, workers }: WitnessArguments,
): Promise<void> => {
  if (witnesses.length < found.length) throw new UserError('op-block-witness/1 goes without files of another kind')
  if (merged || explain || level !== undefined || report !== undefined || json !== undefined)
    throw new UserError('op-block-witness/1 goes without --level, --merged, --explain, --report and --json')
  const { runWitnessFiles } = await import('../../bench/op_witnesses.ts')
  const differ = await runWitnessFiles(witnesses, { adapter, tiers, workers }, (line) => process.stdout.write(line))
  if (differ > 0) process.exitCode = EXIT_FAILURE
}

/** `--level block`: from RLP to three roots, beside runBlock. */
const runBlocks = async (
  common: Omit<RealBlocksOptions, 'step' | 'onBlock'>,
  json: string | undefined,
): Promise<void> => {
  for (const file of common.files) readBlockFixture(file)
  const { runRealBlocks } = await import('../../bench/block/real_blocks.ts')
  const { realBlockLine, realBlocksText } = await import('../../bench/report/real_blocks_text.ts')
  const { createProgress } = await import('../../bench/report/progress.ts')
  const { textStyle } = await import('../../bench/report/text_table.ts')
  const progress = createProgress(process.stderr)
  progress.start('replay', common.files.length)
  const report = await runRealBlocks({
    ...common,
    step: (block) => progress.step(block),
    onBlock: (block) => process.stdout.write(realBlockLine(block)),
  }).finally(() => progress.stop())
  process.stdout.write(realBlocksText(report, textStyle(process.stdout)))
  if (json !== undefined) {
    writeResult(json, `${JSON.stringify(report, null, 2)}\n`)
    process.stdout.write(`results  ${json}\n`)
  }
  if (report.notRun.some(({ cause }) => cause === 'failed')) process.exitCode = EXIT_FAILURE
  else if (report.notRun.length > 0) process.exitCode = EXIT_BAD_FILE
}

export const replayCommand: CommandModule<object, ReplayArguments> = {
  command: 'replay <fixtures..>',
  describe: 'Execute real blocks, check them against their headers, and compare the time with serial @ethereumjs/vm',
  builder: (parser) =>
    parser
      .positional('fixtures', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'fixture files (evm-block-fixture/1 or op-block-witness/1, JSON or gzip of it) or folders of them',
      })
      .option('level', {
        type: 'string',
        describe: 'execute: decoded transactions; block: from RLP to three roots, beside runBlock [default: execute]',
      })
      .option('merged', {
        type: 'boolean',
        default: false,
        describe: 'execute the transactions of all blocks of one fork and chain as one independent batch',
      })
      .option('explain', {
        type: 'boolean',
        default: false,
        describe: 'say for each transaction where it ran, and why',
      })
      .option('serial', { type: 'boolean', default: true, describe: 'run serial @ethereumjs/vm beside it' })
      .option('paths', {
        describe: `${PATHS_NEVER}; --no-paths: paths are recorded, but not kept in the user's cache folder`,
      })
      .options(TIER_OPTIONS)
      .option('post-merge', { type: 'boolean', default: false, describe: 'leave out what was before the merge' })
      .option('samples', { type: 'string', default: '3', describe: 'measured passes per block' })
      .option('workers', {
        type: 'string',
        describe: 'worker threads of the CPU tier [default: measured costs decide]',
      })
      .option('adapter', { type: 'string', describe: 'gpu, lavapipe, swiftshader, a part of a name, or none' })
      .option('json', { type: 'string', describe: 'write the results to this file' })
      .option('report', { type: 'string', describe: 'write a page with tables and pictures to this file' })
      .strict(),
  handler: run,
}
