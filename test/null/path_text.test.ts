import { beforeAll, describe, expect, test } from 'vitest'
import type { Effect, PathIr, Value } from '../../transpiler/ir/path_ir.ts'
import { describeValue, PathSyntaxError, parsePath, printPath } from '../../transpiler/ir/text.ts'
import { PathVerifyError, verifyPath } from '../../transpiler/ir/verify.ts'
import { recordPath } from '../../transpiler/record/record.ts'
import { assemble } from '../fixtures/assembler.ts'
import { abi, contract, recordState, transaction, worldOf } from '../fixtures/world.ts'

const CALLEE = 0xaaaa000000000000000000000000000000000001n

/** A path with every kind of value attribute, effect and type. */
const richPath = async (): Promise<PathIr> => {
  const callee = assemble('TIMESTAMP PUSH 7 SSTORE PUSH 32 PUSH 0 RETURN')
  const code = assemble(`
    PUSH 4 CALLDATALOAD PUSH 9 MSTORE PUSH 36 CALLDATALOAD PUSH 0 MSTORE8 PUSH 0 MLOAD PUSH 1 SSTORE
    PUSH20 0x00112233445566778899aabbccddeeff00112234 PUSH 64 PUSH 0 KECCAK256 SSTORE
    PUSH 32 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${CALLEE} GAS CALL PUSH 2 SSTORE
    PUSH 4 CALLDATALOAD PUSH 36 CALLDATALOAD EXP CALLVALUE ADD GASPRICE LT PUSH @end JUMPI end:
    CALLER PUSH 41 PUSH 0 LOG1 SELFBALANCE ADDRESS COINBASE XOR OR PUSH 0 MSTORE PUSH 33 PUSH 0 RETURN`)
  const world = worldOf(code, [], [[CALLEE, contract(callee)]])
  const recorded = await recordPath(transaction({ data: abi(0xa9059cbb, 5n, 6n), value: 3n }), recordState(world))
  if (recorded.kind !== 'path') throw new Error(recorded.reason)
  return recorded.path
}

let path: PathIr
beforeAll(async () => {
  path = await richPath()
})

describe('the text form of a path', () => {
  test('reads back as the same path', () => {
    verifyPath(path)
    expect(parsePath(printPath(path))).toEqual(path)
  })

  test('reads back refusals, halts and deltas', () => {
    const effects = path.effects.map(
      (effect): Effect =>
        effect.kind === 'store'
          ? { ...effect, delta: { sign: -1, conditions: ['noUnderflow', 'sameZeroness'] } }
          : effect,
    )
    for (const status of ['revert', 'halt'] as const) {
      const other: PathIr = { ...path, effects, end: { ...path.end, status, bytes: 0, output: [] } }
      expect(parsePath(printPath(other))).toEqual(other)
    }
  })

  test('may have comments and blank lines', () => {
    const text = printPath(path).replaceAll('\n', '\n\n ; a comment\n')
    expect(parsePath(text)).toEqual(path)
  })

  test.each([
    ['', 'path header'],
    [
      'path atlantis skeleton=0x1 selector=1 calldata=4 value=zero\nend success gas=v0 refund=v0 bytes=0 []',
      'unknown fork',
    ],
    ['path prague skeleton=0x1 selector=1 calldata=4 value=zero', 'end line'],
    ['path prague skeleton=0x1 selector=1 calldata=4 value=zero\nv0:word = frobnicate\nend', 'unknown operation'],
    ['path prague skeleton=0x1 selector=1 calldata=4 value=zero\nv0:u32 = add32 x1 v2\nend', 'expected a value'],
    ['path prague skeleton=0x1 selector=1 calldata=4 value=zero\nstore v0\nend', 'expected an effect'],
    ['path prague skeleton=0x1 selector=1 calldata=4 value=zero\nend success', 'expected an end'],
    ['path prague skeleton=0x1 selector=1 calldata=4 value=zero\nv0:u8 = concat 0:1>2 v0\nend', 'expected a piece'],
  ])('says what is wrong with %j', (text, message) => {
    expect(() => parsePath(text)).toThrow(PathSyntaxError)
    expect(() => parsePath(text)).toThrow(message)
  })

  test('describes values for people, and leaves out what is too deep or too much', () => {
    const text = path.effects.flatMap((effect) =>
      effect.kind === 'store' ? [describeValue(path.values, effect.slot)] : [],
    )
    expect(text[0]).toBe('slot(entry, 1)')
    expect(text.some((line) => line.includes('keccak#64(concat('))).toBe(true)
  })
})

