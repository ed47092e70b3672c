import { foldValue } from '../passes/fold_constants.ts'
import { bitsOf } from './bits.ts'
import { OPERATIONS, type ValueType } from './ops.ts'
import type { Attribute, Value, ValueId } from './path_ir.ts'

/** Past this many values a path is not worth a kernel; recording stops with a refusal. */
export const MAX_VALUES = 20_000

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

/**
 * Builds SSA values with value numbering: the same operation on the same operands is the same value id.
 *
 * Sound because values are pure (ops.ts). Every value passes through `foldValue` first, so constants and algebraic
 * identities never become values of their own.
 */
export class Builder {
  readonly values: Value[] = []
  /** How many values were asked for: what a recorder without folding and numbering would have made. */
  requested = 0
  private readonly numbers = new Map<string, ValueId>()

  constant(value: bigint): ValueId {
    return this.intern('const', [], value, value === 0n || value === 1n ? 'bool' : 'word')
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

  private intern(op: string, args: readonly ValueId[], attribute?: Attribute, type?: ValueType): ValueId {
    const key = `${op}|${args.join(',')}|${attributeKey(attribute)}`
    const known = this.numbers.get(key)
    if (known !== undefined) return known
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
    const id = this.values.push(value) - 1
    this.numbers.set(key, id)
    return id
  }
}

const typeOf = (op: string, operands: readonly Value[]): ValueType => {
  const operation = OPERATIONS.get(op)
  if (operation === undefined) throw new Error(`unknown operation ${op}`)
  if (operation.result !== 'bitwise') return operation.result
  return operands.every((operand) => operand.type === 'bool') ? 'bool' : 'word'
}
