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
import { EDGE_WORDS, edgeOperands, randomWords } from '../fixtures/edge_words.ts'
import { evaluatePath } from '../fixtures/evaluate_path.ts'
import { laneResult, type PathLane, pathBuffers, tablesOf } from '../fixtures/path_lanes.ts'
import { pathSubjects, subjectText } from '../fixtures/path_subjects.ts'
import { type ProgramLanes, runPrograms, runWave } from '../fixtures/program_lanes.ts'
import { Random } from '../fixtures/random_programs.ts'
import { SLOT_NAME, tablesFor, withSlot } from '../fixtures/subject_tables.ts'
import { abi, ENTRY, transaction, worldOf } from '../fixtures/world.ts'
import { describeOnAdapters, wordAt } from './rig.ts'

const SEED = 20260117
const SUBJECTS = Number(process.env['WGEVM_RUNS'] ?? 24)

/** A path that logs these values of type word; `lines` define them over three words of calldata, the gas and the entry. */
const loggingPath = (lines: readonly string[], logged: readonly string[]): PathIr => {
  const path = parsePath(`path prague skeleton=none selector=1 calldata=100 value=zero
    v0:u256 = calldata 4
    v1:u256 = calldata 36
    v2:u256 = calldata 68
    v3:u32 = gas
    v4:u32 = entry
    v5:u0 = const 0
    ${lines.join('\n')}
    log v4 [] bytes=${32 * logged.length} [${logged.join(' ')}]
    end success gas=v3 refund=v3 bytes=0 []`)
  verifyPath(path)
  return path
}

/** Operations over words, one path for each; then everything else that needs no state. */
const OPERATION_PATHS: readonly (readonly [name: string, path: PathIr])[] = [
  ...[
    'add',
    'sub',
    'and',
    'or',
    'xor',
    'mul',
    'div',
    'sdiv',
    'mod',
    'smod',
    'exp',
    'shl',
    'shr',
    'sar',
    'byte',
    'signextend',
  ].map((op) => [op, loggingPath([`v6:u256 = ${op} v0 v1`], ['v6'])] as const),
  ...['addmod', 'mulmod'].map((op) => [op, loggingPath([`v6:u256 = ${op} v0 v1 v2`], ['v6'])] as const),
  ...['lt', 'gt', 'slt', 'sgt', 'eq'].map(
    (op) =>
      [op, loggingPath([`v6:bool = ${op} v0 v1`, 'v7:bool = iszero v6', 'v8:bool = iszero v7'], ['v6', 'v8'])] as const,
  ),
  ['iszero', loggingPath(['v6:bool = iszero v0', 'v7:bool = iszero v6'], ['v7'])],
  ['not', loggingPath(['v6:u256 = not v0'], ['v6'])],
  ['clz', loggingPath(['v6:u256 = clz v0'], ['v6'])],
  [
    'bools',
    loggingPath(
      ['v6:bool = lt v0 v1', 'v7:bool = eq v1 v2', 'v8:bool = and v6 v7', 'v9:bool = or v6 v7', 'v10:bool = xor v6 v7'],
      ['v8', 'v9', 'v10'],
    ),
  ],
  [
    'scalars',
    loggingPath(
      [
        'v6:u32 = callgas v0 v3',
        'v7:u32 = add32 v3 v6',
        'v8:u32 = sub32 v6 v3',
        'v9:u32 = mul32 v3 v6',
        'v10:bool = ge32 v6 v3',
        'v11:bool = gt32 v3 v6',
        'v12:bool = eq32 v3 v6',
        'v13:u32 = bytelength v1',
      ],
      ['v6', 'v7', 'v8', 'v9', 'v10', 'v11', 'v12', 'v13'],
    ),
  ],
  [
    'sstore',
    loggingPath(
      [
        'v6:u32 = sstoregas v0 v1 v2',
        'v7:u32 = sstorerefund v0 v1 v2',
        'v8:u32 = sstorerefundberlin v0 v1 v2',
        'v9:u32 = sstoregas v0 v0 v2',
        'v10:u32 = sstorerefund v0 v1 v0',
        'v11:u32 = sstoregasistanbul v0 v1 v2',
        'v12:u32 = sstorerefundistanbul v0 v1 v2',
        'v13:u32 = sstoregasconstantinople v0 v1 v2',
        'v14:u32 = sstorerefundconstantinople v0 v1 v2',
        'v15:u32 = sstoregasfrontier v1 v1 v2',
        'v16:u32 = sstorerefundfrontier v1 v1 v2',
      ],
      ['v6', 'v7', 'v8', 'v9', 'v10', 'v11', 'v12', 'v13', 'v14', 'v15', 'v16'],
    ),
  ],
  [
    'constant shifts',
    loggingPath(
      [
        'v6:u8 = const 96',
        'v7:u256 = shr v6 v0',
        'v8:u256 = const 0xffffff00000000ffff',
        'v9:u256 = and v7 v8',
        'v10:u256 = shl v6 v1',
        'v11:u256 = and v8 v10',
        'v12:u256 = const 0x100',
        'v13:u256 = shl v12 v0',
        'v14:u256 = shr v6 v2',
      ],
      ['v9', 'v11', 'v13', 'v14'],
    ),
  ],
  [
    'concat',
    loggingPath(
      [
        'v6:u256 = concat 0:12+20>0/1:28+4>20/2:0+8>24 v0 v1 v2',
        'v7:u256 = const 0xabcdef',
        'v8:u256 = concat 1:29+3>0/0:4+9>5/1:30+2>30 v0 v7',
        'v9:u256 = concat 0:16+16>0 v1',
        'v10:u256 = concat 0:0+16>16 v1',
        'v11:u256 = concat 0:31+1>7 v2',
      ],
      ['v6', 'v8', 'v9', 'v10', 'v11'],
    ),
  ],
  ...[0, 1, 20, 31, 32, 33, 64, 95, 96].map((bytes) => {
    const words = ['v0', 'v1', 'v2'].slice(0, Math.ceil(bytes / 32))
    return [`keccak of ${bytes}`, loggingPath([`v6:u256 = keccak ${bytes} ${words.join(' ')}`], ['v6'])] as const
  }),
  ...[134, 135, 136, 137, 271, 272, 409, 600].map((bytes) => {
    const words = Array.from({ length: Math.ceil(bytes / 32) }, (_, i) => `v${i % 3}`)
    return [`keccak of ${bytes}`, loggingPath([`v6:u256 = keccak ${bytes} ${words.join(' ')}`], ['v6'])] as const
  }),
]

/** Calldata and gas of the lanes on which operations are tried. */
const operandLanes = (): readonly PathLane[] => {
  const random = randomWords(SEED, 3 * 200)
  const edges = edgeOperands(3).filter((_, i) => i % 9 === 0)
  const small = Array.from({ length: 150 }, (_, i) => [BigInt(2 * i), random[i]!, random[i + 300]!])
  const words = [...edges, ...small, ...Array.from({ length: 200 }, (_, i) => random.slice(3 * i, 3 * i + 3))]
  return words.map((operands, i) => ({
    transaction: transaction({
      data: abi(1, ...operands),
      gas: Number(EDGE_WORDS[i % EDGE_WORDS.length]! & 0xffffffffn),
    }),
  }))
}

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

  test('a guard in front of the first miss wins, one behind it waits for the key', async () => {
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
          // It failed a guard in front of the look-up, or does not look the slot up.
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
