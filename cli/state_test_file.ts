import { type BlockTest, isBlockTestFile, readBlockTests } from '../host/block/block_test.ts'
import { forkOfTests, TEST_FORKS } from '../host/block/fork_name.ts'
import { parseJson } from '../host/block/json_field.ts'
import { readStateTests, type StateTestEntry } from '../host/block/state_test.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import { openDevice } from '../host/device/device.ts'
import type { TierCounts } from '../host/execute/executor.ts'
import { runBlockTest } from '../host/execute/run_block_test.ts'
import { type StateTestResult, StateTestRunner } from '../host/execute/run_state_test.ts'
import { isFork } from '../transpiler/spec/forks.ts'
import { UserError } from './fail.ts'
import { laneLines } from './state_test_trace.ts'

/** Which tests of the files to run. */
export interface TestChoice {
  readonly fork?: string | undefined
  /** A regular expression that the test's name must have a match of. */
  readonly run?: string | undefined
}

/** What `evm statetest` and `evm blocktest` of go-ethereum give of an entry, and the tiers that executed it. */
export type TestResult = Omit<StateTestResult, 'tier' | 'indexes'> & {
  /** `mixed` where the transactions of a block test went to more than one. */
  readonly tier: StateTestResult['tier'] | 'mixed'
  /** Of a state test. */
  readonly indexes?: StateTestResult['indexes']
  /** Transactions of a block test by tier. */
  readonly tiers?: TierCounts
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

export const isChosen = (
  { name, fork, forkName }: { readonly name: string; readonly fork: string; readonly forkName: string },
  choice: TestChoice,
): boolean =>
  (choice.fork === undefined || choice.fork === forkName || choice.fork === fork) &&
  (choice.run === undefined || new RegExp(choice.run).test(name))

/** What runs the tests of one process. */
export interface OpenRunner {
  readonly stateTests: StateTestRunner
  readonly device: ComputeDevice | undefined
  /** Told each line of a trace of every state test that was executed. */
  readonly onTraceLine: ((line: string) => void) | undefined
  close(): void
}

/** The tier that a run is about (StateTestOptions). */
export type TestTier = 'lane-vm'

/** Where tests run. */
export interface TestPlace {
  /** `none` for the CPU tier alone; without it the best that answers, if any does. */
  readonly adapter: string | undefined
  readonly tier: TestTier | undefined
  /** Traces every state test on the lane VM. */
  readonly onTraceLine?: (line: string) => void
}

export const openRunner = async ({ adapter, tier, onTraceLine }: TestPlace): Promise<OpenRunner> => {
  const device = adapter === 'none' ? undefined : await openAny(adapter)
  if (onTraceLine !== undefined && device === undefined)
    throw new UserError('--trace needs an adapter, and there is none')
  const stateTests = new StateTestRunner({
    ...(device === undefined ? {} : { device }),
    ...(tier === undefined ? {} : { tier }),
  })
  const close = (): void => {
    stateTests.close()
    device?.destroy()
  }
  return { stateTests, device, onTraceLine, close }
}

const openAny = (adapter: string | undefined): Promise<ComputeDevice | undefined> =>
  openDevice(adapter === undefined ? {} : { adapter }).catch((thrown: Error) => {
    if (adapter === undefined && thrown.name === 'NoAdapterError') return undefined
    throw thrown
  })

/** Runs every chosen test of a file. Throws FixtureError where the file has no tests, or malformed ones. */
export const runTestFile = async (
  runner: OpenRunner,
  file: string,
  text: string,
  choice: TestChoice,
): Promise<TestResult[]> => {
  const root = parseJson(file, text, 'JSON of state tests or block tests')
  const results: TestResult[] = []
  if (isBlockTestFile(root)) {
    for (const test of readBlockTests(root))
      if (isChosen(test, choice)) results.push(await blockResult(test, runner.device))
  } else {
    for (const entry of readStateTests(root))
      if (isChosen(entry, choice)) results.push(await stateResult(entry, runner))
  }
  return results
}

const stateResult = async (
  entry: StateTestEntry,
  { stateTests, device, onTraceLine }: OpenRunner,
): Promise<TestResult> => {
  const result = await stateTests.run(entry)
  if (onTraceLine !== undefined && result.tier !== 'rejected') (await laneLines(device!, entry)).forEach(onTraceLine)
  return result
}

const blockResult = async (test: BlockTest, device: ComputeDevice | undefined): Promise<TestResult> => {
  const { passed, error, stateRoot, tiers } = await runBlockTest(test, device === undefined ? {} : { device })
  const used = (Object.keys(tiers) as (keyof TierCounts)[]).filter((tier) => tiers[tier] > 0)
  return {
    name: test.name,
    pass: passed,
    stateRoot,
    fork: test.forkName,
    ...(error === undefined ? {} : { error }),
    tier: used.length === 0 ? 'rejected' : used.length === 1 ? used[0]! : 'mixed',
    file: test.file,
    tiers,
  }
}
