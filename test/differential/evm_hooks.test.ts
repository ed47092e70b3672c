import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import type { StateTestEntry } from '../../conformance/state_test.ts'
import { traceSubject } from '../../conformance/trace_subject.ts'
import { TransactionInputError } from '../../host/chain/encode_batch.ts'
import type { OpcodeStep } from '../../host/index.ts'
import { traceTransactions } from '../../host/index.ts'
import { traceLines } from '../../host/trace/lines.ts'
import { type TraceSubject, traceOnCpu } from '../../host/trace/trace.ts'
import { SLOW_STATE_TESTS, sampleStateTests, stateTestFolders } from '../fixtures/state_test_sample.ts'

const folders = stateTestFolders()
const FILES = process.env['WGEVM_FULL'] === '1' ? 400 : 40
const SEED = 1_201
const MOST_STEPS = 20_000

/** Undefined where the transaction is none. */
const subjectOf = (entry: StateTestEntry): TraceSubject | undefined => {
  try {
    return traceSubject(entry)
  } catch (thrown) {
    if (thrown instanceof TransactionInputError) return undefined
    throw thrown
  }
}

/** The steps as hooks are told of them. */
const hookedSteps = async (subject: TraceSubject): Promise<readonly OpcodeStep[]> => {
  const steps: OpcodeStep[] = []
  const watcher = {
    hooks: {
      step: (step: OpcodeStep) => {
        if (steps.length > MOST_STEPS) throw new Error('too long')
        steps.push({ ...step, stack: [...step.stack] })
      },
    },
  }
  const { batch: transactions, ...ground } = subject
  await traceTransactions({ ...ground, transactions, watch: () => watcher })
  return steps
}

const CALLS: ReadonlySet<number> = new Set([0xf1, 0xf2, 0xf4, 0xfa])
const SSTORE = 0x55
/** What the stack does not allow is told of by hooks alone. */
const isOfStack = ({ error }: OpcodeStep): boolean => error?.startsWith('stack ') === true

const SELFDESTRUCT = 0xff

describe.skipIf(folders.size === 0)('the steps that hooks are told of', () => {
  const random = createRandom(SEED)
  const names = [...folders.keys()].filter((name) => !SLOW_STATE_TESTS.test(name))
  const chosen = Array.from({ length: FILES }, () => names[random.below(names.length)]!)
  const entries: readonly StateTestEntry[] = sampleStateTests(folders, chosen, 1, random)
  let compared = 0
  let costs = 0

  it(`are those of the step events of @ethereumjs/evm, with their costs: seed ${SEED}`, async () => {
    for (const entry of entries) {
      const subject = subjectOf(entry)
      if (subject === undefined) continue
      const plain = await traceOnCpu(subject)
      if ('reason' in plain || plain.steps.length > MOST_STEPS) continue
      const lines = traceLines(plain, subject.fork).map((line) => JSON.parse(line) as { gasCost: string })
      const steps = (await hookedSteps(subject)).filter((step) => !isOfStack(step))
      expect(steps.length, entry.name).toBe(plain.steps.length)
      for (const [n, step] of steps.entries()) {
        const { pc, op, gas, depth, stack, memSize, refund } = plain.steps[n]!
        const own = { pc: step.pc, op: step.op, gas: step.gas, depth: step.depth, stack: step.stack }
        expect({ ...own, memSize: step.memoryBytes }, `${entry.name} step ${n}`).toStrictEqual({
          pc,
          op,
          gas,
          depth,
          stack,
          memSize,
        })
        if (op !== SSTORE) expect(step.refund, `${entry.name} refund ${n}`).toBe(BigInt(refund))
        const next = steps[n + 1]
        const isOpen = next !== undefined && next.depth === depth
        if (step.error === undefined && isOpen && !CALLS.has(op) && op !== 0xf0 && op !== 0xf5) {
          expect(step.cost, `${entry.name} cost ${n}`).toBe(BigInt(lines[n]!.gasCost))
          costs++
        }
        if (
          (CALLS.has(op) && next?.depth === depth + 1) ||
          (op === SELFDESTRUCT && plain.steps[n]!.cost !== undefined)
        ) {
          expect(step.cost, `${entry.name} cost of call or end ${n}`).toBe(BigInt(lines[n]!.gasCost))
          costs++
        }
        compared++
      }
    }
    expect(compared).toBeGreaterThan(1000)
    expect(costs).toBeGreaterThan(800)
  }, 60_000)
})
