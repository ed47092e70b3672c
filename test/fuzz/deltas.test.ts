import { expect, test } from 'vitest'
import type { DeltaConditionName, PathIr, StoreEffect } from '../../transpiler/ir/path_ir.ts'
import { printPath } from '../../transpiler/ir/text.ts'
import { verifyPath } from '../../transpiler/ir/verify.ts'
import { findDeltas } from '../../transpiler/passes/find_deltas.ts'
import { recordPath } from '../../transpiler/record/record.ts'
import { PASSES } from '../../transpiler/transpile.ts'
import { EDGE_WORDS } from '../fixtures/edge_words.ts'
import { type Evaluation, evaluatePath } from '../fixtures/evaluate_path.ts'
import { type Lane, randomLane } from '../fixtures/random_lanes.ts'
import { Random, randomProgram, sourceOf } from '../fixtures/random_programs.ts'
import { account, recordState, type World } from '../fixtures/world.ts'

const RUNS = Number(process.env['WGEVM_RUNS'] ?? 300)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)
const WORD = 1n << 256n

const withSlot = (world: World, address: bigint, key: bigint, value: bigint): World => {
  const record = world.get(address) ?? account()
  return new Map([...world, [address, account({ ...record, storage: new Map([...record.storage, [key, value]]) })]])
}

/** True where the slot may hold `current` for the path's outcome to be the same, as path_kernel.ts says. */
const meetsConditions = (store: StoreEffect, amount: bigint, read: bigint, current: bigint): boolean => {
  const { sign, conditions } = store.delta!
  const moved = (value: bigint): bigint => BigInt.asUintN(256, value + BigInt(sign) * amount)
  const meets: Readonly<Record<DeltaConditionName, boolean>> = {
    noUnderflow: current >= amount,
    noOverflow: current + amount < WORD,
    sameZeroness: (current === 0n) === (read === 0n) && (moved(current) === 0n) === (moved(read) === 0n),
  }
  return conditions.every((condition) => meets[condition])
}

const slotOf = (path: PathIr, evaluation: Evaluation, store: StoreEffect): { address: bigint; key: bigint } => {
  const slots = path.values.flatMap((value, id) => (value.op === 'slot' ? [id] : []))
  const lookups = evaluation.lookups.filter((lookup) => lookup.includes('/') || evaluation.memos.has(lookup))
  const [address, key] = lookups[slots.indexOf(store.slot)]!.split('/') as [string, string]
  return { address: BigInt(`0x${address}`), key: BigInt(`0x${key}`) }
}

/** Checks every delta of a path on the lane that it was recorded from; how many values were tried. */
const checkDeltas = (plain: PathIr, path: PathIr, { world, transaction }: Lane): number => {
  const evaluation = evaluatePath(path, world, transaction)
  const { writes: _, ...rest } = evaluation.outcome
  let tried = 0
  for (const store of path.effects) {
    if (store.kind !== 'store' || store.delta === undefined) continue
    const { address, key } = slotOf(path, evaluation, store)
    const read = world.get(address)?.storage.get(key) ?? 0n
    const amount = evaluation.values[store.value]!
    const near = [amount - 1n, amount, amount + 1n, WORD - amount - 1n, WORD - amount].filter(
      (word) => word >= 0n && word < WORD,
    )
    expect(meetsConditions(store, amount, read, read), 'the recorded lane meets its own conditions').toBe(true)
    for (const current of [...near, ...EDGE_WORDS]) {
      if (!meetsConditions(store, amount, read, current)) continue
      tried++
      const other = evaluatePath(plain, withSlot(world, address, key, current), transaction)
      expect(
        other.failed.map((guard) => guard.meaning),
        `${current} for ${read}: ${printPath(path)}`,
      ).toEqual([])
      const { writes, ...otherRest } = other.outcome
      expect(otherRest).toEqual(rest)
      const after = BigInt.asUintN(256, current + BigInt(store.delta.sign) * amount)
      const name = `${address.toString(16)}/${key.toString(16)}`
      expect(new Map(writes).get(name) ?? current).toBe(after)
    }
  }
  return tried
}

test(`deltas of ${RUNS} random programs give the same outcome for every value that meets their conditions`, async () => {
  let deltas = 0
  let tried = 0
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const program = randomProgram(new Random(seed))
    const lane = randomLane(new Random(seed ^ 0x1a9e5), program)
    const recorded = await recordPath(lane.transaction, recordState(lane.world, lane.transaction.fork))
    if (recorded.kind === 'unsupported') continue
    const plain = PASSES.filter((pass) => pass.run !== findDeltas).reduce((path, pass) => pass.run(path), recorded.path)
    const path = findDeltas(plain)
    verifyPath(path)
    deltas += path.effects.filter((effect) => effect.kind === 'store' && effect.delta !== undefined).length
    try {
      tried += checkDeltas(plain, path, lane)
    } catch (error) {
      const sources = program.contracts.map((contract, i) => `contract ${i}:\n${sourceOf(contract)}`).join('\n')
      throw new Error(`seed ${seed}\n${sources}`, { cause: error })
    }
  }
  console.info(`${deltas} deltas, ${tried} values tried`)
  expect(deltas).toBeGreaterThan(RUNS / 30)
})
