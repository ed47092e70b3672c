import { describe, expect, test } from 'vitest'
import { planPath } from '../../host/tiers/path/plan.ts'
import { type ProgramJob, splitJobs } from '../../host/tiers/path/programs/wave.ts'
import { layoutColumns } from '../../transpiler/emit/columns.ts'
import type { PathIr } from '../../transpiler/ir/path_ir.ts'
import { parsePath } from '../../transpiler/ir/text.ts'
import { verifyPath } from '../../transpiler/ir/verify.ts'
import { OPERAND_INPUT, OPERAND_NONE, PROGRAM_INVERT, PROGRAM_OPCODES } from '../../transpiler/layout/program.ts'
import type { PathKernel, PathProgram } from '../../transpiler/path_kernel.ts'
import { encodeProgram } from '../../transpiler/program/encode.ts'
import { OPCODE_ROWS } from '../../transpiler/program/rows.ts'
import { instructionAt, printProgram } from '../../transpiler/program/text.ts'
import { programFault } from '../../transpiler/program/verify.ts'
import { lowerPath } from '../../transpiler/transpile.ts'
import { pathSubjects, subjectText } from '../fixtures/path_subjects.ts'

/** A path with an instruction of every kind that a program's place in its group depends on. */
const PATH = parsePath(`path prague skeleton=none selector=1 calldata=68 value=zero
  skeleton 0 none
  v0:u256 = calldata 4
  v1:u256 = calldata 36
  v2:u32 = entry
  v3:u32 = gas
  v4:u256 = keccak 64 v0 v1
  v5:u32 = slot v2 v4
  v6:u256 = load v5
  v7:u256 = add v6 v1
  v8:u160 = const 0xffffffffffffffffffffffffffffffffffffffff
  v9:u160 = and v0 v8
  v10:u32 = account v9
  v11:u256 = balance v10
  v12:bool = lt v11 v7
  v13:u256 = keccak 160 v0 v1 v6 v7 v11
  v14:bool = skeleton 0 v2
  guard v14 pc=0 depth=0 "the code"
  guard v12 pc=1 depth=0 "less"
  store v5 v7
  log v2 [v13] bytes=32 [v11]
  end success gas=v3 refund=v3 bytes=0 []`)

const lowered = (path: PathIr): PathKernel => lowerPath(path, { steps: 0, recordedValues: 0 })

const kernel = lowered(PATH)
const program = kernel.program!
const at = (opcode: keyof typeof PROGRAM_OPCODES, nth = 0): number =>
  Array.from({ length: program.instructions }, (_, i) => i).filter(
    (i) => instructionAt(program.code, i).opcode === PROGRAM_OPCODES[opcode],
  )[nth]!

/** The first word of calldata as an operand. */
const WORD_OPERAND = OPERAND_INPUT | 1
const entryPick = instructionAt(program.code, at('pick')).mode === 1 ? 0 : 1

/** The program with some limbs of one instruction changed. */
const changed = (
  index: number,
  change: (limbs: Uint32Array) => void,
  fields: Partial<PathProgram> = {},
): PathProgram => {
  const code = program.code.slice()
  change(code.subarray(4 * index, 4 * index + 4))
  return { ...program, code, ...fields }
}

