import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { expect, test, vi } from 'vitest'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'

/** Around the rate of 136 bytes, at which a block is full. */
const LENGTHS = [0, 1, 31, 32, 64, 135, 136, 137, 272, 1000]
const inputs = LENGTHS.map((length) => Uint8Array.from({ length }, (_, i) => (i * 73 + length) & 0xff))

test('keccak-256 gives the same before and after its WebAssembly is compiled', async () => {
  vi.resetModules()
  const loading = import('../../transpiler/keccak256.ts')
  // A module that awaited the compilation would be loaded with the compiled hash alone.
  const { keccak256, keccak256Hex, keccakCompiled } = await loading
  const hashes = () => inputs.map((input) => [keccak256(input), keccak256Hex(input)])
  const early = hashes()
  await keccakCompiled
  const late = hashes()
  expect(early).toEqual(late)
  expect(late).toEqual(inputs.map((input) => [keccak_256(input), `0x${bytesToHex(keccak_256(input))}`]))
  expect(keccak256Hex(new Uint8Array())).toBe(EMPTY_CODE_HASH)
  // A result is the caller's: the next hash leaves it alone.
  const kept = keccak256(inputs[3]!)
  keccak256(inputs[4]!)
  expect(kept).toEqual(late[3]![0])
})

test('keccak-256 is JavaScript where WebAssembly is not to be had', async () => {
  vi.resetModules()
  vi.doMock('hash-wasm', () => ({ createKeccak: () => Promise.reject(new Error('no WebAssembly here')) }))
  const { keccak256Hex, keccakCompiled } = await import('../../transpiler/keccak256.ts')
  await keccakCompiled
  expect(keccak256Hex(new Uint8Array())).toBe(EMPTY_CODE_HASH)
  vi.doUnmock('hash-wasm')
})
