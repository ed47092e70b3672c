import { keccak256 } from '../primitives/keccak.ts'
import { addressToBytes, wordToBytes } from '../primitives/word.ts'

/** Bytes of a log bloom: 2048 bits, bit 0 in the last byte (YP 4.3.1). */
export const BLOOM_BYTES = 256

const wordBytes = new Uint8Array(32)
const addressBytes = new Uint8Array(20)

/**
 * The three bit numbers of 32 hashed bytes: the low 11 bits of each of the first three byte pairs of their keccak-256.
 */
export const bloomIndicesOfWord = (dst: Uint16Array, word: Uint32Array, at: number): void => {
  wordToBytes(wordBytes, 0, word, at)
  bloomIndices(dst, wordBytes)
}

/** The three bit numbers of an address: 20 bytes are hashed. */
export const bloomIndicesOfAddress = (dst: Uint16Array, address: Uint32Array, at: number): void => {
  addressToBytes(addressBytes, 0, address, at)
  bloomIndices(dst, addressBytes)
}

/** The three bit numbers of what these bytes hash to. */
const bloomIndices = (dst: Uint16Array, bytes: Uint8Array): void => {
  const digest = keccak256(bytes)
  for (let n = 0; n < 3; n++) dst[n] = ((digest[2 * n]! << 8) | digest[2 * n + 1]!) & 2047
}

/** The same for 0x-hex. */
export const bloomIndicesOfHex = (hex: string): Uint16Array => {
  const indices = new Uint16Array(3)
  bloomIndices(indices, Buffer.from(hex.slice(2), 'hex'))
  return indices
}

/** Sets bit `index` (0 to 2047) in the bloom at `blooms[at..at + 256]`. */
export const setBloomBit = (blooms: Uint8Array, at: number, index: number): void => {
  const byte = at + BLOOM_BYTES - 1 - (index >>> 3)
  blooms[byte] = blooms[byte]! | (1 << (index & 7))
}

/** Whether the bloom at `blooms[at..at + 256]` has all of these bits. */
export const hasBloomBits = (blooms: Uint8Array, at: number, indices: Uint16Array): boolean => {
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n]!
    if ((blooms[at + BLOOM_BYTES - 1 - (index >>> 3)]! & (1 << (index & 7))) === 0) return false
  }
  return true
}

/**
 * of     u8[256 n]   a bloom per transaction
 * seen   u8[2048]    1 for each bit that any of them has
 */
export interface BloomSet {
  readonly of: Uint8Array
  readonly seen: Uint8Array
}

export const addBloomIndices = ({ of, seen }: BloomSet, i: number, indices: Uint16Array): void => {
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n]!
    setBloomBit(of, BLOOM_BYTES * i, index)
    seen[index] = 1
  }
}
