import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { KERNELS, PRELUDE } from '../../kernels/linked.generated.ts'
import { BINDINGS, WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import { SETTLE_PARTS_LANES } from '../../transpiler/layout/settle.ts'
import { OPCODES } from '../../transpiler/spec/opcodes.ts'

const declarations = (kind: string): string[] =>
  [...PRELUDE.matchAll(new RegExp(`^${kind} (\\w+)`, 'gm'))].map((match) => match[1]!)

describe('the prelude', () => {
  it('has the function of every opcode, and what generated kernels call besides', () => {
    const functions = new Set(declarations('fn'))
    const called = [
      ...OPCODES.flatMap(({ wgsl }) => (wgsl === undefined ? [] : [wgsl])),
      ...'divmod byte_length from_u32 from_bool select fits_u32 low reverse_bytes shift_left shift_right add_carry'
        .split(' ')
        .map((name) => `u256_${name}`),
      ...'zero f init_20 init_32 init_64 absorb digest'.split(' ').map((name) => `keccak_${name}`),
      ...'slot_hash account_hash slot slot_value account constant'.split(' ').map((name) => `state_${name}`),
      ...'skeleton address balance exists'.split(' ').map((name) => `state_account_${name}`),
      ...'count in in_word out out_word index'.split(' ').map((name) => `lane_${name}`),
      'environment_word',
      'environment_skeleton',
    ]
    expect(called.filter((name) => !functions.has(name))).toEqual([])
  })

  it('declares no name twice', () => {
    const names = ['fn', 'struct', 'const', 'alias'].flatMap(declarations)
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    expect(names.length).toBeGreaterThan(80)
  })

  it('declares each binding of the execution layout once', () => {
    const bindings = [...PRELUDE.matchAll(/@group\((\d+)\) @binding\((\d+)\) var<([^>]*)>/g)]
    expect(bindings.map((match) => match[1])).toEqual(Object.values(BINDINGS).map(() => '0'))
    const spaces = new Map(bindings.map((match) => [Number(match[2]), match[3]]))
    expect([...spaces.keys()].sort()).toEqual(Object.values(BINDINGS).sort())
    for (const [binding, space] of spaces) {
      if (binding === BINDINGS.environment) expect(space).toBe('uniform')
      else expect(space).toBe(binding === BINDINGS.lanesOut ? 'storage, read_write' : 'storage, read')
    }
  })
})

describe('the linked kernels', () => {
  /** All but those of one workgroup in all, which is as large as a device must allow. */
  const sizeOf = (name: string): number => (name === 'settle_parts' ? SETTLE_PARTS_LANES : WORKGROUP_SIZE)

  it('have one entry point each, of the same name and workgroup size as every kernel', () => {
    const sources = readdirSync(new URL('../../kernels/entry/', import.meta.url))
    expect(Object.keys(KERNELS)).toEqual(sources.map((file) => file.replace(/\.wgsl$/, '')).sort())
    for (const [name, wgsl] of Object.entries(KERNELS)) {
      const entries = [...wgsl.matchAll(/@compute\s+@workgroup_size\((\d+)\)\s+fn (\w+)/g)]
      expect(entries.map((match) => [match[2], Number(match[1])])).toEqual([[name, sizeOf(name)]])
    }
  })
})
