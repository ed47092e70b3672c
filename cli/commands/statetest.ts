import type { CommandModule } from 'yargs'
import { UserError } from '../fail.ts'
import { checkResultPaths, parseWhole, writeResult } from '../result_file.ts'
import { checkChoice, type TestResult, type TestTier } from '../state_test_file.ts'
import { runTestFiles, TestFileError } from '../state_test_jobs.ts'
import { testFiles } from '../state_test_source.ts'

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

const traceLine = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

const run = async (options: StateTestArguments) => {
  const { inputs, fork, run: pattern, json, jobs: jobsText, adapter, tier, trace } = options
  const choice = { fork, run: pattern }
  checkChoice(choice)
  const jobs = parseWhole('jobs', jobsText, 1, MOST_JOBS)
  if (trace && (tier === undefined || jobs > 1)) {
    throw new UserError('--trace is of the lane VM, one entry at a time: it takes --tier lane-vm and --jobs 1')
  }
  const place = { adapter, tier, ...(trace ? { onTraceLine: traceLine } : {}) }
  const files = testFiles(inputs)
  checkResultPaths(
    { json },
    files.map(({ name }) => name),
  )
  let results: TestResult[]
  try {
    results = await runTestFiles(files, { place, choice, jobs })
  } catch (thrown) {
    if (thrown instanceof TestFileError && thrown.done.length > 0) {
      process.stderr.write(`stopped after ${thrown.done.length} entries; no results are written\n`)
    }
    throw thrown
  }
  if (results.length === 0) throw new UserError(`no test of ${inputs.join(', ')} fits --fork and --run`)
  const text = `${JSON.stringify(results, null, 2)}\n`
  if (json === undefined) process.stdout.write(text)
  else writeResult(json, text)
  const failed = results.filter(({ pass }) => !pass)
  for (const { file, name, error } of failed.slice(0, 20)) process.stderr.write(`FAIL ${file}: ${name}: ${error}\n`)
  process.stderr.write(
    `${results.length - failed.length} of ${results.length} entries pass (${files.length} files; ${tierCounts(results)})\n`,
  )
  if (tier !== undefined) process.stderr.write(deviceSummary(results))
  if (failed.length > 0) process.exitCode = 1
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
        describe: 'JSON files, .tar.gz archives of them, or folders',
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
