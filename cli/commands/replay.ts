import type { CommandModule } from 'yargs'
import { readBlockFixture } from '../../conformance/block_fixture.ts'
import { isAtLeast } from '../../transpiler/spec/forks.ts'
import { EXIT_BAD_FILE, EXIT_FAILURE } from '../exit_codes.ts'
import { UserError } from '../fail.ts'
import { fixtureFiles } from '../fixture_files.ts'
import { checkResultPaths, parseWhole, writeResult } from '../result_file.ts'
import { PATHS_NEVER, parseTiers, TIER_OPTIONS, type TierArguments } from '../tier_options.ts'

interface ReplayArguments extends TierArguments {
  fixtures: string[]
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
  if (options.merged && !options.serial) {
    throw new UserError('--merged is checked against serial execution alone: leave out --no-serial')
  }
  if (options.merged && (options.explain || options.report !== undefined)) {
    throw new UserError('--merged goes without --explain and --report: they show blocks as they are')
  }
  const found = fixtureFiles(options.fixtures)
  checkResultPaths({ json: options.json, report: options.report }, found)
  if (options.report !== undefined) await (await import('../../bench/report/charts.ts')).loadCharts()
  const files = options['post-merge'] ? found.filter(isPostMerge) : found
  if (files.length === 0) throw new UserError('no block after the merge among these')

  const { runReplay } = await import('../../bench/replay_session.ts')
  const { createProgress } = await import('../../bench/report/progress.ts')
  const { blockLine, explainText, replayText } = await import('../../bench/report/replay_text.ts')
  const { textStyle } = await import('../../bench/report/text_table.ts')
  const style = textStyle(process.stdout)
  const report = await runReplay({
    files,
    samples,
    ...(workers === undefined ? {} : { workers }),
    ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
    serial: options.serial,
    tiers,
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

export const replayCommand: CommandModule<object, ReplayArguments> = {
  command: 'replay <fixtures..>',
  describe: 'Execute real blocks, check them against their headers, and compare the time with serial @ethereumjs/vm',
  builder: (parser) =>
    parser
      .positional('fixtures', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'fixture files (evm-block-fixture/1, JSON or gzip of it) or folders of them',
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
