import { OPERATIONS } from '../ir/ops.ts'
import { MODES, PROGRAM_MODES } from '../layout/instruction.ts'
import { PROGRAM_OPCODES, PROGRAM_SHIFT_MASK, PROGRAM_SHIFT_RIGHT } from '../layout/program.ts'
import { CALL_GAS_DIVISOR, type StoreGas, storeCost, storeGasAt } from '../spec/gas.ts'

/**
 * The meaning of micro-operations that take words alone (layout/program.ts), over bigint: what
 * kernels/entry/path_program.wgsl computes. Operands and results are words.
 */
const ALL_ONES = (1n << 256n) - 1n
const U32 = 0xffff_ffffn

const wrap = (value: bigint): bigint => BigInt.asUintN(256, value)
const truth = (value: boolean): bigint => (value ? 1n : 0n)

type Evaluate = (operands: readonly bigint[]) => bigint
const named = (...names: readonly string[]): readonly Evaluate[] => names.map((name) => OPERATIONS.get(name)!.eval!)

const SHIFTS = named('shl', 'shr', 'sar')
const BYTES = named('byte', 'signextend', 'clz')
const DIVIDES = named('div', 'sdiv', 'mod', 'smod')
const MODULARS = named('addmod', 'mulmod')
const [EXP, SLT, BYTE_LENGTH] = named('exp', 'slt', 'bytelength') as [Evaluate, Evaluate, Evaluate]

const field = (a: bigint, without: bigint, union: bigint, immediate: number): bigint => {
  const amount = BigInt(immediate & PROGRAM_SHIFT_MASK)
  const shifted = (immediate & PROGRAM_SHIFT_RIGHT) === 0 ? wrap(a << amount) : a >> amount
  return (shifted & (without ^ ALL_ONES)) | union
}

const scalar = (a: bigint, second: bigint, mode: number): bigint => {
  const b = second & U32
  switch (mode) {
    case PROGRAM_MODES.scalar.add:
      return ((a & U32) + b) & U32
    case PROGRAM_MODES.scalar.subtract:
      return ((a & U32) - b) & U32
    case PROGRAM_MODES.scalar.multiply:
      return ((a & U32) * b) & U32
    case PROGRAM_MODES.scalar.callGas: {
      const cap = b - b / BigInt(CALL_GAS_DIVISOR)
      return a < cap ? a : cap
    }
    default:
      return BYTE_LENGTH([a])
  }
}

/** Result of an instruction whose opcode is none of sstore, load, account, findSlot, findAccount, keccak and end. */
export const pureOperation = (
  opcode: number,
  mode: number,
  a: bigint,
  b: bigint,
  c: bigint,
  immediate: number,
): bigint => {
  switch (opcode) {
    case PROGRAM_OPCODES.copy:
      return a
    case PROGRAM_OPCODES.pick:
      return (mode === PROGRAM_MODES.pick.second ? a >> 32n : a) & U32
    case PROGRAM_OPCODES.logic:
      return mode === MODES.logic.and ? a & b : mode === MODES.logic.xor ? a ^ b : mode === MODES.logic.or ? a | b : 0n
    case PROGRAM_OPCODES.sum:
      return wrap(mode === MODES.sum.subtract ? a - b : a + b)
    case PROGRAM_OPCODES.compare:
      return mode === MODES.compare.signedLess ? SLT([a, b]) : truth(mode === MODES.compare.equal ? a === b : a < b)
    case PROGRAM_OPCODES.field:
      return field(a, b, c, immediate)
    case PROGRAM_OPCODES.shift:
      return SHIFTS[mode]!([a, b])
    case PROGRAM_OPCODES.scalar:
      return scalar(a, b, mode)
    case PROGRAM_OPCODES.bytes:
      return BYTES[mode]!([a, b])
    case PROGRAM_OPCODES.mul:
      return wrap(a * b)
    case PROGRAM_OPCODES.divide:
      return DIVIDES[mode]!([a, b])
    case PROGRAM_OPCODES.modular:
      return MODULARS[mode]!([a, b, c])
    case PROGRAM_OPCODES.exp:
      return EXP([a, b])
    default:
      throw new Error(`no meaning for program opcode ${opcode}`)
  }
}

const BERLIN = storeGasAt('berlin')
const LONDON = storeGasAt('london')
const ISTANBUL = storeGasAt('istanbul')

/** Prices by mode and immediate of an sstore instruction (transpiler/program/rows.ts). */
const storePrices = (mode: number, dirty: number): StoreGas =>
  dirty !== LONDON.dirty ? { ...ISTANBUL, dirty } : mode === PROGRAM_MODES.sstore.refund ? LONDON : BERLIN

/** Gas (mode 0) of an SSTORE, or its change of the refund counter modulo 2^32. */
export const storeEffect = (original: bigint, current: bigint, next: bigint, mode: number, dirty: number): bigint => {
  const { gas, refund } = storeCost(storePrices(mode, dirty), original, current, next)
  return BigInt(mode === PROGRAM_MODES.sstore.gas ? gas : refund) & U32
}
