import { describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { decodeReceiptList, encodeReceiptList } from '../../host/chain/receipt_list.ts'
import { rlpBytes, rlpInteger, rlpList } from '../../host/primitives/rlp.ts'

const random = createRandom(1, 'receipt list')
const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.below(256))

/** With so many bytes of its bloom that are not zero. */
const bloomOf = (filled: number): Uint8Array => {
  const bloom = new Uint8Array(256)
  const places = Array.from({ length: 256 }, (_, n) => n)
  for (let n = 0; n < filled; n++) bloom[places.splice(random.below(places.length), 1)[0]!] = 1 + random.below(255)
  return bloom
}

const receiptOf = (type: number, first: Uint8Array, gas: bigint, bloom: Uint8Array, rest: Uint8Array[]): Uint8Array => {
  const fields = rlpList([first, rlpInteger(gas), rlpBytes(bloom), ...rest])
  return type === 0 ? fields : Uint8Array.of(type, ...fields)
}

const STATUS = [Uint8Array.of(1), Uint8Array.of(0x80), rlpBytes(bytesOf(32))]
const GASES = [1n, 0x7fn, 0x80n, 21_000n, 2n ** 40n, 2n ** 200n]
const RECEIPTS = [0, 1, 126, 127, 128, 129, 255, 256].flatMap((filled) =>
  STATUS.flatMap((status) =>
    GASES.map((gas, n) => {
      const logs = rlpList(n % 2 === 0 ? [] : [rlpBytes(bytesOf(1 + random.below(90)))])
      const deposit = n % 3 === 0 ? [rlpInteger(5), rlpInteger(1)] : []
      return receiptOf([0, 1, 2, 0x7e][n % 4]!, status, gas, bloomOf(filled), [logs, ...deposit])
    }),
  ),
)

const listOf = (receipts: readonly Uint8Array[]): Uint8Array =>
  encodeReceiptList({
    bytes: Uint8Array.from(Buffer.concat(receipts)),
    lengths: Uint32Array.from(receipts, ({ length }) => length),
  })

const hexOf = (receipts: readonly Uint8Array[]): string[] => receipts.map((bytes) => Buffer.from(bytes).toString('hex'))

describe('receipts as they are kept', () => {
  test('come back byte by byte, alone and together, with any status, gas, bloom, and what follows', () => {
    for (const receipt of RECEIPTS) expect(hexOf(decodeReceiptList(listOf([receipt])))).toEqual(hexOf([receipt]))
    expect(hexOf(decodeReceiptList(listOf(RECEIPTS)))).toEqual(hexOf(RECEIPTS))
    expect(decodeReceiptList(listOf([]))).toEqual([])
  })

  test('leave the zeros of blooms out', () => {
    const payments = Array.from({ length: 1000 }, () => receiptOf(2, STATUS[0]!, 21_000n, bloomOf(0), [rlpList([])]))
    expect(listOf(payments).length).toBeLessThan(25 * payments.length)
    const tokens = payments.map(() => receiptOf(2, STATUS[0]!, 21_000n, bloomOf(12), [rlpList([])]))
    expect(listOf(tokens).length).toBeLessThan(50 * payments.length)
  })

  test('of folders before schema 4 are a list of RLP', () => {
    expect(hexOf(decodeReceiptList(rlpList(RECEIPTS.map(rlpBytes))))).toEqual(hexOf(RECEIPTS))
    expect(decodeReceiptList(rlpList([]))).toEqual([])
  })

  test('that end early or say too much are refused', () => {
    const list = listOf(RECEIPTS.slice(0, 1))
    for (let end = 2; end < list.length; end++)
      expect(() => decodeReceiptList(list.subarray(0, end))).toThrow(RangeError)
    for (const [at, value] of [
      [1, 0xff],
      [5, 0xff],
      [4, 0],
    ] as const) {
      const wrong = list.slice()
      wrong[at] = value
      expect(() => decodeReceiptList(wrong)).toThrow(RangeError)
    }
  })

  test('of folders before schema 4 that end early, or are no list of byte strings, are refused', () => {
    const list = rlpList(RECEIPTS.slice(0, 1).map(rlpBytes))
    for (let end = 0; end < list.length; end++)
      expect(() => decodeReceiptList(list.subarray(0, end))).toThrow(RangeError)
    for (const wrong of [rlpBytes(list), rlpList([list]), Uint8Array.of(...list, 1)])
      expect(() => decodeReceiptList(wrong)).toThrow(RangeError)
  })

  test('with any few bytes changed are refused with RangeError, or are bytes', () => {
    for (const whole of [listOf(RECEIPTS.slice(0, 20)), rlpList(RECEIPTS.slice(0, 20).map(rlpBytes))])
      for (let n = 0; n < 500; n++) {
        const list = whole.slice()
        for (let k = random.below(3); k >= 0; k--) list[random.below(k === 0 ? 24 : list.length)] = random.below(256)
        let receipts: readonly Uint8Array[] = []
        try {
          receipts = decodeReceiptList(list)
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(RangeError)
        }
        expect(receipts.every((receipt) => receipt instanceof Uint8Array)).toBe(true)
      }
  })
})
