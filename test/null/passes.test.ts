import { describe, expect, test } from 'vitest'
import { Builder } from '../../transpiler/ir/builder.ts'
import type { PathIr } from '../../transpiler/ir/path_ir.ts'
import { parsePath, printPath } from '../../transpiler/ir/text.ts'
import { verifyPath } from '../../transpiler/ir/verify.ts'
import { eliminateDeadCode } from '../../transpiler/passes/dead_code.ts'
import { findDeltas } from '../../transpiler/passes/find_deltas.ts'
import { propagatePins } from '../../transpiler/passes/propagate_pins.ts'
import { subsumeGuards } from '../../transpiler/passes/subsume_guards.ts'
import { provablyDistinct } from '../../transpiler/record/distinct.ts'
import { lowerPath, PASSES, transpilePath } from '../../transpiler/transpile.ts'
import { assemble } from '../fixtures/assembler.ts'
import { pathOf } from '../fixtures/path_claims.ts'
import { abi, recordState, transaction, worldOf } from '../fixtures/world.ts'

const HEADER = 'path prague skeleton=0x1 selector=1 calldata=100 value=zero\nskeleton 0 0x1\n'

/** Reads a path without its header, and checks it. */
const path = (body: string): PathIr => {
  const parsed = parsePath(HEADER + body)
  verifyPath(parsed)
  return parsed
}

const run = (pass: (path: PathIr) => PathIr, body: string): string => {
  const result = pass(path(body))
  verifyPath(result)
  return printPath(result).slice(HEADER.length)
}

const lines = (text: string): string => text.replace(/^\s+/gm, '')

describe('dead code', () => {
  test('goes, with the look-ups that only it used, and what is left keeps its order', () => {
    const text = run(
      eliminateDeadCode,
      `v0:u32 = entry
      v1:word = calldata 4
      v2:u32 = slot v0 v1
      v3:word = load v2
      v4:word = caller
      v5:word = add v4 v1
      v6:u32 = gas
      v7:u32 = slot v0 v5
      v8:bool = const 0
      store v7 v4
      end success gas=v6 refund=v8 bytes=0 []`,
    )
    expect(text).toBe(
      lines(`v0:u32 = entry
      v1:u256 = calldata 4
      v2:u160 = caller
      v3:u256 = add v2 v1
      v4:u32 = gas
      v5:u32 = slot v0 v3
      v6:bool = const 0
      store v5 v2
      end success gas=v4 refund=v6 bytes=0 []
      `),
    )
  })
})

describe('gas guards', () => {
  const demands = (...sums: readonly string[]): string => {
    const values = ['v0:u32 = gas', 'v1:word = calldata 4', 'v2:word = calldata 36', 'v3:u32 = sstoregas v1 v1 v2']
    const guards: string[] = []
    for (const sum of sums) {
      const constant = values.push(`v${values.length}:word = const ${sum.replace('+s', '')}`) - 1
      const demand = sum.endsWith('+s') ? values.push(`v${values.length}:u32 = add32 v3 v${constant}`) - 1 : constant
      const condition = values.push(`v${values.length}:bool = ge32 v0 v${demand}`) - 1
      guards.push(`guard v${condition} pc=${guards.length} depth=0 "at least ${sum}"`)
    }
    return [...values, ...guards, 'end success gas=v0 refund=v0 bytes=0 []'].join('\n')
  }
  const kept = (...sums: readonly string[]): string[] =>
    path(demands(...sums)) &&
    subsumeGuards(path(demands(...sums))).effects.flatMap((effect) => (effect.kind === 'guard' ? [effect.meaning] : []))

  test('with a smaller constant and no other terms go', () => {
    expect(kept('100', '5000', '70')).toEqual(['at least 5000'])
    expect(kept('100', '100+s')).toEqual(['at least 100+s'])
    expect(kept('100+s', '90+s', '120+s')).toEqual(['at least 120+s'])
  })

  test('that say the same leave one', () => {
    const text = demands('100').replace('end', 'guard v5 pc=9 depth=0 "again"\nend')
    expect(subsumeGuards(path(text)).effects.length).toBe(1)
  })

  test('that no other implies stay', () => {
    expect(kept('5000', '100+s')).toEqual(['at least 5000', 'at least 100+s'])
  })

  test('of a difference, which can wrap, imply nothing', () => {
    const text = `v0:u32 = gas
      v1:word = const 3000
      v2:u32 = sub32 v0 v1
      v3:word = const 2300
      v4:bool = gt32 v2 v3
      v5:bool = ge32 v0 v1
      guard v5 pc=0 depth=0 "covers"
      guard v4 pc=1 depth=0 "left"
      end success gas=v0 refund=v0 bytes=0 []`
    expect(subsumeGuards(path(text)).effects.length).toBe(2)
  })

  test('of a callee, whose gas a lane can make small, stay', () => {
    const text = `v0:u32 = gas
      v1:word = calldata 4
      v2:u32 = callgas v1 v0
      v3:u32 = add32 v2 v2
      v4:bool = ge32 v0 v3
      v5:bool = ge32 v0 v2
      guard v4 pc=0 depth=0 "twice"
      guard v5 pc=1 depth=0 "once"
      end success gas=v0 refund=v0 bytes=0 []`
    expect(subsumeGuards(path(text)).effects.length).toBe(2)
  })
})

