import { expect, test } from 'vitest'
import type { PathIr } from '../../transpiler/ir/path_ir.ts'
import { parsePath, printPath } from '../../transpiler/ir/text.ts'
import { verifyPath } from '../../transpiler/ir/verify.ts'
import { recordPath } from '../../transpiler/record/record.ts'
import { PASSES } from '../../transpiler/transpile.ts'
import { callOracle } from '../fixtures/call_oracle.ts'
import { evaluatePath } from '../fixtures/evaluate_path.ts'
import { type Lane, perturbedLane, randomLane } from '../fixtures/random_lanes.ts'
import { Random, type RandomProgram, randomProgram, smallerPrograms, sourceOf } from '../fixtures/random_programs.ts'
import { recordState } from '../fixtures/world.ts'

const RUNS = Number(process.env['WGEVM_RUNS'] ?? 300)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)
const PERTURBED_LANES = 5

interface Tally {
  recorded: number
  refused: Map<string, number>
  held: number
  exited: number
}

const newTally = (): Tally => ({ recorded: 0, refused: new Map(), held: 0, exited: 0 })

const stagesOf = (path: PathIr): readonly PathIr[] => {
  const stages = [path]
  for (const pass of PASSES) stages.push(pass.run(stages.at(-1)!))
  return stages
}

/** Checks one lane; the differences, or undefined. `own`: the lane that was recorded, which may not exit. */
const checkLane = async (stages: readonly PathIr[], lane: Lane, own: boolean, tally: Tally): Promise<string> => {
  const { world, transaction } = lane
  const evaluations = stages.map((path) => evaluatePath(path, world, transaction))
  const last = evaluations.at(-1)!
  const exits = evaluations.map(({ failed, covered }) => failed.length > 0 || !covered)
  if (exits.some((exit) => exit !== exits[0])) return `the passes change which lanes exit: ${exits}`
  if (exits[0] === true) {
    tally.exited++
    return own ? `exits on the recorded transaction: ${last.failed[0]?.meaning ?? 'no funds'}` : ''
  }
  tally.held++
  const expected = await callOracle(world, transaction)
  for (const [index, { outcome }] of evaluations.entries()) {
    const [ours, theirs] = [outcome, expected].map((side) => print(side))
    if (ours !== theirs) return `stage ${index} differs\n  ours   ${ours}\n  theirs ${theirs}`
  }
  return ''
}

const print = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `0x${part.toString(16)}` : part))

/** The first thing that is wrong with a program on the lanes of this seed, or the empty string. */
const checkProgram = async (program: RandomProgram, seed: number, tally: Tally): Promise<string> => {
  const random = new Random(seed ^ 0x1a9e5)
  const lane = randomLane(random, program)
  const recorded = await recordPath(lane.transaction, recordState(lane.world, lane.transaction.fork))
  if (recorded.kind === 'unsupported') {
    tally.refused.set(recorded.reason, (tally.refused.get(recorded.reason) ?? 0) + 1)
    return ''
  }
  tally.recorded++
  const stages = stagesOf(recorded.path)
  for (const path of stages) {
    verifyPath(path)
    if (printPath(parsePath(printPath(path))) !== printPath(path)) return 'the text form does not round-trip'
  }
  const own = await checkLane(stages, lane, true, tally)
  if (own !== '') return own
  const { gas } = evaluatePath(recorded.path, lane.world, lane.transaction).outcome
  const lanes = Array.from({ length: PERTURBED_LANES }, () => perturbedLane(random, lane))
  for (const change of [0, -1, 1, 700]) {
    lanes.push({ world: lane.world, transaction: { ...lane.transaction, gas: Math.max(1, gas + change) } })
  }
  for (const other of lanes) {
    const wrong = await checkLane(stages, other, false, tally)
    if (wrong !== '') return `${wrong}\n  on ${print({ ...other.transaction, environment: 0 })}`
  }
  return ''
}

const check = async (program: RandomProgram, seed: number, tally = newTally()): Promise<string> => {
  try {
    return await checkProgram(program, seed, tally)
  } catch (error) {
    return String(error instanceof Error ? error.stack : error)
  }
}

const kindOf = (wrong: string): string => wrong.split('\n', 1)[0]!.replace(/\d+/g, '')

/** A program that fails in the same way and from which nothing more can be left out. */
const minimised = async (program: RandomProgram, seed: number, kind: string): Promise<RandomProgram> => {
  for (const smaller of smallerPrograms(program)) {
    if (kindOf(await check(smaller, seed)) === kind) return minimised(smaller, seed, kind)
  }
  return program
}

test(`the paths of ${RUNS} random programs from seed ${FIRST_SEED} hold where they do not exit`, async () => {
  const tally = newTally()
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const program = randomProgram(new Random(seed))
    const wrong = await check(program, seed, tally)
    if (wrong === '') continue
    const small = await minimised(program, seed, kindOf(wrong))
    const sources = small.contracts.map((contract, i) => `contract ${i}:\n${sourceOf(contract)}`).join('\n')
    expect.fail(`seed ${seed} at ${small.fork}: ${await check(small, seed)}\n${sources}`)
  }
  const refused = [...tally.refused].map(([reason, count]) => `${reason} ${count}`).join(', ')
  console.info(
    `${tally.recorded} paths of ${RUNS} programs, ${tally.held} lanes held, ${tally.exited} exited; refused: ${refused}`,
  )
  expect(tally.recorded, 'most programs must record').toBeGreaterThan(RUNS / 2)
  expect(tally.held, 'lanes other than the recorded one must hold').toBeGreaterThan(2 * tally.recorded)
  expect(tally.exited, 'some lanes must exit').toBeGreaterThan(tally.recorded / 4)
})
