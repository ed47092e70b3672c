import { type Cell, cellsOfWord, wordOfCells } from '../ir/cells.ts'
import { isStorePrice, OPERATIONS, STORE_PRICES } from '../ir/ops.ts'
import type { Attribute, ValueId } from '../ir/path_ir.ts'
import type { Values } from '../ir/values.ts'

const ALL_ONES = (1n << 256n) - 1n
const isMask = (value: bigint): boolean => (value & (value + 1n)) === 0n
const log2 = (value: bigint): number | undefined =>
  value > 0n && (value & (value - 1n)) === 0n ? value.toString(2).length - 1 : undefined

type Rule = (
  builder: Values,
  args: readonly ValueId[],
  constants: readonly (bigint | undefined)[],
) => ValueId | undefined

const low = (bits: number): bigint => (1n << BigInt(bits)) - 1n

/** A bool as the EVM sees it twice negated; a word becomes the bool "is not zero". */
const asBool = (builder: Values, id: ValueId): ValueId =>
  builder.value(id).type === 'bool' ? id : builder.make('iszero', [builder.make('iszero', [id])])

const shiftedCells = (cells: readonly Cell[], bytes: number): Cell[] =>
  Array.from({ length: 32 }, (_, i) => cells[i + bytes] ?? 0)

/** Byte-aligned masks and shifts of a concat stay a concat of fewer bytes (a selector out of word 0, for one). */
const foldBytes = (
  builder: Values,
  op: string,
  args: readonly ValueId[],
  constants: readonly (bigint | undefined)[],
): ValueId | undefined => {
  const [first, second] = args
  if (first === undefined || second === undefined) return undefined
  if (op === 'shl' || op === 'shr') {
    const amount = constants[0]
    if (amount === undefined || amount % 8n !== 0n || builder.value(second).op !== 'concat') return undefined
    const bytes = Number(amount / 8n)
    return wordOfCells(builder, shiftedCells(cellsOfWord(builder, second), op === 'shl' ? bytes : -bytes))
  }
  if (op !== 'and' && op !== 'or') return undefined
  if (builder.value(first).op !== 'concat' && builder.value(second).op !== 'concat') return undefined
  const left = cellsOfWord(builder, first)
  const right = cellsOfWord(builder, second)
  const cells: Cell[] = []
  for (let i = 0; i < 32; i++) {
    const cell = op === 'and' ? andCell(left[i]!, right[i]!) : orCell(left[i]!, right[i]!)
    if (cell === undefined) return undefined
    cells.push(cell)
  }
  return wordOfCells(builder, cells)
}

const andCell = (a: Cell, b: Cell): Cell | undefined => {
  if (a === 0 || b === 0) return 0
  if (a === 255) return b
  if (b === 255) return a
  return typeof a === 'number' && typeof b === 'number' ? a & b : undefined
}

const orCell = (a: Cell, b: Cell): Cell | undefined => {
  if (a === 0) return b
  if (b === 0) return a
  return typeof a === 'number' && typeof b === 'number' ? a | b : undefined
}

/** `x * c / c == x` for a constant c != 0 holds exactly where x <= (2^256 - 1) / c: the product does not wrap. */
const foldMultiplicationCheck = (builder: Values, quotient: ValueId, x: ValueId): ValueId | undefined => {
  const division = builder.value(quotient)
  if (division.op !== 'div') return undefined
  const divisor = builder.constantOf(division.args[1]!)
  const product = builder.value(division.args[0]!)
  if (divisor === undefined || divisor === 0n || product.op !== 'mul') return undefined
  if (product.args[0] !== x || product.args[1] !== division.args[1]) return undefined
  return builder.make('iszero', [builder.make('lt', [builder.constant(ALL_ONES / divisor), x])])
}