describe('pins', () => {
  test('make a constant of what a guard pins, after it, and go to the front', () => {
    const text = run(
      propagatePins,
      `v0:u32 = entry
      v1:word = calldata 4
      v2:word = calldata 36
      v3:u32 = slot v0 v2
      v4:word = load v3
      v5:bool = iszero v4
      v6:word = const 0x40
      v7:bool = eq v1 v6
      v8:word = add v1 v2
      guard v5 pc=1 depth=0 "the slot is empty"
      guard v7 pc=2 depth=0 "the offset is 64"
      store v3 v8
      end success gas=v0 refund=v0 bytes=0 []`,
    )
    const effects = text.split('\n').filter((line) => line.startsWith('guard'))
    expect(effects.map((line) => /"(.*)"/.exec(line)![1])).toEqual(['the offset is 64', 'the slot is empty'])
    expect(text).toMatch(/add v\d+ v\d+\n/)
    expect(text).not.toMatch(/add v\d+ v0\n/)
    const stored = parsePath(HEADER + text)
    const store = stored.effects.find((effect) => effect.kind === 'store')!
    expect(
      store.kind === 'store' && stored.values[store.value]!.args.some((id) => stored.values[id]!.attribute === 64n),
    ).toBe(true)
  })

  test('drop guards that they imply, and no others', () => {
    const text = run(
      propagatePins,
      `v0:word = calldata 4
      v1:word = const 5
      v2:bool = eq v0 v1
      v3:word = const 100
      v4:bool = lt v0 v3
      v5:bool = lt v0 v1
      v6:bool = iszero v5
      v7:word = calldata 36
      v8:bool = lt v7 v3
      v9:u32 = gas
      guard v4 pc=1 depth=0 "below 100"
      guard v2 pc=2 depth=0 "is 5"
      guard v6 pc=3 depth=0 "not below 5"
      guard v8 pc=4 depth=0 "another word"
      end success gas=v9 refund=v9 bytes=0 []`,
    )
    expect([...text.matchAll(/"(.*)"/g)].map((match) => match[1])).toEqual(['is 5', 'another word'])
  })

  test('do not justify one another', () => {
    // Each condition alone would fold under the other: both must not go.
    const text = run(
      propagatePins,
      `v0:word = calldata 4
      v1:word = calldata 36
      v2:bool = eq v0 v1
      v3:bool = eq v1 v0
      v4:u32 = gas
      guard v2 pc=1 depth=0 "one"
      guard v3 pc=2 depth=0 "other"
      end success gas=v4 refund=v4 bytes=0 []`,
    )
    expect(text).toContain('guard')
  })

  test('undo a shift only where no bit is lost', () => {
    const pinned = (between: string): string =>
      run(
        propagatePins,
        `v0:word = calldata 4
        v1:word = const 5
        v2:word = const 1
        v3:word = shl v2 v0
        v4:word = const 10
        v5:bool = eq v3 v4
        v6:word = const 0x100
        v7:bool = lt v0 v6
        v8:u32 = gas
        ${between}
        guard v5 pc=2 depth=0 "twice the word is 10"
        end success gas=v8 refund=v8 bytes=1 [v0]`,
      )
    // Without the bound 2 x = 10 has another solution, x = 5 + 2^255.
    expect(pinned('')).toContain('shl')
    expect(pinned('guard v7 pc=1 depth=0 "below 256"')).not.toContain('shl')
  })
})

