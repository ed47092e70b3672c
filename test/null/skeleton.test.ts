import { describe, expect, test } from 'vitest'
import { codeSkeleton, jumpDestinations } from '../../transpiler/skeleton.ts'
import { assemble } from '../fixtures/assembler.ts'

const push32 = (word: bigint): Uint8Array => assemble(`PUSH32 ${word} PUSH0 MSTORE PUSH1 32 PUSH0 RETURN`)
const ADDRESS = 0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48n

describe('a code skeleton', () => {
  test('is one for clones that differ in PUSH20 and PUSH32 immediates, and keeps each as a constant', () => {
    const code = (address: bigint, word: bigint) => assemble(`PUSH20 ${address} PUSH32 ${word} ADD STOP`)
    const one = codeSkeleton(code(ADDRESS, 0x1234n << 100n))
    const other = codeSkeleton(code(ADDRESS + 1n, 0x77n << 99n))
    expect(other.key).toBe(one.key)
    expect(other.codeHash).not.toBe(one.codeHash)
    expect(one.constants).toEqual([ADDRESS, 0x1234n << 100n])
    expect(one.immediates).toEqual([
      { offset: 1, length: 20 },
      { offset: 22, length: 32 },
    ])
  })

  test('keeps masks in the code, so that they fold', () => {
    const mask = (1n << 160n) - 1n
    expect(codeSkeleton(assemble(`PUSH20 ${mask} PUSH32 ${(1n << 256n) - (1n << 160n)} STOP`)).constants).toEqual([])
  })

  test('of a clone whose immediate is zero differs from that of a clone with a lifted immediate', () => {
    expect(codeSkeleton(push32(0n)).key).not.toBe(codeSkeleton(push32(5n << 100n)).key)
  })

  test('does not mistake the places for code', () => {
    const lifted = codeSkeleton(push32(5n << 100n))
    const zeroed = push32(0n)
    for (const tail of [
      [0, 0, 0, 1],
      [1, 0, 0, 0],
      [zeroed.length, 0, 0, 0, 1, 0, 0, 0],
    ]) {
      expect(codeSkeleton(Uint8Array.from([...zeroed, ...tail])).key).not.toBe(lifted.key)
    }
  })

  test('differs when any other byte differs', () => {
    const code = push32(5n << 100n)
    for (const at of [0, 33, 34, 35, 36, 37, 38]) {
      const changed = code.slice()
      changed[at] = changed[at]! ^ 0x01
      expect(codeSkeleton(changed).key, `byte ${at}`).not.toBe(codeSkeleton(code).key)
    }
  })

  test('leaves an immediate that runs past the end of code alone', () => {
    expect(codeSkeleton(Uint8Array.from([0x73, 1, 2, 3])).immediates).toEqual([])
  })
})

describe('jump destinations', () => {
  test('are JUMPDEST instructions and no bytes of an immediate', () => {
    const code = assemble('PUSH2 0x5b5b JUMPDEST PUSH1 0x5b JUMPDEST 0x615b')
    expect([...jumpDestinations(code).keys()].filter((pc) => jumpDestinations(code)[pc] === 1)).toEqual([3, 6])
  })
})
