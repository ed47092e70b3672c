import { bigIntToBytes, generateAddress, generateAddress2 } from '@ethereumjs/util'
import { describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { createdAddress, saltedAddress } from '../../host/tiers/cpu/ethereumjs/created_address.ts'

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('the address of a created contract', () => {
  test('is that of the stock library at nonces of every length', () => {
    const from = bytesOf('6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0')
    expect(hexOf(createdAddress(from, 0n))).toBe('cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d')
    for (const nonce of [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x100n, 0xffffn, (1n << 32n) - 1n, (1n << 64n) - 2n])
      expect(createdAddress(from, nonce), `nonce ${nonce}`).toEqual(generateAddress(from, bigIntToBytes(nonce)))
  })

  test('with a salt is that of EIP-1014, and of the stock library at any length of initcode', () => {
    const salt = new Uint8Array(32)
    const named = (from: string, initcode: string) => hexOf(saltedAddress(bytesOf(from), salt, bytesOf(initcode)))
    expect(named('00'.repeat(20), '00')).toBe('4d1a2e2bb4f88f0250f26ffff098b0b30b26bf38')
    expect(named('00'.repeat(20), '')).toBe('e33c0c7f7df4809055c3eba6c09cfe4baf1bd9e0')
    const random = createRandom(1, 'salted addresses')
    const draw = (length: number) => Uint8Array.from({ length }, () => random.below(256))
    for (const length of [0, 1, 31, 135, 136, 137, 1000]) {
      const [from, own, initcode] = [draw(20), draw(32), draw(length)]
      expect(saltedAddress(from, own, initcode), `${length} bytes`).toEqual(generateAddress2(from, own, initcode))
    }
  })
})