describe('the verifier of programs', () => {
  test('finds nothing wrong with what the encoder makes', async () => {
    verifyPath(PATH)
    expect(programFault(program, kernel), printProgram(program, 1)).toBeUndefined()
    for (const subject of await pathSubjects(60, 1)) {
      const made = lowered(subject.path)
      expect(programFault(made.program!, made), subjectText(subject)).toBeUndefined()
    }
  })

  test.each<[string, PathProgram, RegExp]>([
    ['an unknown opcode', changed(0, (limbs) => (limbs[0] = (limbs[0]! & ~0xff) | 200)), /no such operation/],
    ['an unknown mode', changed(at('sum'), (limbs) => (limbs[0]! |= 0x7f00)), /no such operation/],
    ['an end in the middle', changed(1, (limbs) => (limbs[0] = PROGRAM_OPCODES.end | 0xffff0000)), /no other, ends/],
    [
      'no end',
      { ...program, code: program.code.slice(0, -4), instructions: program.instructions - 1 },
      /no other, ends/,
    ],
    ['fewer instructions than code', { ...program, instructions: program.instructions - 1 }, /lengths/],
    ['more instructions than code', { ...program, instructions: program.instructions + 1 }, /lengths/],
    ['no instruction', { ...program, code: new Uint32Array(0), instructions: 0 }, /lengths/],
    ['half a constant', { ...program, constants: new Uint32Array(4) }, /lengths/],
    ['fewer constants', { ...program, constants: new Uint32Array(0) }, /no such constant/],
    ['less scratch than it uses', { ...program, scratch: 2 }, /no such register/],
    ['endless scratch', { ...program, scratch: 1e9 }, /too many registers/],
    ['a scratch that is no number', { ...program, scratch: Number.NaN }, /too many registers/],
    ['a register that nothing wrote', changed(at('sum'), (limbs) => (limbs[1] = 0x00070007)), /before it is written/],
    [
      'a register past the last',
      changed(at('sum'), (limbs) => (limbs[0] = (limbs[0]! & 0xffff) | (8 << 16))),
      /no such register/,
    ],
    [
      'a result that is no register',
      changed(at('sum'), (limbs) => (limbs[0] = (limbs[0]! & 0xffff) | 0x80000000)),
      /no register/,
    ],
    ['an input past the last', changed(at('sum'), (limbs) => (limbs[1] = 0x80058005)), /no such input/],
    [
      'a message that is not there',
      changed(at('keccak', 1), (limbs) => (limbs[2] = (limbs[2]! & 0xffff) | (1 << 16))),
      /before it is written/,
    ],
    [
      'a longer message',
      changed(at('keccak', 1), (limbs) => (limbs[0] = (limbs[0]! & ~0x7f00) | (9 << 8))),
      /before it is written/,
    ],
    [
      'a column that the path has not',
      changed(at('sum'), (limbs) => (limbs[3] = kernel.outputColumns - 1)),
      /no such column/,
    ],
    ['the column of the exit', changed(at('sum'), (limbs) => (limbs[3] = 0)), /no such column/],
    ['a guard that the path has not', changed(at('compare'), (limbs) => (limbs[3]! |= 3 << 16)), /no such guard/],
    ['an id in another place', changed(at('findSlot'), (limbs) => (limbs[0]! ^= 0x300)), /no such look-up/],
    ['a key in another place', changed(at('findSlot'), (limbs) => (limbs[2]! ^= 1 << 16)), /no such look-up/],
    [
      'a slot for an account',
      changed(at('findSlot'), (limbs) => (limbs[0]! ^= PROGRAM_OPCODES.findSlot ^ PROGRAM_OPCODES.findAccount)),
      /no such look-up/,
    ],
    [
      'a hint of another path',
      changed(at('load'), (limbs) => (limbs[2] = OPERAND_NONE | (1 << 16))),
      /no such look-up/,
    ],
    ['a load of a word', changed(at('load'), (limbs) => (limbs[1] = WORD_OPERAND | 0xffff0000)), /no slot/],
    ['a balance of a word', changed(at('account'), (limbs) => (limbs[1] = WORD_OPERAND | 0xffff0000)), /no account/],
    ['an id that is inverted', changed(at('findSlot'), (limbs) => (limbs[0]! |= PROGRAM_INVERT)), /no slot/],
    ['the gas for an account', changed(at('pick', entryPick), (limbs) => (limbs[0]! &= ~0x7f00)), /no account/],
  ])('refuses %s', (_, broken, expected) => {
    expect(programFault(broken, kernel)).toMatch(expected)
  })

  test('has a row for every opcode', () => {
    for (const [name, opcode] of Object.entries(PROGRAM_OPCODES)) expect(OPCODE_ROWS.get(opcode)?.name).toBe(name)
  })
})

describe('a path has no program', () => {
  test('with an operation that has no encoding', () => {
    const values = PATH.values.map((value) => (value.op === 'add' ? { ...value, op: 'frobnicate' } : value))
    expect(encodeProgram({ ...PATH, values }, layoutColumns(PATH))).toBeUndefined()
  })

  test('with an effect that has no encoding', () => {
    const effects = [...PATH.effects, { kind: 'frobnicate' } as unknown as PathIr['effects'][number]]
    expect(encodeProgram({ ...PATH, effects }, layoutColumns(PATH))).toBeUndefined()
  })

  test('past the bounds of a program', () => {
    const sums = Array.from({ length: 17_000 }, (_, i) => ({ ...PATH.values[7]!, args: [i === 0 ? 6 : 14 + i, 1] }))
    const values = [...PATH.values, ...sums]
    const end = { ...PATH.end, bytes: 32, output: [values.length - 1] }
    const long = { ...PATH, values, end }
    expect(encodeProgram(long, layoutColumns(long))).toBeUndefined()
    const shorter = { ...long, end: { ...end, output: [values.length - 2_000] }, values: values.slice(0, -1_999) }
    expect(encodeProgram(shorter, layoutColumns(shorter))?.instructions).toBeGreaterThan(15_000)
  })
})

describe('the jobs of a wave', () => {
  const job = (lanes: number): ProgramJob => ({
    plan: planPath(kernel),
    transactions: Int32Array.from({ length: lanes }, (_, i) => i),
  })
  const lanesOf = (waves: readonly (readonly ProgramJob[])[]): number[][] =>
    waves.map((wave) => wave.map(({ transactions }) => transactions.length))

  test('go together where they fit', () => {
    expect(lanesOf(splitJobs([job(1), job(100), job(3)], 1 << 23, 65_535))).toEqual([[1, 100, 3]])
    expect(splitJobs([], 1 << 23, 65_535)).toEqual([])
  })

  test('are cut at whole workgroups where a buffer or a dispatch ends, and lose no lane', () => {
    expect(lanesOf(splitJobs([job(100), job(300)], 1 << 23, 3))).toEqual([[100], [192], [108]])
    const waves = splitJobs([job(1000)], 20_000, 65_535)
    expect(waves.length).toBeGreaterThan(1)
    expect(waves.flat().flatMap(({ transactions }) => [...transactions])).toEqual([...job(1000).transactions])
    for (const [{ transactions }] of waves.slice(0, -1) as [ProgramJob][]) expect(transactions.length % 64).toBe(0)
  })

  test('fail where not even one workgroup fits', () => {
    expect(() => splitJobs([job(1)], 100, 65_535)).toThrow(/passes the device's buffers/)
  })

  test('take their hints along', () => {
    const words = new Uint32Array(12)
    const hinted = { ...job(200), hints: { words, at: Uint32Array.from({ length: 200 }, (_, i) => i) } }
    const [, second] = splitJobs([hinted], 1 << 23, 2)
    expect(second![0]!.hints!.at[0]).toBe(128)
  })
})