describe('deltas', () => {
  const transfer = (guards: string, uses = '', extra = ''): PathIr =>
    findDeltas(
      path(`v0:u32 = entry
      v1:word = caller
      v2:word = calldata 4
      v3:u32 = slot v0 v1
      v4:word = load v3
      v5:word = sub v4 v2
      v6:bool = lt v4 v2
      v7:bool = iszero v6
      v8:u32 = sstoregas v4 v4 v5
      v9:u32 = gas
      v10:u32 = slot v0 v2
      v11:bool = eq32 v10 v3
      v12:bool = iszero v11
      ${extra}
      ${guards}
      store v3 v5
      end success gas=v8 refund=v9 bytes=${uses === '' ? 0 : 32} [${uses}]`),
    )
  const deltaOf = (path: PathIr) => path.effects.flatMap((effect) => (effect.kind === 'store' ? [effect.delta] : []))[0]
  const APART = 'guard v12 pc=9 depth=0 "apart"'

  test('come of a guarded debit', () => {
    expect(deltaOf(transfer(`guard v7 pc=1 depth=0 "enough"\n${APART}`))).toEqual({
      sign: -1,
      conditions: ['noUnderflow', 'sameZeroness'],
    })
  })

  test('come of none where the value is used for more', () => {
    expect(deltaOf(transfer(APART, 'v4'))).toBeUndefined()
    expect(deltaOf(transfer(APART, 'v5'))).toBeUndefined()
    expect(deltaOf(transfer(`guard v6 pc=1 depth=0 "too little"\n${APART}`))).toBeUndefined()
    expect(deltaOf(transfer(APART, 'v13', 'v13:word = add v4 v1'))).toBeUndefined()
  })

  test('come of none where another look-up may be of the same slot', () => {
    expect(deltaOf(transfer('guard v7 pc=1 depth=0 "enough"'))).toBeUndefined()
  })
})

describe('keys', () => {
  const builder = new Builder()
  const word = (value: bigint) => builder.constant(value)
  const x = builder.make('calldata', [], 4)
  const y = builder.make('calldata', [], 36)
  const mapping = (key: number, slot: bigint) => builder.make('keccak', [key, word(slot)], 64)
  const plus = (key: number, offset: bigint) => builder.make('add', [key, word(offset)])
  const distinct = (a: number, b: number) => [provablyDistinct(builder, a, b), provablyDistinct(builder, b, a)]
  const always = [true, true]
  const unknown = [false, false]

  test('that are provably distinct', () => {
    expect(distinct(word(1n), word(2n))).toEqual(always)
    expect(distinct(plus(x, 1n), x)).toEqual(always)
    expect(distinct(mapping(x, 0n), mapping(x, 1n))).toEqual(always)
    expect(distinct(mapping(x, 0n), mapping(y, 1n))).toEqual(always)
    expect(distinct(mapping(mapping(x, 1n), 0n), mapping(y, 2n))).toEqual(always)
    expect(distinct(builder.make('keccak', [x], 32), mapping(x, 0n))).toEqual(always)
    expect(distinct(mapping(x, 0n), word(7n))).toEqual(always)
    expect(distinct(plus(mapping(x, 0n), 3n), plus(mapping(x, 0n), 4n))).toEqual(always)
    expect(distinct(plus(mapping(x, 0n), 3n), mapping(y, 1n))).toEqual(always)
  })

  test('that may coincide', () => {
    expect(distinct(x, x)).toEqual(unknown)
    expect(distinct(x, y)).toEqual(unknown)
    expect(distinct(x, word(5n))).toEqual(unknown)
    expect(distinct(mapping(x, 0n), mapping(y, 0n))).toEqual(unknown)
    expect(distinct(mapping(x, 0n), mapping(mapping(x, 1n), 0n))).toEqual(unknown)
    expect(distinct(mapping(x, 0n), x)).toEqual(unknown)
    expect(distinct(plus(mapping(x, 0n), 1n << 200n), mapping(y, 1n))).toEqual(unknown)
    expect(distinct(mapping(x, 0n), word(1n << 200n))).toEqual(unknown)
    expect(distinct(plus(x, 1n), plus(y, 1n))).toEqual(unknown)
  })
})

