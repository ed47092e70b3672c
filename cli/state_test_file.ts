import { type BlockTest, forkOfBlockTest, readBlockTest } from '../conformance/block_test.ts'
import { forkOfTests, TEST_FORKS } from '../conformance/fork_name.ts'
import { type At, entriesOf, objectOf, parseJson } from '../conformance/json_field.ts'
import { runBlockTest } from '../conformance/run_block_test.ts'
import { type StateTestResult, StateTestRunner } from '../conformance/run_state_test.ts'
import { readStateTest, type StateTestEntry } from '../conformance/state_test.ts'
import type { ComputeDevice } from '../host/device/compute_device.ts'
import { openDevice } from '../host/device/device.ts'
import type { TierCounts } from '../host/flows/execution_result.ts'
import { isFork } from '../transpiler/spec/forks.ts'
import { UserError } from './fail.ts'
import { kindOfTest, type SkippedTests, type TestKind } from './state_test_kind.ts'
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
  /** Each state test that was executed is traced on the lane VM, to stderr. */
  readonly trace: boolean
  close(): void
}

/** The tier that a run is about (StateTestOptions). */
export type TestTier = 'lane-vm'

/** Where tests run. */
export interface TestSetting {
  /** `none` for the CPU tier alone; without it the best that answers, if any does. */
  readonly adapter: string | undefined
  readonly tier: TestTier | undefined
  readonly trace: boolean
}

export const openRunner = async ({ adapter, tier, trace }: TestSetting): Promise<OpenRunner> => {
  const device = adapter === 'none' ? undefined : await openAny(adapter)
  if (tier !== undefined && device === undefined)
    throw new UserError(`--tier ${tier} needs an adapter, and there is none`)
  if (trace && device === undefined) throw new UserError('--trace needs an adapter, and there is none')
  const stateTests = new StateTestRunner({
    ...(device === undefined ? {} : { device }),
    ...(tier === undefined ? {} : { tier }),
  })
  const close = (): void => {
    stateTests.close()
    device?.destroy()
  }
  return { stateTests, device, trace, close }
}

const openAny = (adapter: string | undefined): Promise<ComputeDevice | undefined> =>
  openDevice(adapter === undefined ? {} : { adapter }).catch((thrown: Error) => {
    if (adapter === undefined && thrown.name === 'NoAdapterError') return undefined
    throw thrown
  })

/** Told of each test of a file as soon as it was run, or left out. */
export interface TestListener {
  result(result: TestResult): void
  skipped(skipped: SkippedTests): void
}

/**
 * Runs every chosen test of a file. Tests of another kind, and of forks without rules here, are left out. Throws
 * FixtureError for what is no JSON and for a malformed state test or block test, with the tests before it done.
 */
export const runTestFile = async (
  runner: OpenRunner,
  { name: file, text }: { readonly name: string; readonly text: string },
  choice: TestChoice,
  listener: TestListener,
): Promise<void> => {
  const tests = testsOf(parseJson(file, text, 'JSON of state tests or block tests'))
  const skip = (reason: string, count: number): void => listener.skipped({ file, reason, count })
  if (tests.length === 0) skip('other JSON', 1)
  const others = new Map<TestKind, number>()
  for (const [name, at] of tests) {
    const kind = kindOfTest(at.value)
    if (kind === 'state tests') {
      const entries = readStateTest(name, objectOf(at), (fork, count) => skip(unknownFork('entries', fork), count))
      for (const entry of entries) {
        if (isChosen(entry, choice)) listener.result(await stateResult(entry, runner))
      }
    } else if (kind === 'block tests') {
      const { forkName, isKnown } = forkOfBlockTest(objectOf(at))
      if (!isKnown) skip(unknownFork('block tests', forkName), 1)
      else {
        const test = readBlockTest(name, objectOf(at))
        if (isChosen(test, choice)) listener.result(await blockResult(test, runner.device))
      }
    } else others.set(kind, (others.get(kind) ?? 0) + 1)
  }
  for (const [kind, count] of others) skip(kind, count)
}

/** What a file of tests has by name; nothing where its JSON is no object. */
export const testsOf = (root: At): readonly (readonly [string, At])[] => {
  const { value } = root
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? entriesOf(objectOf(root)) : []
}

const unknownFork = (what: string, forkName: string): string => `${what} of the unknown fork ${forkName}`

const stateResult = async (entry: StateTestEntry, { stateTests, device, trace }: OpenRunner): Promise<TestResult> => {
  const result = await stateTests.run(entry)
  if (trace && result.tier !== 'rejected') {
    for (const line of await laneLines(device!, entry)) process.stderr.write(`${line}\n`)
  }
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
