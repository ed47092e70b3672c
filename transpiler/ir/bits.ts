import type { ValueType } from './ops.ts'
import type { Attribute, Piece, Value } from './path_ir.ts'

export const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length)

const constantShift = (operand: Value | undefined): number | undefined =>
  operand?.op === 'const' ? Number((operand.attribute as bigint) > 256n ? 256n : operand.attribute) : undefined

const widthOf = (operands: readonly Value[], index: number): number => operands[index]?.bits ?? 256
const cap = (width: number): number => Math.min(256, Math.max(0, width))

/**
 * An upper bound of a value's bit length, from its operands'.
 *
 * Domain: a value v of width b has v < 2^b as an unsigned integer. Every rule is a bound on the exact result before
 * wrapping; where that bound passes 256 the answer is 256, which always holds.
 */
export const bitsOf = (
  op: string,
  operands: readonly Value[],
  attribute: Attribute | undefined,
  type: ValueType,
): number => {
  if (op === 'const') return bitLength(attribute as bigint)
  if (type === 'bool') return 1
  if (type === 'u32') return 32
  switch (op) {
    case 'caller':
    case 'address':
      return 160
    case 'environment':
      return attribute === 'coinbase' ? 160 : 256
    case 'and':
      return Math.min(widthOf(operands, 0), widthOf(operands, 1))
    case 'or':
    case 'xor':
      return Math.max(widthOf(operands, 0), widthOf(operands, 1))
    case 'add':
      return cap(Math.max(widthOf(operands, 0), widthOf(operands, 1)) + 1)
    case 'mul':
      return cap(widthOf(operands, 0) + widthOf(operands, 1))
    case 'div':
      return widthOf(operands, 0)
    case 'mod':
      return Math.min(widthOf(operands, 0), widthOf(operands, 1))
    case 'addmod':
    case 'mulmod':
      return widthOf(operands, 2)
    case 'byte':
      return 8
    case 'clz':
      return 9
    case 'shl': {
      const amount = constantShift(operands[0])
      return amount === undefined ? 256 : cap(widthOf(operands, 1) + amount)
    }
    case 'shr': {
      const amount = constantShift(operands[0])
      return amount === undefined ? widthOf(operands, 1) : cap(widthOf(operands, 1) - amount)
    }
    case 'concat': {
      let top = 0
      for (const piece of attribute as readonly Piece[]) {
        const below = 8 * (32 - piece.to - piece.count)
        const width = Math.min(
          8 * piece.count,
          Math.max(0, widthOf(operands, piece.argument) - 8 * (32 - piece.from - piece.count)),
        )
        if (width > 0) top = Math.max(top, below + width)
      }
      return top
    }
    default:
      return 256
  }
}
