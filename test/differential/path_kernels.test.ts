import { expect, test } from 'vitest'
import { PRELUDE } from '../../kernels/linked.generated.ts'
import { PART_COMPILE_MS } from '../../transpiler/emit/parts.ts'
import type { PathIr } from '../../transpiler/ir/path_ir.ts'
import { printPath } from '../../transpiler/ir/text.ts'
import { memoOf } from '../../transpiler/layout/memo.ts'
import { EXIT_MISS, type PathKernel } from '../../transpiler/path_kernel.ts'
import { recordPath } from '../../transpiler/record/record.ts'
import { lowerPath, PASSES } from '../../transpiler/transpile.ts'
import { type Evaluation, evaluatePath } from '../fixtures/evaluate_path.ts'
import { laneResult, type PathLane, pathBuffers, type Tables, tablesOf } from '../fixtures/path_lanes.ts'
import { type Lane, perturbedLane, randomLane } from '../fixtures/random_lanes.ts'
import { Random, randomProgram, sourceOf } from '../fixtures/random_programs.ts'
import { account, recordState, type World } from '../fixtures/world.ts'
import { describeOnAdapters } from '../kernel/rig.ts'

const RUNS = Number(process.env['WGEVM_RUNS'] ?? 8)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)
const LANES = 64
/** Estimated code size of a kernel that these tests compile: a few seconds on lavapipe, more on slower compilers. */
const MOST_COMPILE_MS = 3000

interface Subject {
  readonly seed: number
  readonly source: string
  readonly path: PathIr
  readonly lanes: readonly Lane[]
}

/** Recorded paths of random programs that look state up, hash or divide, each with lanes that share state and block. */
const subjects = async (): Promise<readonly Subject[]> => {
  const found: Subject[] = []
  for (let seed = FIRST_SEED; found.length < RUNS; seed++) {
    const program = randomProgram(new Random(seed))
    const random = new Random(seed ^ 0x1a9e5)
    const own = randomLane(random, program)
    const recorded = await recordPath(own.transaction, recordState(own.world, own.transaction.fork))
    if (recorded.kind === 'unsupported') continue
    const path = PASSES.reduce((stage, pass) => pass.run(stage), recorded.path)
    const { compileMs } = lowerPath(path, { steps: 0, recordedValues: 0 }).report
    if (compileMs > MOST_COMPILE_MS || path.values.length < 15) continue
    const lanes = Array.from({ length: LANES }, (_, i): Lane => {
      if (i === 0) return own
      const { transaction } = perturbedLane(random, own)
      return { world: own.world, transaction: { ...transaction, environment: own.transaction.environment } }
    })
    const source = program.contracts.map((contract, i) => `contract ${i}:\n${sourceOf(contract)}`).join('\n')
    found.push({ seed, source, path, lanes })
  }
  return found
}

const SLOT_NAME = /^([0-9a-f]+)\/([0-9a-f]+)$/

/** Tables with every account and slot that a look-up of these evaluations asks for, without those in `leftOut`. */
const tablesFor = (world: World, entry: bigint, evaluations: readonly Evaluation[], leftOut?: string): Tables => {
  const lookups = new Set(evaluations.flatMap((evaluation) => evaluation.lookups))
  const addresses = new Set([entry])
  const slots: { address: bigint; key: bigint }[] = []
  const memos = new Map(evaluations.flatMap((evaluation) => [...evaluation.memos]))
  for (const lookup of lookups) {
    if (lookup === leftOut || memos.has(lookup)) continue
    const match = SLOT_NAME.exec(lookup)
    const address = BigInt(`0x${match?.[1] ?? lookup}`)
    addresses.add(address)
    if (match !== null) slots.push({ address, key: BigInt(`0x${match[2]}`) })
  }
  const kept = [...memos].flatMap(([name, memo]) => (name === leftOut ? [] : [memo]))
  return tablesOf(world, [...addresses], slots, kept)
}

/** Checks what the device wrote for a lane against the evaluation of the path. */
const expectLane = (kernel: PathKernel, result: ReturnType<typeof laneResult>, evaluation: Evaluation): void => {
  const { failed, outcome } = evaluation
  if (failed.length === 0) expect(result).toMatchObject({ exit: 0, outcome })
  else expect(failed.map((guard) => guard.meaning)).toContain(kernel.guards[result.exit - 1]?.meaning)
}

