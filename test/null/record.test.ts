import { describe, expect, test } from 'vitest'
import { printPath } from '../../transpiler/ir/text.ts'
import { programFault } from '../../transpiler/program/verify.ts'
import type { RecordResult } from '../../transpiler/record/record.ts'
import { recordPath } from '../../transpiler/record/record.ts'
import { transpilePath } from '../../transpiler/transpile.ts'
import { assemble } from '../fixtures/assembler.ts'
import { pathThatHolds, refusalOf } from '../fixtures/path_claims.ts'
import { abi, contract, ENTRY, recordState, transaction, worldOf } from '../fixtures/world.ts'

const CALLEE = 0xaaaa000000000000000000000000000000000001n
const INPUT = 'PUSH 4 CALLDATALOAD'

const record = (text: string): Promise<RecordResult> => {
  const world = worldOf(assemble(text), [], [[CALLEE, contract(assemble('STOP'))]])
  return recordPath(transaction({ data: abi(1, 5n, 6n), gas: 30_000_000 }), recordState(world))
}

/** Code that takes the recorder far longer than this without its bounds. */
const QUICKLY = 20_000

describe('recording is bounded', () => {
  test.each([
    ['an endless loop', 'l: PUSH @l JUMP', 'step bound'],
    ['much memory', 'PUSH 1 PUSH3 0x100000 MSTORE', 'memory bound'],
    [
      'a huge offset',
      'PUSH 1 PUSH32 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff MSTORE',
      'memory bound',
    ],
    ['many values', `${INPUT} l: ${'CALLER ADD DUP1 MUL NOT '.repeat(50)} PUSH @l JUMP`, 'value bound'],
    ['many slots', 'PUSH 0 l: PUSH 1 ADD DUP1 SLOAD POP PUSH @l JUMP', 'value bound'],
    ['many symbolic slots', `${INPUT} l: PUSH 7 MUL DUP1 SLOAD POP PUSH @l JUMP`, 'value bound'],
    ['many transient slots', 'PUSH 0 l: PUSH 1 ADD DUP1 TLOAD POP PUSH @l JUMP', 'value bound'],
    ['big hashes', `${INPUT} PUSH 0 MSTORE l: PUSH3 0x03f000 PUSH 0 KECCAK256 POP PUSH @l JUMP`, 'memory bound'],
    ['big copies', `${INPUT} PUSH 0 MSTORE l: PUSH3 0x03f000 PUSH 0 PUSH 1 MCOPY PUSH @l JUMP`, 'memory bound'],
    ['big logs', `${INPUT} PUSH 0 MSTORE l: PUSH3 0x010000 PUSH 0 LOG0 PUSH @l JUMP`, 'memory bound'],
    [
      'big inputs of calls',
      `l: PUSH 0 PUSH 0 PUSH3 0x010000 PUSH 0 PUSH 4 GAS STATICCALL POP PUSH @l JUMP`,
      'memory bound',
    ],
    [
      'code copied again and again',
      `${'JUMPDEST '.repeat(20_000)} l: PUSH 1 PUSH 0 PUSH 0 ADDRESS EXTCODECOPY PUSH @l JUMP`,
      'memory bound',
    ],
  ])(
    'for %s',
    async (_, text, reason) => {
      expect(await record(text)).toMatchObject({ kind: 'unsupported', reason })
    },
    QUICKLY,
  )

  test(
    'for pushes in large code',
    async () => {
      const text = `l: ${'PUSH32 5 POP '.repeat(700)} PUSH @l JUMP`
      expect(await record(text)).toMatchObject({ reason: 'step bound' })
    },
    QUICKLY,
  )

  test(
    'for keys that come out of two chains of hashes',
    async () => {
      const chain = 'DUP1 PUSH 0 MSTORE PUSH 32 MSTORE PUSH 64 PUSH 0 KECCAK256 '.repeat(60)
      const result = await record(`${INPUT} ${chain} SLOAD PUSH 36 CALLDATALOAD ${chain} SLOAD`)
      expect(result.kind).toBe('path')
    },
    QUICKLY,
  )

  test(
    'for guards on values that are wide and deep',
    async () => {
      const fill = Array.from({ length: 60 }, (_, i) => `DUP1 PUSH ${32 * i} MSTORE`).join(' ')
      const result = await record(`${INPUT} ${`${fill} PUSH 1920 PUSH 0 KECCAK256 `.repeat(6)} PUSH @e JUMPI e: STOP`)
      expect(
        result.kind === 'path' &&
          result.path.effects.every((effect) => effect.kind !== 'guard' || effect.meaning.length < 2000),
      ).toBe(true)
    },
    QUICKLY,
  )

  test('for calls into many codes', async () => {
    const callees = Array.from(
      { length: 33 },
      (_, i) => [CALLEE + BigInt(i), contract(assemble(`PUSH ${i} POP`))] as const,
    )
    const calls = (count: number): string =>
      callees
        .slice(0, count)
        .map(([to]) => `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${to} GAS STATICCALL POP`)
        .join(' ')
    const recorded = (count: number) =>
      recordPath(transaction(), recordState(worldOf(assemble(calls(count)), [], callees)))
    expect((await recorded(31)).kind).toBe('path')
    expect(await recorded(32)).toMatchObject({ reason: 'skeleton bound' })
  })

  test(
    'for calls out of a frame with much state',
    async () => {
      const stores = Array.from({ length: 60 }, (_, i) => `DUP1 PUSH ${i} SSTORE`).join(' ')
      const call = `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${CALLEE} GAS STATICCALL POP`
      expect((await record(`${INPUT} ${stores} l: ${call} PUSH @l JUMP`)).kind).toBe('unsupported')
    },
    QUICKLY,
  )
})