const replaced = (index: number, change: Partial<Value>): PathIr => ({
  ...path,
  values: path.values.map((value, id) => (id === index ? { ...value, ...change } : value)),
})
const indexOf = (op: string): number => {
  const index = path.values.findIndex((value) => value.op === op)
  if (index < 0) throw new Error(`the rich path has no ${op}`)
  return index
}
const withEffect = (change: (effect: Effect) => Effect | undefined): PathIr => ({
  ...path,
  effects: path.effects.flatMap((effect) => change(effect) ?? []),
})

describe('the verifier', () => {
  test('accepts the path', () => {
    expect(() => verifyPath(path)).not.toThrow()
  })

  const broken: readonly (readonly [name: string, message: string, make: () => PathIr])[] = [
    ['an unknown operation', 'unknown operation', () => replaced(indexOf('concat'), { op: 'frobnicate' })],
    [
      'an operand that stands behind its user',
      'stands behind',
      () => replaced(indexOf('load'), { args: [path.values.length - 1] }),
    ],
    ['an operand that is its user', 'stands behind', () => replaced(indexOf('load'), { args: [indexOf('load')] })],
    ['too few operands', 'takes 1 operands', () => replaced(indexOf('load'), { args: [] })],
    ['too many operands', 'takes 0 operands', () => replaced(indexOf('gas'), { args: [0] })],
    [
      'a word where an id is due',
      'operand 0 of load is word',
      () => replaced(indexOf('load'), { args: [indexOf('calldata')] }),
    ],
    [
      'pieces that overlap',
      'pieces overlap',
      () =>
        replaced(indexOf('concat'), {
          attribute: [
            { argument: 0, from: 0, count: 8, to: 0 },
            { argument: 0, from: 0, count: 8, to: 7 },
          ],
        }),
    ],
    [
      'pieces that leave the word',
      'leave the word',
      () => replaced(indexOf('concat'), { attribute: [{ argument: 0, from: 0, count: 8, to: 25 }] }),
    ],
    [
      'pieces from outside the operand',
      'leave the word',
      () => replaced(indexOf('concat'), { attribute: [{ argument: 0, from: 30, count: 8, to: 0 }] }),
    ],
    [
      'pieces of no operand',
      'of operand 9',
      () => replaced(indexOf('concat'), { attribute: [{ argument: 9, from: 0, count: 8, to: 0 }] }),
    ],
    ['a skeleton that is not listed', 'no such skeleton', () => replaced(indexOf('skeleton'), { attribute: 7 })],
    ['a type that the operation does not give', 'load gives a word', () => replaced(indexOf('load'), { type: 'u32' })],
    ['a bool of words', 'xor gives a word', () => replaced(indexOf('xor'), { type: 'bool' })],
    ['a width that is not proven', 'not proven', () => replaced(indexOf('load'), { bits: 8 })],
    [
      'a guard on a word',
      'is no bool',
      () => withEffect((effect) => (effect.kind === 'guard' ? { ...effect, condition: indexOf('load') } : effect)),
    ],
    [
      'a store to what is no slot',
      'is no slot',
      () => withEffect((effect) => (effect.kind === 'store' ? { ...effect, slot: indexOf('account') } : effect)),
    ],
    [
      'two stores to one slot',
      'stored twice',
      () => ({ ...path, effects: [...path.effects, path.effects.find((effect) => effect.kind === 'store')!] }),
    ],
    [
      'an effect of a value that is not there',
      'not defined',
      () => withEffect((effect) => (effect.kind === 'store' ? { ...effect, value: 9999 } : effect)),
    ],
    [
      'log data of another length',
      'log data',
      () => withEffect((effect) => (effect.kind === 'log' ? { ...effect, bytes: 500 } : effect)),
    ],
    ['output of another length', 'output does not fit', () => ({ ...path, end: { ...path.end, bytes: 500 } })],
    ['gas that is a word', 'gas and refund', () => ({ ...path, end: { ...path.end, gas: indexOf('load') } })],
    ['a refund that is a word', 'gas and refund', () => ({ ...path, end: { ...path.end, refund: indexOf('load') } })],
    ['an output that is not there', 'not defined', () => ({ ...path, end: { ...path.end, output: [9998, 9999] } })],
  ]

  test.each(broken)('rejects %s', (_, message, make) => {
    expect(() => verifyPath(make())).toThrow(PathVerifyError)
    expect(() => verifyPath(make())).toThrow(message)
  })
})
