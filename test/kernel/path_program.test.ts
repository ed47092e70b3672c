import { expect, test } from 'vitest'
import { PRELUDE } from '../../kernels/linked.generated.ts'
import type { PathIr } from '../../transpiler/ir/path_ir.ts'
import { parsePath } from '../../transpiler/ir/text.ts'
import { verifyPath } from '../../transpiler/ir/verify.ts'
import { PROGRAM_SCRATCH_VECTORS } from '../../transpiler/layout/program.ts'
import { EXIT_MISS, type PathKernel } from '../../transpiler/path_kernel.ts'
import { PROGRAM_ROWS } from '../../transpiler/program/rows.ts'
import { programFault } from '../../transpiler/program/verify.ts'
import { bytesToWord } from '../../transpiler/skeleton.ts'
import { lowerPath } from '../../transpiler/transpile.ts'
import { evaluatePath } from '../fixtures/evaluate_path.ts'
import { laneResult, type PathLane, pathBuffers, tablesOf } from '../fixtures/path_lanes.ts'
import { pathSubjects, subjectText } from '../fixtures/path_subjects.ts'
import { type ProgramLanes, runPrograms, runWave } from '../fixtures/program_lanes.ts'
import { loggingPath, OPERATION_PATHS, operandLanes } from '../fixtures/program_paths.ts'
import { Random } from '../fixtures/random_programs.ts'
import { SLOT_NAME, tablesFor, withSlot } from '../fixtures/subject_tables.ts'
import { abi, ENTRY, transaction, worldOf } from '../fixtures/world.ts'
import { describeOnAdapters, wordAt } from './rig.ts'

const SUBJECTS = Number(process.env['WGEVM_RUNS'] ?? 24)

const kernelOf = (path: PathIr): PathKernel => {
  const kernel = lowerPath(path, { steps: 0, recordedValues: 0 })
  expect(kernel.program).toBeDefined()
  expect(programFault(kernel.program!, kernel)).toBeUndefined()
  return kernel
}

test('every row of the program table is the operation of a tested path', () => {
  const used = new Set(OPERATION_PATHS.flatMap(([, path]) => path.values.map(({ op }) => op)))
  const ofState = ['address', 'balance', 'exists', 'hascode']
  expect([...PROGRAM_ROWS.keys()].filter((op) => !used.has(op))).toEqual(ofState)
})

