import { forkOfTests } from '../../conformance/fork_name.ts'
import { readStateTest, type StateTestEntry } from '../../conformance/state_test.ts'
import { FORK_NAMES } from './fork_rules.ts'
import { reportText, type TestReport, unknownFork } from './report.ts'
import {
  patternOf,
  TEST_FLAGS,
  type TestArguments,
  testFiles,
  testOptions,
  testPaths,
  testsOfFile,
} from './test_input.ts'
import type { ToolCommand } from './tool_command.ts'
import { ToolError } from './tool_error.ts'
import type { ToolStreams } from './tool_streams.ts'

interface StateTestArguments extends TestArguments {
  'statetest.fork': string
  'statetest.index': string
  trace: boolean
  'trace.format': string
  'trace.nomemory': boolean
  'trace.nostack': boolean
  json: boolean
}

const run = async (options: StateTestArguments, streams: ToolStreams): Promise<void> => {
  const { path, human, dump, adapter } = options
  const pattern = patternOf(options)
  const isChosen = choiceOf(options)
  const isTraced = options.trace || options.json
  if (isTraced && options['trace.format'] !== 'json')
    throw new ToolError('failure', `--trace.format takes json, got '${options['trace.format']}'`)
  const { StateTests } = await import('./state_tests.ts')
  const tests = await StateTests.open(adapter)
  const trace = isTraced
    ? {
        memory: options['trace.nomemory'] ? undefined : ('always' as const),
        ...(options['trace.nostack'] ? { stack: 'never' as const } : {}),
      }
    : undefined
  try {
    for (const given of testPaths(path, streams.stdin)) {
      const reports: TestReport[] = []
      for (const file of testFiles(given)) {
        const entries = testsOfFile(file, pattern).flatMap(([name, test]) =>
          readStateTest(name, test, (fork, count) => {
            if (options['statetest.fork'] === '' || options['statetest.fork'] === fork)
              for (let n = 0; n < count; n++) reports.push(unknownFork(name, fork))
          }),
        )
        for (const entry of indexed(entries, isChosen)) {
          const { report, lines } = await tests.run(entry, { dump, trace })
          for (const line of lines) streams.stderr(`${line}\n`)
          reports.push(report)
        }
      }
      streams.stdout(reportText(reports, human))
    }
  } finally {
    tests.close()
  }
}

type Choice = (entry: StateTestEntry, index: number) => boolean

const choiceOf = ({ 'statetest.fork': fork, 'statetest.index': index }: StateTestArguments): Choice => {
  if (fork !== '' && forkOfTests(fork) === undefined)
    throw new ToolError('config', `unsupported fork "${fork}"; there is ${FORK_NAMES.join(', ')}`)
  if (!/^(-1|\d{1,9})$/.test(index))
    throw new ToolError('failure', `--statetest.index takes a whole number, or -1 for all; got '${index}'`)
  return (entry, at) => (fork === '' || entry.forkName === fork) && (index === '-1' || at === Number(index))
}

/** The entries that are chosen; their index counts those of the same test and fork. */
const indexed = (entries: readonly StateTestEntry[], isChosen: Choice): StateTestEntry[] => {
  const counts = new Map<string, number>()
  return entries.filter((entry) => {
    const key = `${entry.name} ${entry.forkName}`
    const at = counts.get(key) ?? 0
    counts.set(key, at + 1)
    return isChosen(entry, at)
  })
}

export const stateTestCommand = (streams: ToolStreams): ToolCommand<StateTestArguments> => ({
  command: 'statetest [path]',
  describe: 'Run Ethereum state tests; the exit code is 0 also where tests fail',
  builder: (parser) =>
    testOptions(parser).options({
      'statetest.fork': { type: 'string', default: '', requiresArg: true, describe: 'only this fork, as Prague' },
      'statetest.index': {
        type: 'string',
        default: '-1',
        requiresArg: true,
        describe: 'only the entry of this number at each fork',
      },
      trace: { type: 'boolean', default: false, describe: 'print the steps of each test to stderr (EIP-3155)' },
      'trace.format': { type: 'string', default: 'json', requiresArg: true, describe: 'json' },
      'trace.nomemory': { type: 'boolean', default: true, describe: 'without the memory before each step' },
      'trace.nostack': { type: 'boolean', default: false, describe: 'without the stack' },
      json: { type: 'boolean', default: false, hidden: true },
    }) as never,
  handler: (options) => run(options, streams),
  flags: [...TEST_FLAGS, 'trace', 'trace.nomemory', 'trace.nostack', 'json'],
})