describe('kernels', () => {
  const code = assemble(`PUSH 4 CALLDATALOAD PUSH 0 MSTORE PUSH 64 PUSH 0 KECCAK256 DUP1 SLOAD
    PUSH20 0x00112233445566778899aabbccddeeff00112234 MUL ADD CALLER SSTORE`)
  const kernelOf = async (bytes: Uint8Array, data: Uint8Array, partCompileMs?: number) => {
    const result = await transpilePath(
      transaction({ data }),
      recordState(worldOf(bytes)),
      partCompileMs === undefined ? {} : { partCompileMs },
    )
    if (result.kind !== 'kernel') throw new Error(result.reason)
    return result.kernel
  }

  test('are the same bytes for the same path, recorded again, from another lane, or from a clone', async () => {
    const one = await kernelOf(code, abi(1, 5n))
    const clone = code.slice()
    clone[clone.length - 6] = clone[clone.length - 6]! ^ 0x55
    for (const other of [
      await kernelOf(code, abi(1, 5n)),
      await kernelOf(code, abi(1, 1n << 250n)),
      await kernelOf(clone, abi(1, 6n)),
    ]) {
      expect(other.parts).toEqual(one.parts)
      expect(other.id).toBe(one.id)
      expect(other.key).toEqual(one.key)
    }
  })

  test('differ where the path does', async () => {
    const one = await kernelOf(code, abi(1, 5n))
    const other = await kernelOf(code, abi(1, 5n, 6n))
    expect(other.id).not.toBe(one.id)
  })

  test('in parts have the manifest of the whole', async () => {
    const whole = await kernelOf(code, abi(1, 5n), Number.POSITIVE_INFINITY)
    const split = await kernelOf(code, abi(1, 5n), 1)
    expect(whole.parts.length).toBe(1)
    expect(whole.scratchColumns).toBe(0)
    expect(split.parts.length).toBeGreaterThan(1)
    expect(split.scratchColumns).toBeGreaterThan(0)
    for (const field of ['inputs', 'lookups', 'stores', 'logs', 'guards', 'output', 'outputColumns'] as const) {
      expect(split[field]).toEqual(whole[field])
    }
  })

  test('have no literal of a lane, a clone or a block', async () => {
    const data = abi(1, 0x1234567890abcdefn)
    const { parts } = await kernelOf(code, data)
    const text = parts.join('\n')
    for (const limb of [0x90abcdefn, 0x12345678n, 0xccddeeffn, 0x00112234n, 0x65000000n])
      expect(text).not.toContain(`${limb}u`)
  })

  test('of a path that all passes have seen keep its guards in order', async () => {
    const path = await pathOf(worldOf(code), transaction({ data: abi(1, 5n) }))
    const guards = path.effects.flatMap((effect) => (effect.kind === 'guard' ? [effect.meaning] : []))
    expect(lowerPath(path, { steps: 0, recordedValues: 0 }).guards.map((guard) => guard.meaning)).toEqual(guards)
    expect(PASSES.length).toBeGreaterThan(2)
  })
})