describeOnAdapters('path programs', (rig) => {
  test('compute every operation as its eval, all paths in one dispatch', async () => {
    const world = worldOf(new Uint8Array(0))
    const tables = tablesOf(world, [ENTRY], [])
    const all = operandLanes()
    const items = OPERATION_PATHS.map(([, path], i): ProgramLanes => {
      // Groups of every size: some end inside a workgroup, some have one lane.
      const count = i % 3 === 0 ? all.length : Math.max(1, all.length - 13 * i)
      return { kernel: kernelOf(path), lanes: i === 1 ? all.slice(300, 301) : all.slice(0, count) }
    })
    const results = await runPrograms(rig, tables, items)
    items.forEach(({ kernel, lanes }, item) => {
      const [name, path] = OPERATION_PATHS[item]!
      const wrong: string[] = []
      lanes.forEach((lane, index) => {
        const { outcome } = evaluatePath(path, world, lane.transaction)
        const result = laneResult(kernel, tables, lane, index, lanes.length, results[item]!)
        if (result.exit !== 0 || result.outcome.logs[0]!.data !== outcome.logs[0]!.data) {
          wrong.push(
            `${name}, lane ${index}: ${result.exit} ${result.outcome.logs[0]?.data}, not ${outcome.logs[0]!.data}`,
          )
        }
      })
      expect(wrong.slice(0, 3)).toEqual([])
    })
  })

  test('the exit is the first guard that fails, in order', async () => {
    const path = parsePath(`path prague skeleton=none selector=1 calldata=100 value=zero
      v0:u256 = calldata 4
      v1:u256 = calldata 36
      v2:u32 = gas
      v3:bool = lt v0 v1
      v4:bool = iszero v0
      v5:bool = iszero v4
      v6:u256 = add v0 v1
      v7:bool = eq v6 v1
      v8:bool = iszero v7
      guard v3 pc=0 depth=0 "less"
      guard v5 pc=1 depth=0 "not zero"
      guard v8 pc=2 depth=0 "the sum is another"
      guard v3 pc=3 depth=0 "less again"
      end success gas=v2 refund=v2 bytes=0 []`)
    verifyPath(path)
    const kernel = kernelOf(path)
    const world = worldOf(new Uint8Array(0))
    const cases = [
      [1n, 2n],
      [2n, 1n],
      [0n, 1n],
      [0n, 0n],
      [5n, 5n],
    ]
    const lanes = cases.map((words): PathLane => ({ transaction: transaction({ data: abi(1, ...words, 0n) }) }))
    const tables = tablesOf(world, [ENTRY], [])
    const [out] = await runPrograms(rig, tables, [{ kernel, lanes }])
    const exits = lanes.map((lane, i) => laneResult(kernel, tables, lane, i, lanes.length, out!).exit)
    expect(exits).toEqual([0, 1, 2, 1, 1])
  })

  test('a guard before the first miss wins, one after it waits for the key', async () => {
    const path = parsePath(`path prague skeleton=none selector=1 calldata=68 value=zero
      v0:u256 = calldata 4
      v1:u256 = calldata 36
      v2:u32 = gas
      v3:u32 = entry
      v4:bool = lt v0 v1
      v5:u32 = slot v3 v0
      v6:u256 = load v5
      v7:bool = lt v0 v6
      guard v4 pc=0 depth=0 "needs no state"
      guard v7 pc=1 depth=0 "needs the slot"
      end success gas=v2 refund=v2 bytes=0 []`)
    verifyPath(path)
    const kernel = kernelOf(path)
    const world = worldOf(new Uint8Array(0), [
      [1n, 5n],
      [2n, 1n],
    ])
    const tables = tablesOf(
      world,
      [ENTRY],
      [
        { address: ENTRY, key: 1n },
        { address: ENTRY, key: 2n },
      ],
    )
    // Slots 1 and 2 are in the tables, slots 3 and 4 are not.
    const cases = [
      [1n, 9n],
      [2n, 9n],
      [3n, 9n],
      [4n, 1n],
    ]
    const lanes = cases.map((words): PathLane => ({ transaction: transaction({ data: abi(1, ...words) }) }))
    const [out] = await runPrograms(rig, tables, [{ kernel, lanes }])
    const exits = lanes.map((lane, i) => laneResult(kernel, tables, lane, i, lanes.length, out!).exit)
    expect(exits).toEqual([0, 2, EXIT_MISS, 1])
    const { keyColumn } = kernel.lookups[0]!
    expect([2, 3].map((lane) => keyAt(out!, lanes.length, keyColumn, lane))).toEqual([3n, 4n])
  })

  test('every workgroup has scratch of its own', async () => {
    const path = loggingPath([`v6:u256 = keccak 160 v0 v1 v2 v0 v1`], ['v6'])
    const kernel = kernelOf(path)
    const lanes = operandLanes().slice(0, 200)
    const tables = tablesOf(worldOf(new Uint8Array(0)), [ENTRY], [])
    const { wave, lanesOut } = await runWave(rig, tables, [{ kernel, lanes }])
    const { scratch } = wave.groups[0]!
    const perWorkgroup = kernel.program!.scratch * PROGRAM_SCRATCH_VECTORS
    const firstWords = lanes.map((_, lane) => {
      const low = 4 * (scratch + Math.floor(lane / 64) * perWorkgroup + (lane % 64))
      const high = low + 4 * 64
      return wordAt(Uint32Array.of(...lanesOut.subarray(low, low + 4), ...lanesOut.subarray(high, high + 4)), 0)
    })
    expect(firstWords).toEqual(lanes.map(({ transaction: { data } }) => bytesToWord(data.subarray(4, 36))))
  })

  test(`compute what path IR means for ${SUBJECTS} random programs, with hints and with misses`, async () => {
    let [held, exited, missed, own] = [0, 0, 0, 0]
    for (const subject of await pathSubjects(SUBJECTS, 64)) {
      const { path, lanes, seed } = subject
      const kernel = kernelOf(path)
      const { world, transaction: first } = lanes[0]!
      const explain = (lane: number): string => `lane ${lane} of ${subjectText(subject)}`
      const evaluations = lanes.map((lane) => evaluatePath(path, world, lane.transaction))
      const guards = path.effects.filter(({ kind }) => kind === 'guard')
      const expectLane = (result: ReturnType<typeof laneResult>, at: number, evaluation = evaluations[at]!): void => {
        if (evaluation.failed.length === 0)
          expect(result, explain(at)).toMatchObject({ exit: 0, outcome: evaluation.outcome })
        else expect(guards[result.exit - 1], explain(at)).toBe(evaluation.failed[0])
      }
      const run = async (tables: typeof all, batch: readonly PathLane[]) => {
        const [out] = await runPrograms(rig, tables, [{ kernel, lanes: batch }])
        return batch.map((lane, i) => laneResult(kernel, tables, lane, i, batch.length, out!))
      }

      const all = tablesFor(world, first.to, evaluations)
      const results = await run(all, lanes)
      results.forEach((result, lane) => {
        expectLane(result, lane)
        if (result.exit === 0) held++
        else exited++
      })

      // The first few also run as their own kernels, which write the same columns.
      if (own < 2 && kernel.parts.length === 1 && kernel.lookups.length > 0) {
        own++
        const [theirs] = await rig.run({
          label: `own kernel of seed ${seed}`,
          wgsl: `${PRELUDE}\n${kernel.parts[0]}`,
          entryPoint: kernel.entryPoint,
          buffers: pathBuffers(kernel, all, lanes),
          invocations: lanes.length,
        })
        const [ours] = await runPrograms(rig, all, [{ kernel, lanes }])
        const firstKey = Math.min(...kernel.lookups.map(({ keyColumn }) => keyColumn))
        for (let column = 0; column < firstKey; column++) {
          for (let lane = 0; lane < lanes.length; lane++) {
            if (results[lane]!.exit !== 0) continue
            const at = 4 * (column * lanes.length + lane)
            const limbs = column === 0 ? 3 : 4
            expect([...ours!.subarray(at, at + limbs)], explain(lane)).toEqual([...theirs!.subarray(at, at + limbs)])
          }
        }
      }

      const slotLookups = kernel.lookups.flatMap((lookup, i) => (lookup.kind === 'slot' ? [i] : []))
      if (slotLookups.length === 0) continue

      // Versions inside the batch: every second lane is told other values, the rest hints that name other slots.
      const random = new Random(seed)
      const hinted = lanes.map((lane, index) => {
        let changed = world
        const told = new Map<number, bigint>()
        const hints = slotLookups.map((lookup) => {
          const slot = results[index]!.ids[lookup]!
          const place = all.slots[slot]!
          const value = told.get(slot) ?? (index % 2 === 0 ? BigInt(random.below(4)) : place.value)
          told.set(slot, value)
          changed = withSlot(changed, all.accounts[place.account]!.address, place.key, value)
          return index % 2 === 0 ? { slot, value } : { slot: 0xfffffff0, value: 12345n }
        })
        return { lane: { transaction: lane.transaction, hints }, world: changed }
      })
      const batch = hinted.map(({ lane }) => lane)
      for (const [index, result] of (await run(all, batch)).entries()) {
        if (results[index]!.exit === 0) {
          expectLane(result, index, evaluatePath(path, hinted[index]!.world, lanes[index]!.transaction))
        }
      }

      // A slot that is not in the tables: lanes that need it miss and name its key, unless a guard failed in front.
      const absent = evaluations[0]!.lookups.filter((lookup) => SLOT_NAME.test(lookup)).at(-1)!
      const fewer = tablesFor(world, first.to, evaluations, absent)
      const [out] = await runPrograms(rig, fewer, [{ kernel, lanes }])
      lanes.forEach((lane, index) => {
        const result = laneResult(kernel, fewer, lane, index, lanes.length, out!)
        const { failed, lookups } = evaluations[index]!
        if (result.exit !== EXIT_MISS) {
          // It failed a guard before the look-up, or does not look the slot up.
          if (result.exit === 0) expect(lookups, explain(index)).not.toContain(absent)
          if (result.exit === 0) expectLane(result, index)
          else expect(failed, explain(index)).toContain(guards[result.exit - 1])
          return
        }
        missed++
        const keys = kernel.lookups.flatMap(({ kind, keyColumn }, lookup) =>
          kind === 'slot' && result.ids[lookup] === EXIT_MISS ? [keyAt(out!, lanes.length, keyColumn, index)] : [],
        )
        expect(keys, explain(index)).toContain(BigInt(`0x${SLOT_NAME.exec(absent)![2]}`))
      })
    }
    expect(own).toBe(2)
    expect(held).toBeGreaterThan(SUBJECTS * 16)
    expect(exited).toBeGreaterThan(SUBJECTS)
    expect(missed).toBeGreaterThan(SUBJECTS)
  })
})

const keyAt = (out: Uint32Array, laneCount: number, column: number, lane: number): bigint => {
  let key = 0n
  for (let limb = 7; limb >= 0; limb--) {
    const at = ((column + (limb >> 2)) * laneCount + lane) * 4 + (limb & 3)
    key = (key << 32n) | BigInt(out[at]!)
  }
  return key
}
