import { forkOfTests, TEST_FORKS } from '../host/block/fork_name.ts'
import { FixtureError, parseJson } from '../host/block/json_field.ts'
import { isStateTestFile, readStateTests, type StateTestEntry } from '../host/block/state_test.ts'
import { openDevice } from '../host/device/device.ts'
import { type StateTestOptions, type StateTestResult, StateTestRunner } from '../host/execute/run_state_test.ts'
import { isFork } from '../transpiler/spec/forks.ts'
import { UserError } from './fail.ts'

/** Which tests of the files to run. */
export interface TestChoice {
  readonly fork?: string | undefined
  /** A regular expression that the test's name must have a match of. */
  readonly run?: string | undefined
}

export interface FileResult {
  readonly results: readonly StateTestResult[]
}

/** Throws UserError for a choice that cannot be meant. */
export const checkChoice = ({ fork, run }: TestChoice): void => {
  if (fork !== undefined && forkOfTests(fork) === undefined && !isFork(fork)) {
    throw new UserError(`unknown fork '${fork}'; there is ${TEST_FORKS.join(', ')}`)
  }
  if (run === undefined) return
  try {
    new RegExp(run)
  } catch (thrown) {
    throw new UserError(`--run takes a regular expression: ${(thrown as Error).message}`)
  }
}

const isChosen = ({ name, fork, forkName }: StateTestEntry, choice: TestChoice): boolean =>
  (choice.fork === undefined || choice.fork === forkName || choice.fork === fork) &&
  (choice.run === undefined || new RegExp(choice.run).test(name))

/** The runner of one process. `adapter` is `none` for the CPU tier alone; without it the best that answers, if any does. */
export const openRunner = async (adapter: string | undefined): Promise<OpenRunner> => {
  if (adapter === 'none') return { runner: new StateTestRunner(), close: () => {} }
  const device = await openDevice(adapter === undefined ? {} : { adapter }).catch((thrown: Error) => {
    if (adapter === undefined && thrown.name === 'NoAdapterError') return undefined
    throw thrown
  })
  const options: StateTestOptions = device === undefined ? {} : { device }
  return { runner: new StateTestRunner(options), close: () => device?.destroy() }
}

export interface OpenRunner {
  readonly runner: StateTestRunner
  close(): void
}

/** Runs every chosen test of a file. Throws FixtureError where the file has no tests, or malformed ones. */
export const runTestFile = async (
  runner: StateTestRunner,
  file: string,
  text: string,
  choice: TestChoice,
): Promise<StateTestResult[]> => {
  const root = parseJson(file, text, 'JSON of state tests')
  if (!isStateTestFile(root)) {
    throw new FixtureError(file, '', 'expected state tests (objects with `env`, `pre`, `transaction` and `post`)')
  }
  const results: StateTestResult[] = []
  for (const entry of readStateTests(root)) if (isChosen(entry, choice)) results.push(await runner.run(entry))
  return results
}
