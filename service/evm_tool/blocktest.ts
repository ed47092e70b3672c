import { readFileSync } from 'node:fs'
import type { CommandModule } from 'yargs'
import { parseBlockTests } from '../../conformance/block_test.ts'
import { reportText, type TestReport } from './report.ts'
import { patternOf, type TestArguments, testFiles, testOptions, testPaths } from './test_input.ts'
import { readTextOf, type ToolStreams } from './tool_streams.ts'

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
        const tests = parseBlockTests(
          file,
          readTextOf(file, () => readFileSync(file, 'utf8')),
        ).filter(({ name }) => pattern.test(name))
        for (const test of tests.sort((a, b) => (a.name < b.name ? -1 : 1))) {
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

export const blockTestCommand = (streams: ToolStreams): CommandModule<object, TestArguments> => ({
  command: 'blocktest [path]',
  describe: 'Run Ethereum block tests; the exit code is 0 also where tests fail',
  builder: (parser) => testOptions(parser) as never,
  handler: (options) => run(options, streams),
})
