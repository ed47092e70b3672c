import type { CommandModule } from 'yargs'
import { FixtureError } from '../../conformance/json_field.ts'
import { EXIT_BAD_FILE, EXIT_FAILURE, EXIT_INTERRUPTED } from '../exit_codes.ts'
import { UserError } from '../fail.ts'
import { checkResultPaths, parseWhole, writeResult } from '../result_file.ts'
import { checkChoice, type TestResult, type TestTier } from '../state_test_file.ts'
import { type BrokenFile, runTestFiles, type TestRun } from '../state_test_jobs.ts'
import { skippedText } from '../state_test_kind.ts'
import { type TestFile, testFiles } from '../state_test_source.ts'

interface StateTestArguments {
  inputs: string[]
  fork: string | undefined
  run: string | undefined
  json: string | undefined
  jobs: string
  adapter: string | undefined
  tier: TestTier | undefined
  trace: boolean
}

const MOST_JOBS = 64

/** `cpu 12, transfer 3`: how many entries each tier executed. */
const tierCounts = (results: readonly TestResult[]): string => {
  const counts = new Map<string, number>()
  for (const { tier } of results) counts.set(tier, (counts.get(tier) ?? 0) + 1)
  return [...counts].map(([tier, count]) => `${tier} ${count}`).join(', ')
}

/** How many entries the device executed, and why the CPU tier executed the others, most frequent first. */
const deviceSummary = (results: readonly TestResult[]): string => {
  const reasons = new Map<string, number>()
  let lanes = 0
  let executed = 0
  for (const { tier, reason } of results) {
    if (tier === 'laneVm') lanes++
    if (tier !== 'rejected') executed++
    if (tier === 'cpu') reasons.set(reason ?? 'no reason', (reasons.get(reason ?? 'no reason') ?? 0) + 1)
  }
  const lines = [...reasons]
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `${String(count).padStart(8)}  ${reason}\n`)
  return `${lanes} of ${executed} executed entries ran on the lane VM\n${lines.join('')}`
}

/** Failed entries that are named. */
const MOST_NAMED = 20

const run = async (options: StateTestArguments) => {
  const { inputs, fork, run: pattern, json, jobs: jobsText, adapter, tier, trace } = options
  const choice = { fork, run: pattern }
  checkChoice(choice)
  const jobs = parseWhole('jobs', jobsText, 1, MOST_JOBS)
  if (trace && (tier === undefined || jobs > 1)) {
    throw new UserError('--trace is of the lane VM, one entry at a time: it takes --tier lane-vm and --jobs 1')
  }
  const files = testFiles(inputs)
  checkResultPaths(
    { json },
    files.map(({ path }) => path),
  )
  const stop = new AbortController()
  const onInterrupt = (): void => stop.abort()
  process.once('SIGINT', onInterrupt)
  const ended = await runTestFiles(files, {
    setting: { adapter, tier, trace },
    choice,
    jobs,
    onResult: failureTeller(),
    signal: stop.signal,
  })
  process.off('SIGINT', onInterrupt)
  if (ended.results.length === 0 && !ended.isStopped) refuseNothing(inputs, files, ended)
  // What was done is written whatever ended the run.
  const text = `${JSON.stringify(ended.results, null, 2)}\n`
  if (json === undefined) process.stdout.write(text)
  else writeResult(json, text)
  process.stderr.write(endText(ended, files.length, tier))
  const exitCode = exitCodeOf(ended)
  // Writing to a pipe ends first; at a second Ctrl-C, now without a listener, the process goes at once.
  if (ended.isStopped) process.stdout.write('', () => process.exit(exitCode))
  else process.exitCode = exitCode
}

/** Names failed entries while the others run, the first of them. */
const failureTeller = (): ((result: TestResult) => void) => {
  let count = 0
  return ({ pass, file, name, error }) => {
    if (pass || ++count > MOST_NAMED) return
    process.stderr.write(`FAIL ${file}: ${name}: ${error}\n`)
  }
}

/** Throws where no test ran and it is not the choice among good files that left them all out. */
const refuseNothing = (inputs: readonly string[], files: readonly TestFile[], { skipped, broken }: TestRun): void => {
  const [first] = broken
  if (first !== undefined) {
    throw first.cause === 'FixtureError'
      ? new FixtureError(first.file, '', withoutName(first))
      : new Error(brokenText(first))
  }
  const others = skippedText(skipped)
  if (others !== undefined && new Set(skipped.map(({ file }) => file)).size === files.length) {
    throw new FixtureError(inputs.join(', '), '', `expected state tests or block tests, found ${others}`)
  }
  throw new UserError(`no test of ${inputs.join(', ')} fits --fork and --run`)
}

const brokenText = ({ file, reason }: BrokenFile): string => (reason.startsWith(file) ? reason : `${file}: ${reason}`)

/** A FixtureError's message begins with its file. */
const withoutName = ({ file, reason }: BrokenFile): string =>
  reason.slice(reason.startsWith(file) ? file.length + 2 : 0)

const exitCodeOf = ({ results, broken, isStopped }: TestRun): number => {
  if (isStopped) return EXIT_INTERRUPTED
  if (results.some(({ pass }) => !pass) || broken.some(({ cause }) => cause !== 'FixtureError')) return EXIT_FAILURE
  return broken.length > 0 ? EXIT_BAD_FILE : 0
}

const endText = (ended: TestRun, fileCount: number, tier: TestTier | undefined): string => {
  const { results, skipped, broken, isStopped } = ended
  const failed = results.filter(({ pass }) => !pass)
  const lines = failed.length > MOST_NAMED ? [`FAIL ${failed.length - MOST_NAMED} more`] : []
  for (const each of broken) lines.push(`BAD ${brokenText(each)}`)
  const passed = results.length - failed.length
  lines.push(`${passed} of ${results.length} entries pass (${fileCount} files; ${tierCounts(results)})`)
  const others = skippedText(skipped)
  if (others !== undefined) lines.push(`skipped: ${others}`)
  if (isStopped) lines.push('interrupted: these are the entries that were done')
  return `${lines.join('\n')}\n${tier === undefined ? '' : deviceSummary(results)}`
}

export const stateTestCommand: CommandModule<object, StateTestArguments> = {
  command: 'statetest <inputs..>',
  describe: 'Run Ethereum state tests and block tests and print what `evm statetest` prints, with tier and reason',
  builder: (parser) =>
    parser
      .positional('inputs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'JSON files (or gzip of them), .tar.gz archives, or folders',
      })
      .option('fork', { type: 'string', describe: 'only this fork, as Prague' })
      .option('run', { type: 'string', describe: 'only tests whose name matches this regular expression' })
      .option('json', { type: 'string', describe: 'write the array to this file instead of stdout' })
      .option('jobs', { type: 'string', default: '1', describe: 'processes' })
      .option('adapter', { type: 'string', describe: 'gpu, lavapipe, swiftshader, a part of a name, or none' })
      .option('tier', {
        choices: ['lane-vm'] as const,
        describe: 'send every state test there that it can execute, and say why it cannot the others',
      })
      .option('trace', {
        type: 'boolean',
        default: false,
        describe:
          'print the steps of every executed state test to stderr, as `evm statetest --trace` does (EIP-3155); with --tier lane-vm',
      })
      .strict(),
  handler: run,
}
