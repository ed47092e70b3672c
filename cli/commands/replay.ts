import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandModule } from 'yargs'
import { FixtureError } from '../../host/block/json_field.ts'
import { EXIT_BAD_FILE, EXIT_FAILURE, UserError } from '../fail.ts'
import { checkResultPath, parseWhole, writeResult } from '../result_file.ts'

interface ReplayArguments {
  fixtures: string[]
  merged: boolean
  explain: boolean
  serial: boolean
  paths: boolean
  samples: string
  workers: string | undefined
  adapter: string | undefined
  json: string | undefined
  report: string | undefined
}

const MOST_SAMPLES = 100
const MOST_WORKERS = 64

/** Files as they are, folders as their `*.json` and `*.json.gz` but for an index, by number where names have one. */
export const fixtureFiles = (inputs: readonly string[]): readonly string[] =>
  inputs.flatMap((input) => {
    if (!existsSync(input) || !statSync(input).isDirectory()) return [input]
    const files = readdirSync(input)
      .filter((name) => /\.json(\.gz)?$/.test(name) && name !== 'index.json')
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    if (files.length === 0) throw new FixtureError(input, '', 'expected *.json or *.json.gz in this folder, found none')
    return files.map((name) => join(input, name))
  })

const run = async (options: ReplayArguments): Promise<void> => {
  const samples = parseWhole('samples', options.samples, 1, MOST_SAMPLES)
  const workers = options.workers === undefined ? undefined : parseWhole('workers', options.workers, 0, MOST_WORKERS)
  if (options.merged && !options.serial) {
    throw new UserError('--merged is checked against serial execution alone: leave out --no-serial')
  }
  if (options.merged && (options.explain || options.report !== undefined)) {
    throw new UserError('--merged goes without --explain and --report: they show blocks as they are')
  }
  if (options.json !== undefined) checkResultPath(options.json)
  if (options.report !== undefined) checkResultPath(options.report, 'report')
  const files = fixtureFiles(options.fixtures)

  const { runReplay } = await import('../../bench/replay_session.ts')
  const { createProgress } = await import('../../bench/report/progress.ts')
  const { explainText, replayText } = await import('../../bench/report/replay_text.ts')
  const { textStyle } = await import('../../bench/report/text.ts')
  let isInterrupted = false
  // A second one ends the process at once, as does the first where nobody listens.
  process.once('SIGINT', () => {
    isInterrupted = true
    process.stderr.write('interrupted: ends after this pass\n')
  })
  const report = await runReplay({
    files,
    samples,
    ...(workers === undefined ? {} : { workers }),
    ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
    serial: options.serial,
    keepPaths: options.paths,
    merged: options.merged,
    conflicts: options.report !== undefined,
    isInterrupted: () => isInterrupted,
    progress: createProgress(process.stderr),
    onBlock: ({ block }, { explain, gasUsed }) => {
      if (options.explain) process.stdout.write(explainText(block, explain, gasUsed))
    },
    onMerged: () => {},
  })
  process.stdout.write(replayText(report, textStyle(process.stdout)))
  if (report.notRun.some(({ cause }) => cause === 'interrupted')) {
    if (options.json !== undefined || options.report !== undefined) {
      process.stderr.write('no results are written: the run was interrupted\n')
    }
  } else {
    if (options.json !== undefined) {
      writeResult(options.json, `${JSON.stringify(report, null, 2)}\n`)
      process.stdout.write(`results  ${options.json}\n`)
    }
    if (options.report !== undefined) {
      const { replayPage } = await import('../../bench/report/replay_page.ts')
      writeResult(options.report, await replayPage(report), 'report')
      process.stdout.write(`page     ${options.report}\n`)
    }
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
        type: 'boolean',
        default: true,
        describe: "use and keep recorded paths in the user's cache folder",
      })
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