describe('lowering is bounded', () => {
  test.each([
    ['products', `${INPUT} ${'DUP1 MUL CALLER ADD '.repeat(4000)} PUSH 0 SSTORE`],
    ['hashes', `${INPUT} ${'PUSH 0 MSTORE PUSH 64 PUSH 0 KECCAK256 CALLER ADD '.repeat(4000)} PUSH 0 SSTORE`],
    [
      'long hashes',
      `${INPUT} PUSH 0 MSTORE ${'PUSH3 0x010000 PUSH 0 KECCAK256 PUSH 0 MSTORE '.repeat(14)} PUSH 0 MLOAD PUSH 0 SSTORE`,
    ],
    ['stores', `${INPUT} ${Array.from({ length: 900 }, (_, i) => `DUP1 PUSH ${i} SSTORE`).join(' ')}`],
    [
      'guards',
      `${INPUT} ${Array.from({ length: 5000 }, (_, i) => `DUP1 PUSH ${i + 10} EQ PUSH @e JUMPI`).join(' ')} e: STOP`,
    ],
  ])(
    'for many %s',
    async (_, text) => {
      const state = recordState(worldOf(assemble(text)))
      const result = await transpilePath(transaction({ data: abi(1, 5n), gas: 30_000_000 }), state)
      expect(result).toMatchObject({ kind: 'unsupported', reason: 'code size bound' })
    },
    QUICKLY,
  )

  test(
    'for many hashes that only a program may have',
    async () => {
      const text = `${INPUT} ${'PUSH 0 MSTORE PUSH 64 PUSH 0 KECCAK256 '.repeat(4000)} PUSH 0 SSTORE`
      const state = recordState(worldOf(assemble(text)))
      const result = await transpilePath(transaction({ data: abi(1, 5n), gas: 30_000_000 }), state)
      if (result.kind !== 'kernel') throw new Error(result.reason)
      expect(result.kernel.parts).toEqual([])
      expect(result.kernel.report.programOps).toBeGreaterThan(4000)
      expect(programFault(result.kernel.program!, result.kernel)).toBeUndefined()
    },
    QUICKLY,
  )

  test(
    'for many stores that a kernel may still have',
    async () => {
      const text = `${INPUT} ${Array.from({ length: 300 }, (_, i) => `DUP1 PUSH ${i} SSTORE`).join(' ')}`
      const result = await transpilePath(
        transaction({ data: abi(1, 5n), gas: 30_000_000 }),
        recordState(worldOf(assemble(text))),
      )
      expect(result.kind).toBe('kernel')
    },
    QUICKLY,
  )
})

describe('a recorded path', () => {
  const code = assemble(`${INPUT} CALLER ADD PUSH20 0x00112233445566778899aabbccddeeff00112234 SSTORE`)

  test('is the same text when it is recorded again', async () => {
    const one = await pathThatHolds(worldOf(code), transaction({ data: abi(1, 5n) }))
    const again = await pathThatHolds(worldOf(code), transaction({ data: abi(1, 5n) }))
    expect(printPath(again)).toBe(printPath(one))
  })

  test('is the same text for another lane that takes it, and for a clone', async () => {
    const one = await pathThatHolds(worldOf(code), transaction({ data: abi(1, 5n) }))
    const other = await pathThatHolds(
      worldOf(code, [[3n, 4n]]),
      transaction({ data: abi(1, 77n), gas: 123_456, gasPrice: 99n }),
    )
    expect(printPath(other)).toBe(printPath(one))
    const clone = code.slice()
    clone[clone.length - 3] = clone[clone.length - 3]! ^ 0x55
    const cloned = await pathThatHolds(worldOf(clone), transaction({ data: abi(1, 5n) }))
    expect(printPath(cloned)).toBe(printPath(one))
  })

  test('follows no opcode that is not covered', async () => {
    for (const [text, reason] of [
      ['PUSH 0 PUSH 0 PUSH 0 CREATE', 'opcode CREATE'],
      ['PUSH 0 PUSH 0 PUSH 0 PUSH 0 CREATE2', 'opcode CREATE2'],
      ['PUSH 0 SELFDESTRUCT', 'opcode SELFDESTRUCT'],
      ['PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLCODE', 'opcode CALLCODE'],
    ] as const) {
      expect(await refusalOf(worldOf(assemble(text)), transaction())).toBe(reason)
    }
  })

  test('of an account without code is a mistake of the caller', async () => {
    const world = new Map([...worldOf(code)].filter(([address]) => address !== ENTRY))
    await expect(recordPath(transaction(), recordState(world))).rejects.toThrow('an account with code')
  })
})