const RULES: Readonly<Record<string, Rule>> = {
  and: (builder, [a, b], [ca, cb]) => {
    if (ca !== undefined && cb === undefined) return builder.make('and', [b!, a!])
    if (a === b) return a
    if (cb === undefined) return undefined
    const value = builder.value(a!)
    if (cb === 0n) return builder.constant(0n)
    if (isMask(cb) && low(value.bits) <= cb) return a
    const inner = value.op === 'and' ? builder.constantOf(value.args[1]!) : undefined
    if (inner !== undefined) return builder.make('and', [value.args[0]!, builder.constant(inner & cb)])
    return undefined
  },
  or: (builder, [a, b], [ca, cb]) => {
    if (ca !== undefined && cb === undefined) return builder.make('or', [b!, a!])
    if (a === b || cb === 0n) return a
    return cb === ALL_ONES ? b : undefined
  },
  xor: (builder, [a, b], [ca, cb]) => {
    if (ca !== undefined && cb === undefined) return builder.make('xor', [b!, a!])
    if (a === b) return builder.constant(0n)
    return cb === 0n ? a : undefined
  },
  add: (builder, [a, b], [ca, cb]) => {
    if (ca !== undefined && cb === undefined) return builder.make('add', [b!, a!])
    if (cb === undefined) return undefined
    if (cb === 0n) return a
    const value = builder.value(a!)
    const inner = value.op === 'add' ? builder.constantOf(value.args[1]!) : undefined
    return inner === undefined
      ? undefined
      : builder.make('add', [value.args[0]!, builder.constant((inner + cb) & ALL_ONES)])
  },
  sub: (builder, [a, b], [, cb]) => (a === b ? builder.constant(0n) : cb === 0n ? a : undefined),
  mul: (builder, [a, b], [ca, cb]) => {
    if (ca !== undefined && cb === undefined) return builder.make('mul', [b!, a!])
    if (cb === 0n) return b
    const shift = cb === undefined ? undefined : log2(cb)
    return shift === undefined ? undefined : builder.make('shl', [builder.constant(BigInt(shift)), a!])
  },
  div: (builder, [a, b], [ca, cb]) => {
    if (ca === 0n || cb === 0n) return builder.constant(0n)
    const shift = cb === undefined ? undefined : log2(cb)
    if (shift !== undefined) return builder.make('shr', [builder.constant(BigInt(shift)), a!])
    return cb !== undefined && low(builder.value(a!).bits) < builder.constantOf(b!)! ? builder.constant(0n) : undefined
  },
  mod: (builder, [a], [ca, cb]) => {
    if (ca === 0n || cb === 0n) return builder.constant(0n)
    if (cb !== undefined && log2(cb) !== undefined) return builder.make('and', [a!, builder.constant(cb - 1n)])
    return cb !== undefined && low(builder.value(a!).bits) < cb ? a : undefined
  },
  exp: (builder, [, b], [ca]) => {
    const shift = ca === undefined || ca < 2n ? undefined : log2(ca)
    if (shift === undefined) return undefined
    // 2^k ** e = 1 << (k e); the product can wrap only where e itself is past 255, and then the shift is past 255 too.
    if (shift === 1) return builder.make('shl', [b!, builder.constant(1n)])
    return undefined
  },
  iszero: (builder, [a]) => {
    const value = builder.value(a!)
    if (value.op === 'iszero' && builder.value(value.args[0]!).type === 'bool') return value.args[0]
    if (value.op === 'sub' || value.op === 'xor') return builder.make('eq', value.args)
    return undefined
  },
  eq: (builder, [a, b], [ca, cb]) => {
    if (a === b) return builder.constant(1n)
    const checked = foldMultiplicationCheck(builder, a!, b!) ?? foldMultiplicationCheck(builder, b!, a!)
    if (checked !== undefined) return checked
    if (ca !== undefined && cb === undefined) return builder.make('eq', [b!, a!])
    if (cb === 0n) return builder.make('iszero', [a!])
    if (cb === undefined) return undefined
    const value = builder.value(a!)
    if (cb > low(value.bits)) return builder.constant(0n)
    return value.type === 'bool' && cb === 1n ? a : undefined
  },
  lt: (builder, [a, b], [ca, cb]) => {
    if (a === b || cb === 0n) return builder.constant(0n)
    if (cb !== undefined && low(builder.value(a!).bits) < cb) return builder.constant(1n)
    if (ca !== undefined && low(builder.value(b!).bits) <= ca) return builder.constant(0n)
    if (ca === 0n) return asBool(builder, b!)
    return cb === 1n ? builder.make('iszero', [a!]) : undefined
  },
  gt: (builder, [a, b]) => builder.make('lt', [b!, a!]),
  shl: (builder, [a, b], [ca, cb]) => {
    if (cb === 0n || (ca !== undefined && ca > 255n)) return builder.constant(0n)
    return ca === 0n ? b : a === undefined ? a : undefined
  },
  shr: (builder, [, b], [ca, cb]) => {
    if (cb === 0n) return b
    if (ca === undefined) return undefined
    if (ca === 0n) return b
    const value = builder.value(b!)
    if (ca >= BigInt(value.bits)) return builder.constant(0n)
    const inner = value.op === 'shr' || value.op === 'shl' ? builder.constantOf(value.args[0]!) : undefined
    if (inner === undefined) return undefined
    if (value.op === 'shr') return builder.make('shr', [builder.constant(ca + inner), value.args[1]!])
    return inner === ca ? builder.make('and', [value.args[1]!, builder.constant(ALL_ONES >> ca)]) : undefined
  },
  sar: (builder, args) => (builder.value(args[1]!).bits < 256 ? builder.make('shr', args) : undefined),
  byte: (builder, [, b], [ca]) =>
    ca === undefined
      ? undefined
      : ca > 31n
        ? builder.constant(0n)
        : builder.make('and', [builder.make('shr', [builder.constant(8n * (31n - ca)), b!]), builder.constant(0xffn)]),
  signextend: (builder, [, b], [ca]) => {
    if (ca === undefined) return undefined
    return ca > 30n || builder.value(b!).bits < 8 * Number(ca) + 8 ? b : undefined
  },
  add32: (_, [a, b], [ca, cb]) => (cb === 0n ? a : ca === 0n ? b : undefined),
  sub32: (_, [a], [, cb]) => (cb === 0n ? a : undefined),
  eq32: (builder, [a, b]) => (a === b ? builder.constant(1n) : undefined),
  ge32: (builder, [a, b], [, cb]) => (a === b || cb === 0n ? builder.constant(1n) : undefined),
  load: () => undefined,
}

/**
 * Constant folding and algebra, applied to every value as it is built.
 *
 * In: an operation on values of `builder`. Out: an older value that is equal for every lane, or undefined.
 * Sound: with constant operands the opcode table's own `eval` answers; every other rule is an identity of arithmetic
 * modulo 2^256, or follows from the operands' proven widths (bits.ts).
 */
export const foldValue = (
  builder: Values,
  op: string,
  args: readonly ValueId[],
  attribute: Attribute | undefined,
): ValueId | undefined => {
  if (attribute !== undefined || args.length === 0) return undefined
  const constants = args.map((id) => builder.constantOf(id))
  const operation = OPERATIONS.get(op)
  if (operation?.eval !== undefined && constants.every((value) => value !== undefined)) {
    return builder.constant(operation.eval(constants as bigint[]))
  }
  // A store of the value already there costs the least and refunds nothing (EIP-2200), whatever the value.
  const prices = STORE_PRICES.get(op)
  if (prices !== undefined) {
    return args[1] === args[2] ? builder.constant(isStorePrice(op) ? BigInt(prices.dirty) : 0n) : undefined
  }
  return foldBytes(builder, op, args, constants) ?? RULES[op]?.(builder, args, constants)
}
