import { MODES } from '../layout/instruction.ts'
import { VM_ENVIRONMENT, VM_INVERT, VM_OPCODES } from '../layout/lane_vm.ts'
import { computed, type OperationRule, type Rule } from './rules.ts'
import { constantOf, isConstant, type Value } from './values.ts'

const ADD = 0
const AND = MODES.logic.and
const SHIFT_RIGHT = MODES.shift.right
const EQUAL = 2
const QUOTIENT = 0
const REMAINDER = 2
const WORD_BITS = 256
const ADDRESS_BITS = 160
/** No size in bytes is longer. */
const SIZE_BITS = 64
const TIMES_ONE: readonly number[] = [VM_OPCODES.mul, VM_OPCODES.divide]
const PLUS_ZERO: readonly number[] = [VM_OPCODES.sum, VM_OPCODES.logic]

const ENVIRONMENT_BITS: readonly number[] = VM_ENVIRONMENT.map((name) => {
  if (name === 'address' || name === 'origin' || name === 'caller' || name === 'coinbase') return ADDRESS_BITS
  return name === 'calldatasize' || name === 'returndatasize' || name === 'codesize' ? SIZE_BITS : WORD_BITS
})
/** What may give something else a moment later. */
const CHANGING: readonly string[] = ['returndatasize', 'msize', 'gas', 'selfbalance']
const IS_CHANGING: readonly boolean[] = VM_ENVIRONMENT.map((name) => CHANGING.includes(name))

const SHIFT_LEFT = computed(VM_OPCODES.shift, MODES.shift.left)
const SHIFT_RIGHT_RULE = computed(VM_OPCODES.shift, SHIFT_RIGHT)
const MASK = computed(VM_OPCODES.logic, AND)

/** A word has at most so many bits. */
const bitsOf = ({ kind, word, operation }: Value): number => {
  if (kind === 'constant') return word === 0n ? 0 : 4 * word.toString(16).length
  if (operation === undefined) return WORD_BITS
  const { opcode, mode, operands } = operation
  if (opcode === VM_OPCODES.compare) return 1
  if (opcode === VM_OPCODES.environment) return ENVIRONMENT_BITS[mode]!
  if (opcode === VM_OPCODES.logic && mode === AND) {
    const [mask] = operands.filter(isConstant)
    return mask === undefined ? WORD_BITS : bitsOf(mask)
  }
  const [shift] = operands
  if (opcode !== VM_OPCODES.shift || mode !== SHIFT_RIGHT || !isConstant(shift!)) return WORD_BITS
  return shift!.word > WORD_BITS ? 0 : WORD_BITS - Number(shift!.word)
}

/** The operand that an operation on these gives unchanged: x & mask of a shorter x, x + 0, x * 1 and the like. */
export const unchanged = ({ opcode, mode }: OperationRule, operands: readonly Value[]): Value | undefined => {
  const [a, b] = operands
  if (operands.length !== 2 || isConstant(a!) === isConstant(b!)) return undefined
  const [constant, value] = isConstant(a!) ? [a!.word, b!] : [b!.word, a!]
  const isSecond = value === a
  if (opcode === VM_OPCODES.logic && mode === AND) {
    const isMask = (constant & (constant + 1n)) === 0n
    return isMask && constant >> BigInt(bitsOf(value) - 1) !== 0n ? value : undefined
  }
  if (constant === 0n)
    return PLUS_ZERO.includes(opcode) && (isSecond || mode !== MODES.sum.subtract) ? value : undefined
  return constant === 1n && TIMES_ONE.includes(opcode) && mode === 0 && isSecond ? value : undefined
}

/** The operands of a sum, (x + c) + d taken as x + (c + d); of all else as they are. */
export const withOneConstant = ({ opcode, mode }: Rule, operands: readonly Value[]): readonly Value[] => {
  if (opcode !== VM_OPCODES.sum || mode !== ADD) return operands
  const constant = operands.find(isConstant)
  const inner = operands.find((value) => !isConstant(value))?.operation
  if (constant === undefined || inner?.opcode !== VM_OPCODES.sum || inner.mode !== ADD) return operands
  const other = inner.operands.find(isConstant)
  const value = inner.operands.find((operand) => !isConstant(operand))
  if (other === undefined || value === undefined) return operands
  return [value, constantOf(BigInt.asUintN(WORD_BITS, constant.word + other.word))]
}

