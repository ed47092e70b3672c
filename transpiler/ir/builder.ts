import { foldValue } from '../passes/fold_constants.ts'
import { bitsOf } from './bits.ts'
import { OPERATIONS, type ValueType } from './ops.ts'
import type { Attribute, Value, ValueId } from './path_ir.ts'
import type { Values } from './values.ts'

/** Past this many values a path is not worth a kernel; recording stops with a refusal. */
const MAX_VALUES = 20_000

export class PathTooLargeError extends Error {
  override readonly name = 'PathTooLargeError'
}

const attributeKey = (attribute: Attribute | undefined): string => {
  if (attribute === undefined) return ''
  if (typeof attribute === 'object') {
    return attribute.map((piece) => `${piece.argument}.${piece.from}.${piece.count}.${piece.to}`).join(',')
  }
  return String(attribute)
}

const CODES = new Map([...OPERATIONS.keys()].map((op, code) => [op, code]))
/** Above any value id, so operands are digits. */
const DIGIT = 2 ** 15

/** An operation without attribute on at most three values as one number, exact below 2^53. */
const numberKey = (op: string, args: readonly ValueId[]): string | number => {
  if (args.length > 3) return `${op}|${args.join(',')}`
  let key = CODES.get(op) ?? 0
  for (let i = 0; i < 3; i++) key = key * DIGIT + (args[i] ?? DIGIT - 1)
  return key
}

/**
 * Builds SSA values with value numbering: the same operation on the same operands is the same value id.
 *
 * Sound because values are pure (ops.ts). Every value passes through `foldValue` first, so constants and algebraic
 * identities never become values of their own.
 */
export class Builder implements Values {
  readonly values: Value[] = []
  /** How many values were asked for: what a recorder without folding and numbering would have made. */
  requested = 0
  private readonly numbers = new Map<string | number, ValueId>()
  private readonly constants = new Map<bigint, ValueId>()

  constant(value: bigint): ValueId {
    const known = this.constants.get(value)
    if (known !== undefined) return known
    const id = this.add('const', [], value, value === 0n || value === 1n ? 'bool' : 'word')
    this.constants.set(value, id)
    return id
  }

  make(op: string, args: readonly ValueId[], attribute?: Attribute): ValueId {
    this.requested++
    return foldValue(this, op, args, attribute) ?? this.intern(op, args, attribute)
  }

  value(id: ValueId): Value {
    return this.values[id]!
  }

  /** The constant that `id` is, or undefined. */
  constantOf(id: ValueId): bigint | undefined {
    const value = this.values[id]!
    return value.op === 'const' ? (value.attribute as bigint) : undefined
  }

  private intern(op: string, args: readonly ValueId[], attribute?: Attribute): ValueId {
    const key = attribute === undefined ? numberKey(op, args) : `${op}|${args.join(',')}|${attributeKey(attribute)}`
    const known = this.numbers.get(key)
    if (known !== undefined) return known
    const id = this.add(op, args, attribute)
    this.numbers.set(key, id)
    return id
  }

  private add(op: string, args: readonly ValueId[], attribute?: Attribute, type?: ValueType): ValueId {
    if (this.values.length >= MAX_VALUES) throw new PathTooLargeError(`more than ${MAX_VALUES} values`)
    const operands = args.map((id) => this.values[id]!)
    const resultType = type ?? typeOf(op, operands)
    const value: Value = {
      op,
      args,
      ...(attribute === undefined ? {} : { attribute }),
      type: resultType,
      bits: bitsOf(op, operands, attribute, resultType),
    }
    return this.values.push(value) - 1
  }
}

const typeOf = (op: string, operands: readonly Value[]): ValueType => {
  const operation = OPERATIONS.get(op)
  if (operation === undefined) throw new Error(`unknown operation ${op}`)
  if (operation.result !== 'bitwise') return operation.result
  return operands.every((operand) => operand.type === 'bool') ? 'bool' : 'word'
}
