import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as word from '../../host/primitives/word.ts'

const MAX = (1n << 256n) - 1n
const EDGES = [
  0n,
  1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 64n - 1n,
  2n ** 128n,
  2n ** 255n,
  MAX - 1n,
  MAX,
]
const words = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: 0n, max: MAX }),
  fc.bigInt({ min: 0n, max: 2n ** 96n }),
)
const at = (value: bigint, offset = 8): Uint32Array => {
  const a = new Uint32Array(24).fill(0xdeadbeef)
  word.wordFromBigInt(a, offset, value)
  return a
}

describe('word arithmetic on limbs', () => {
  it('adds like bigint and returns the carry', () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        const dst = new Uint32Array(24)
        const carry = word.wordAdd(dst, 16, at(a), 8, at(b), 8)
        expect(word.wordToBigInt(dst, 16)).toBe((a + b) & MAX)
        expect(carry).toBe(a + b > MAX ? 1 : 0)
        expect(dst.subarray(0, 16).some((limb) => limb !== 0)).toBe(false)
      }),
      { seed: 1, numRuns: 2000 },
    )
  })

  it('subtracts like bigint and returns the borrow, also in place', () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        const dst = at(a)
        const borrow = word.wordSub(dst, 8, dst, 8, at(b), 8)
        expect(word.wordToBigInt(dst, 8)).toBe((a - b) & MAX)
        expect(borrow).toBe(a < b ? 1 : 0)
        expect(dst[7]).toBe(0xdeadbeef)
        expect(dst[16]).toBe(0xdeadbeef)
      }),
      { seed: 2, numRuns: 2000 },
    )
  })

  it('compares, and finds equality and zero', () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        expect(word.wordCompare(at(a), 8, at(b), 8)).toBe(a < b ? -1 : a > b ? 1 : 0)
        expect(word.wordEquals(at(a), 8, at(b), 8)).toBe(a === b)
        expect(word.wordEquals(at(a), 8, at(a, 0), 0)).toBe(true)
        expect(word.wordIsZero(at(a), 8)).toBe(a === 0n)
      }),
      { seed: 3, numRuns: 2000 },
    )
  })

  it('tells words apart that differ in one limb only', () => {
    for (let limb = 0; limb < 8; limb++) {
      const a = at(5n)
      const b = at(5n)
      b[8 + limb] = (b[8 + limb]! ^ 0x80000000) >>> 0
      expect(word.wordEquals(a, 8, b, 8)).toBe(false)
      expect(word.wordCompare(a, 8, b, 8)).toBe(-1)
      expect(word.wordIsZero(b, 8)).toBe(false)
    }
  })

  it('multiplies by a u32 like bigint and returns the overflow', () => {
    const multipliers = fc.oneof(
      fc.constantFrom(0, 1, 0xffff, 0x1f_ffff, 0x20_0000, 30_000_000, 0xffff_ffff),
      fc.integer({ min: 0, max: 0xffff_ffff }),
    )
    fc.assert(
      fc.property(words, multipliers, (a, m) => {
        const dst = at(a)
        const overflow = word.wordMulSmall(dst, 8, dst, 8, m)
        const product = a * BigInt(m)
        expect(word.wordToBigInt(dst, 8)).toBe(product & MAX)
        expect(BigInt(overflow)).toBe(product >> 256n)
        expect(dst[16]).toBe(0xdeadbeef)
      }),
      { seed: 4, numRuns: 4000 },
    )
  })

  it('multiplies by whole numbers up to 2^53', () => {
    fc.assert(
      fc.property(words, fc.bigInt(0n, 2n ** 53n - 1n), (a, m) => {
        const dst = at(a)
        word.wordMulNumber(dst, 8, dst, 8, Number(m))
        expect(word.wordToBigInt(dst, 8)).toBe((a * m) & MAX)
        expect(dst[16]).toBe(0xdeadbeef)
      }),
      { seed: 5, numRuns: 2000 },
    )
    // Prices and gas of every day, and what stands at their ends.
    const prices = fc.oneof(fc.bigInt(0n, 2n ** 66n), fc.constantFrom(2n ** 64n - 1n, 2n ** 64n, 2n ** 32n - 1n))
    const gas = fc.oneof(fc.integer({ min: 0, max: 2 ** 22 }), fc.constantFrom(2 ** 21 - 1, 2 ** 21, 2 ** 21 + 1))
    fc.assert(
      fc.property(prices, gas, (a, m) => {
        const dst = at(a)
        word.wordMulNumber(dst, 8, dst, 8, m)
        expect(word.wordToBigInt(dst, 8)).toBe(a * BigInt(m))
        expect([dst[7], dst[16]]).toEqual([0xdeadbeef, 0xdeadbeef])
      }),
      { seed: 6, numRuns: 2000 },
    )
  })

  it('converts words to numbers only below 2^53', () => {
    expect(word.wordToNumber(at(2n ** 53n - 1n), 8)).toBe(2 ** 53 - 1)
    expect(word.wordToNumber(at(2n ** 53n), 8)).toBe(Infinity)
    expect(word.wordToNumber(at(2n ** 64n), 8)).toBe(Infinity)
    const dst = at(MAX)
    word.wordFromNumber(dst, 8, 2 ** 53)
    expect(word.wordToBigInt(dst, 8)).toBe(2n ** 53n)
  })
})