/** A power of two as its exponent; -1 for all else. */
const exponentOf = (value: Value | undefined): number => {
  if (value === undefined || !isConstant(value) || value.word === 0n) return -1
  return (value.word & (value.word - 1n)) === 0n ? value.word.toString(2).length - 1 : -1
}

/** An operation by what is cheaper and gives the same: products, quotients and remainders of powers of two. */
export const cheaper = (
  rule: Rule,
  operands: readonly Value[],
): readonly [rule: OperationRule, operands: readonly Value[]] => {
  const { opcode, mode } = rule
  const [a, b] = operands
  if (opcode === VM_OPCODES.mul) {
    const first = exponentOf(a)
    const exponent = first < 0 ? exponentOf(b) : first
    if (exponent >= 0) return [SHIFT_LEFT, [constantOf(BigInt(exponent)), first < 0 ? a! : b!]]
  }
  if (opcode !== VM_OPCODES.divide || (mode !== QUOTIENT && mode !== REMAINDER)) return [rule, operands]
  const exponent = exponentOf(b)
  if (exponent < 0) return [rule, operands]
  return mode === QUOTIENT
    ? [SHIFT_RIGHT_RULE, [constantOf(BigInt(exponent)), a!]]
    : [MASK, [constantOf(b!.word - 1n), a!]]
}

/** Results of operations that give the same whenever they run, so one is enough. */
export class KnownResults {
  private readonly results = new Map<number, Value>()
  private readonly names = new Map<Value | bigint, number>()

  /** What names an operation on these words; undefined where each of them stands for itself. */
  keyOf(rule: OperationRule, operands: readonly Value[]): number | undefined {
    const [a, b] = operands
    if (operands.length > 2 || !isPure(rule)) return undefined
    const { opcode, mode } = rule
    let first = this.nameOf(a)
    let second = this.nameOf(b)
    if (first < second && isCommutative(opcode, mode)) [first, second] = [second, first]
    return ((opcode * MODES_PER_OPCODE + mode) * MOST_NAMES + first) * MOST_NAMES + second
  }

  /** A result of such an operation; undefined where there is none. */
  find(key: number, { mode }: OperationRule): Value | undefined {
    const known = this.results.get(key)
    // ISZERO may have turned a comparison round since.
    return known?.operation?.mode === mode ? known : undefined
  }

  add(key: number, result: Value): void {
    this.results.set(key, result)
  }

  private nameOf(value: Value | undefined): number {
    if (value === undefined) return 0
    const word = value.kind === 'constant' ? value.word : value
    let name = this.names.get(word)
    if (name === undefined) {
      name = this.names.size + 1
      this.names.set(word, name)
    }
    return name
  }
}

/** Opcodes have five bits, which a double holds with both names. */
const MODES_PER_OPCODE = 256
const MOST_NAMES = 2 ** 19

const isCommutative = (opcode: number, mode: number): boolean =>
  opcode === VM_OPCODES.logic ||
  opcode === VM_OPCODES.mul ||
  (opcode === VM_OPCODES.sum && mode === MODES.sum.add) ||
  (opcode === VM_OPCODES.compare && mode === EQUAL)

const isPure = ({ kept, pushes, opcode, mode }: OperationRule): boolean => {
  if (kept || pushes !== 1 || opcode === VM_OPCODES.transient) return false
  return opcode !== VM_OPCODES.environment || !IS_CHANGING[mode]!
}

/**
 * Whether a condition is likely to hold: an address is seldom 0, and seldom equal to another word. Undefined where
 * nothing is known.
 */
export const isLikely = (value: Value): boolean | undefined => {
  const { operation } = value
  if (operation?.opcode !== VM_OPCODES.compare) return bitsOf(value) === ADDRESS_BITS ? true : undefined
  if ((operation.mode & ~VM_INVERT) !== EQUAL) return undefined
  return (operation.mode & VM_INVERT) !== 0
}