const withSlot = (world: World, address: bigint, key: bigint, value: bigint): World => {
  const record = world.get(address) ?? account()
  return new Map([...world, [address, account({ ...record, storage: new Map([...record.storage, [key, value]]) })]])
}

describeOnAdapters('path kernels', (rig) => {
  test.each([PART_COMPILE_MS, 1])(
    `compute what path IR means, in parts of %d ms, for ${RUNS} random programs`,
    async (partCompileMs) => {
      let held = 0
      let missed = 0
      for (const { seed, source, path, lanes } of await subjects()) {
        const kernel = lowerPath(path, { steps: 0, recordedValues: 0 }, { partCompileMs })
        const label = `${kernel.parts.length} parts seed ${seed}`
        const { world, transaction } = lanes[0]!
        const run = async (tables: Tables, batch: readonly PathLane[]) => {
          const buffers = pathBuffers(kernel, tables, batch)
          const parts = batch[0]!.hints === undefined ? kernel.parts : kernel.hintedParts
          const wgsl = parts.map((part) => `${PRELUDE}\n${part}`)
          const [out] = await rig.run({
            label,
            wgsl,
            entryPoint: kernel.entryPoint,
            buffers,
            invocations: batch.length,
          })
          return batch.map((lane, i) => laneResult(kernel, tables, lane, i, batch.length, out!))
        }
        const explain = (lane: number): string => `${label}, lane ${lane}\n${source}\n${printPath(path)}`
        const evaluations = lanes.map((lane) => evaluatePath(path, world, lane.transaction))

        const tables = tablesFor(world, transaction.to, evaluations)
        const results = await run(tables, lanes)
        results.forEach((result, lane) => {
          try {
            expectLane(kernel, result, evaluations[lane]!)
          } catch (error) {
            throw new Error(explain(lane), { cause: error })
          }
          if (result.exit === 0) held++
        })

        const slotLookups = kernel.lookups.flatMap((lookup, i) => (lookup.kind === 'slot' ? [i] : []))
        if (slotLookups.length === 0) continue
        const random = new Random(seed)

        // Versions inside the batch: every second lane is told another value for the slots that it looks up.
        const hinted = lanes.map((lane, index): { lane: PathLane; world: World } => {
          let changed: World = world
          const told = new Map<number, bigint>()
          const hints = slotLookups.map((lookup) => {
            const slot = results[index]!.ids[lookup]!
            const place = tables.slots[slot]!
            if (memoOf(place.account) !== undefined) return { slot: slot + 1, value: 12345n }
            const value = told.get(slot) ?? (index % 2 === 0 ? BigInt(random.below(4)) : place.value)
            told.set(slot, value)
            changed = withSlot(changed, tables.accounts[place.account]!.address, place.key, value)
            return index % 2 === 0 ? { slot, value } : { slot: slot + 1, value: 12345n }
          })
          return { lane: { transaction: lane.transaction, hints }, world: changed }
        })
        const batch = hinted.map(({ lane }) => lane)
        for (const [index, result] of (await run(tables, batch)).entries()) {
          // A hint that names another slot may be another look-up's own: such lanes say nothing.
          // One that exited does not know all its slots.
          if (index % 2 === 1 || results[index]!.exit !== 0) continue
          const evaluation = evaluatePath(path, hinted[index]!.world, lanes[index]!.transaction)
          try {
            expectLane(kernel, result, evaluation)
          } catch (error) {
            throw new Error(`with hints: ${explain(index)}`, { cause: error })
          }
        }

        // A slot that is not in the tables: the lanes that look it up miss, and say which key.
        const absent = evaluations[0]!.lookups.filter((lookup) => SLOT_NAME.test(lookup)).at(-1)!
        const fewer = tablesFor(world, transaction.to, evaluations, absent)
        const partial = await run(fewer, lanes)
        partial.forEach((result, lane) => {
          const misses = evaluations[lane]!.lookups.includes(absent)
          if (!misses) expect(result.exit, explain(lane)).not.toBe(EXIT_MISS)
          else if (result.exit === EXIT_MISS) missed++
          // A lane that fails a guard in an early part ends there, before it looks the slot up.
          else {
            expect(evaluations[lane]!.failed.length, explain(lane)).toBeGreaterThan(0)
            expectLane(kernel, result, evaluations[lane]!)
          }
        })
      }
      expect(held).toBeGreaterThan((RUNS * LANES) / 4)
      expect(missed).toBeGreaterThan(RUNS)
    },
  )
})