describe('word conversions', () => {
  it('round-trips bigint, hex and bytes', () => {
    fc.assert(
      fc.property(words, (a) => {
        const hex = word.wordToHex(at(a), 8)
        expect(hex).toBe(`0x${a.toString(16).padStart(64, '0')}`)
        const dst = new Uint32Array(16)
        word.wordFromHex(dst, 8, hex)
        expect(word.wordToBigInt(dst, 8)).toBe(a)
        word.wordFromHex(dst, 8, a.toString(16))
        expect(word.wordToBigInt(dst, 8)).toBe(a)
        const bytes = new Uint8Array(40)
        word.wordToBytes(bytes, 4, dst, 8)
        expect(Buffer.from(bytes.subarray(4, 36)).toString('hex')).toBe(hex.slice(2))
        const back = new Uint32Array(8)
        word.wordFromBytes(back, 0, bytes, 4)
        expect(word.wordToBigInt(back, 0)).toBe(a)
      }),
      { seed: 5, numRuns: 500 },
    )
  })

  it('round-trips addresses and leaves their neighbours alone', () => {
    const hex = '0x00112233445566778899aabbccddeeff01020304'
    const limbs = new Uint32Array(15).fill(7)
    word.addressFromHex(limbs, 5, hex)
    expect(word.addressToHex(limbs, 5)).toBe(hex)
    expect([limbs[4], limbs[10]]).toEqual([7, 7])
    const bytes = new Uint8Array(22)
    word.addressToBytes(bytes, 1, limbs, 5)
    expect(Buffer.from(bytes).toString('hex')).toBe(`00${hex.slice(2)}00`)
    word.addressFromBytes(limbs, 0, bytes, 1)
    expect(word.addressToHex(limbs, 0)).toBe(hex)
  })

  it('refuses hex that is too long, too short for an address, or not hex', () => {
    const dst = new Uint32Array(8)
    expect(() => word.wordFromHex(dst, 0, `0x${'1'.repeat(65)}`)).toThrow(RangeError)
    expect(() => word.wordFromHex(dst, 0, '0xgg')).toThrow(RangeError)
    expect(() => word.addressFromHex(dst, 0, '0x1234')).toThrow(RangeError)
  })

  it('keeps 64-bit quantities in two limbs', () => {
    const dst = new Uint32Array(4)
    word.quantityFromBigInt(dst, 2, 2n ** 64n - 3n)
    expect(word.quantityToBigInt(dst, 2)).toBe(2n ** 64n - 3n)
    expect(dst[1]).toBe(0)
  })
})
