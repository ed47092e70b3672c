import type { CommandModule } from 'yargs'
import { FixtureError, objectOf, parseJson } from '../../conformance/json_field.ts'
import { readStateTest } from '../../conformance/state_test.ts'
import { openDevice } from '../../host/device/device.ts'
import { UserError } from '../fail.ts'
import { checkChoice, isChosen, testsOf } from '../state_test_file.ts'
import { kindOfTest } from '../state_test_kind.ts'
import { testFiles } from '../state_test_source.ts'
import { compareEntry } from '../state_test_trace.ts'

interface DiffTraceArguments {
  input: string
  fork: string | undefined
  run: string | undefined
  adapter: string | undefined
}

const run = async ({ input, fork, run: pattern, adapter }: DiffTraceArguments): Promise<void> => {
  const choice = { fork, run: pattern }
  checkChoice(choice)
  const tests = testFiles([input]).flatMap(({ name, read }) =>
    testsOf(parseJson(name, read(), 'JSON of state tests')).filter(
      ([, { value }]) => kindOfTest(value) === 'state tests',
    ),
  )
  if (tests.length === 0) throw new FixtureError(input, '', 'expected state tests, found none')
  // Forks without rules here have nothing to compare.
  const entries = tests
    .flatMap(([name, at]) => readStateTest(name, objectOf(at), () => {}))
    .filter((entry) => isChosen(entry, choice))
  if (entries.length === 0) throw new UserError(`no state test of ${input} fits --fork and --run`)
  const device = await openDevice(adapter === undefined ? {} : { adapter })
  try {
    for (const entry of entries) {
      const { differs, lines } = await compareEntry(device, entry)
      process.stdout.write(`${lines.join('\n')}\n`)
      if (differs) process.exitCode = 1
    }
  } finally {
    device.destroy()
  }
}

export const diffTraceCommand: CommandModule<object, DiffTraceArguments> = {
  command: 'difftrace <input>',
  describe: 'Run state tests step by step on the lane VM and in @ethereumjs/evm, and print the first step that differs',
  builder: (parser) =>
    parser
      .positional('input', {
        type: 'string',
        demandOption: true,
        describe: 'a JSON file, an archive or a folder of state tests',
      })
      .option('fork', { type: 'string', describe: 'only this fork, as Prague' })
      .option('run', { type: 'string', describe: 'only tests whose name matches this regular expression' })
      .option('adapter', { type: 'string', describe: 'gpu, lavapipe, swiftshader, or a part of a name' })
      .strict(),
  handler: run,
}
