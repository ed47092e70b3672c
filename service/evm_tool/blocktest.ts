import { forkOfBlockTest, readBlockTest } from '../../conformance/block_test.ts'
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
import type { ToolStreams } from './tool_streams.ts'

const run = async (options: TestArguments, streams: ToolStreams): Promise<void> => {
  const { path, human, dump, adapter } = options
  const pattern = patternOf(options)
  const { runBlockTest } = await import('../../conformance/run_block_test.ts')
  const { openAdapter } = await import('./named_device.ts')
  const { dumpState } = await import('./state_dump.ts')
  const device = await openAdapter(adapter)
  try {
    for (const given of testPaths(path, streams.stdin)) {
      const reports: TestReport[] = []
      for (const file of testFiles(given)) {
        const tests = [...testsOfFile(file, pattern)].sort(([a], [b]) => (a < b ? -1 : 1))
        for (const [name, at] of tests) {
          const { forkName, isKnown } = forkOfBlockTest(at)
          if (!isKnown) {
            reports.push(unknownFork(name, forkName))
            continue
          }
          const test = readBlockTest(name, at)
          const { passed, error, stateRoot, state } = await runBlockTest(test, device === undefined ? {} : { device })
          reports.push({
            name: test.name,
            pass: passed,
            stateRoot,
            fork: test.forkName,
            ...(error === undefined ? {} : { error }),
            ...(dump ? { state: dumpState(state) } : {}),
          })
        }
      }
      streams.stdout(reportText(reports, human))
    }
  } finally {
    device?.destroy()
  }
}

export const blockTestCommand = (streams: ToolStreams): ToolCommand<TestArguments> => ({
  command: 'blocktest [path]',
  describe: 'Run Ethereum block tests; the exit code is 0 also where tests fail',
  builder: (parser) => testOptions(parser) as never,
  handler: (options) => run(options, streams),
  flags: TEST_FLAGS,
})
