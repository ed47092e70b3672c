import { bitsOf } from './bits.ts'
import { OPERATIONS } from './ops.ts'
import { type PathIr, type Piece, usesOfEffect, usesOfEnd, type Value } from './path_ir.ts'

/**
 * A path that is not well formed; the message says which value or effect, and what is wrong with it.
 *
 * @example
 * import { PathVerifyError, parsePath, verifyPath } from 'wgevm/transpiler'
 *
 * const path = parsePath(
 *   `path osaka skeleton=0x00 selector=-1 calldata=0 value=zero
 * skeleton 0 0x00
 * v0:u32 = gas
 * v1:bool = const 0
 * end success gas=v0 refund=v1 bytes=0 []`,
 * )
 * try {
 *   verifyPath({ ...path, end: { ...path.end, gas: 9 } })
 * } catch (error) {
 *   console.log(error instanceof PathVerifyError) // true
 * }
 */
export class PathVerifyError extends Error {
  override readonly name = 'PathVerifyError'
}

const fail = (message: string): never => {
  throw new PathVerifyError(message)
}

const typeFits = (operand: Value, wanted: string): boolean =>
  operand.type === wanted || wanted === 'word' || operand.op === 'const'

const verifyPieces = (id: number, value: Value): void => {
  let end = 0
  for (const piece of value.attribute as readonly Piece[]) {
    if (piece.argument >= value.args.length) fail(`v${id}: piece of operand ${piece.argument} of ${value.args.length}`)
    if (piece.count < 1 || piece.from + piece.count > 32 || piece.to < end)
      fail(`v${id}: pieces overlap or leave the word`)
    end = piece.to + piece.count
  }
  if (end > 32) fail(`v${id}: pieces leave the word`)
}

/**
 * Checks that a path is well formed; run after every pass in tests. Throws PathVerifyError.
 *
 * Operands stand before users and have fitting types; results have their operation's type; widths are not narrower than
 * the rules of bits.ts prove; guard conditions are bools; each slot is stored once; transfers are between accounts; gas
 * and refund are u32.
 *
 * @example
 * import { parsePath, verifyPath } from 'wgevm/transpiler'
 *
 * const path = parsePath(
 *   `path osaka skeleton=0x00 selector=-1 calldata=0 value=zero
 * skeleton 0 0x00
 * v0:u32 = gas
 * v1:bool = const 0
 * end success gas=v0 refund=v1 bytes=0 []`,
 * )
 * verifyPath(path)
 */
export const verifyPath = (path: PathIr): void => {
  path.values.forEach((value, id) => {
    const operation = OPERATIONS.get(value.op) ?? fail(`v${id}: unknown operation ${value.op}`)
    const operands = value.args.map((argument) => {
      if (argument >= id) fail(`v${id} uses v${argument}, which stands behind it`)
      return path.values[argument]!
    })
    if (operation.operands !== 'variadic') {
      const wanted = operation.operands
      if (wanted.length !== operands.length) fail(`v${id}: ${value.op} takes ${wanted.length} operands`)
      operands.forEach((operand, index) => {
        if (!typeFits(operand, wanted[index]!)) fail(`v${id}: operand ${index} of ${value.op} is ${operand.type}`)
      })
    }
    const bitwise = operands.every((operand) => operand.type === 'bool') ? 'bool' : 'word'
    const result = operation.result === 'bitwise' ? bitwise : operation.result
    if (value.op !== 'const' && value.type !== result) fail(`v${id}: ${value.op} gives a ${result}`)
    if (value.op === 'concat') verifyPieces(id, value)
    if (value.op === 'skeleton' && path.skeletons[value.attribute as number] === undefined)
      fail(`v${id}: no such skeleton`)
    if (value.bits < bitsOf(value.op, operands, value.attribute, value.type))
      fail(`v${id}: width ${value.bits} not proven`)
  })
  const exists = (id: number): void => {
    if (path.values[id] === undefined) fail(`v${id} is used and not defined`)
  }
  const stored = new Set<number>()
  for (const effect of path.effects) {
    for (const id of usesOfEffect(effect)) exists(id)
    if (effect.kind === 'guard' && path.values[effect.condition]!.type !== 'bool')
      fail(`guard v${effect.condition} is no bool`)
    if (effect.kind === 'store') {
      if (path.values[effect.slot]!.op !== 'slot') fail(`store to v${effect.slot}, which is no slot`)
      if (stored.has(effect.slot)) fail(`v${effect.slot} is stored twice`)
      stored.add(effect.slot)
    }
    if (effect.kind === 'transfer') {
      for (const id of [effect.from, effect.to]) {
        const { op } = path.values[id]!
        if (op !== 'account' && op !== 'entry') fail(`transfer of v${id}, which is no account`)
      }
    }
    if (effect.kind === 'log' && effect.data.length !== Math.ceil(effect.bytes / 32))
      fail('log data does not fit its length')
  }
  for (const id of usesOfEnd(path.end)) exists(id)
  for (const id of [path.end.gas, path.end.refund]) {
    const value = path.values[id]!
    if (value.type !== 'u32' && value.op !== 'const') fail(`v${id}: gas and refund are u32`)
  }
  if (path.end.output.length !== Math.ceil(path.end.bytes / 32)) fail('output does not fit its length')
}
