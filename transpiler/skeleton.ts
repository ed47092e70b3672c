import { bytesToHex, concatBytes } from '@noble/hashes/utils.js'
import { keccak256 } from './keccak256.ts'

/**
 * Code without what differs between instances of the same contract: PUSH20 and PUSH32 immediates (Solidity immutables,
 * linked addresses, hashes) are lifted into `constants` and zeroed in `skeleton`. Masks stay, so they still fold.
 *
 * Example: {@link codeSkeleton}.
 */
export interface CodeSkeleton {
  /**
   * 0x-hex keccak-256 of the code size, the zeroed code and where the immediates stand. That belongs to it: an
   * immediate that is zero itself stays, and looks like a lifted one.
   */
  readonly key: string
  readonly codeHash: bigint
  readonly codeBytes: number
  /** Lifted immediates in code order. */
  readonly constants: readonly bigint[]
  /** Offset of the first byte of each lifted immediate, and its length: 20 or 32 bytes. */
  readonly immediates: readonly { readonly offset: number; readonly length: 20 | 32 }[]
}

/**
 * Words of an account's constants before the lifted immediates: code hash and code size (layout/tables.ts).
 *
 * Example: {@link codeSkeleton}.
 */
export const CONSTANTS_BEFORE_IMMEDIATES = 2

const PUSH1 = 0x60
const PUSH20 = 0x73
const PUSH32 = 0x7f
const ALL_ONES = (1n << 256n) - 1n
const HALF_ONES = (1n << 128n) - 1n

export const bytesToWord = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(`0x${bytesToHex(bytes)}`))
const isMask = (value: bigint): boolean => (value & (value + 1n)) === 0n

/**
 * Code rather than an instance's constant: a run of ones at either end of the word (a mask), or a word whose lower half
 * is zero (a selector or a short text put at the start of memory). Immutables are padded on the left or use the whole
 * word.
 */
const isStructural = (value: bigint): boolean => isMask(value) || isMask(ALL_ONES ^ value) || (value & HALF_ONES) === 0n

const skeletons = new WeakMap<Uint8Array, CodeSkeleton>()

/**
 * The skeleton of a code. It is found once for each array, so a code must not be changed in place.
 *
 * @example
 * import { codeSkeleton } from 'wgevm/transpiler'
 *
 * const code = Uint8Array.of(0x73, ...new Uint8Array(20).fill(7), 0x50) // PUSH20, POP
 * console.log(codeSkeleton(code).immediates) // [ { offset: 1, length: 20 } ]
 */
export const codeSkeleton = (code: Uint8Array): CodeSkeleton => {
  const known = skeletons.get(code)
  if (known !== undefined) return known
  const skeleton = skeletonOf(code)
  skeletons.set(code, skeleton)
  return skeleton
}

const skeletonOf = (code: Uint8Array): CodeSkeleton => {
  const zeroed = code.slice()
  const constants: bigint[] = []
  const immediates: { offset: number; length: 20 | 32 }[] = []
  for (let pc = 0; pc < code.length; pc++) {
    const op = code[pc]!
    if (op < PUSH1 || op > PUSH32) continue
    const length = op - PUSH1 + 1
    const end = pc + 1 + length
    if ((op === PUSH20 || op === PUSH32) && end <= code.length) {
      const value = bytesToWord(code.subarray(pc + 1, end))
      if (!isStructural(value)) {
        constants.push(value)
        immediates.push({ offset: pc + 1, length: op === PUSH20 ? 20 : 32 })
        zeroed.fill(0, pc + 1, end)
      }
    }
    pc += length
  }
  const shape = Uint32Array.of(code.length, ...immediates.map(({ offset }) => offset))
  return {
    key: `0x${bytesToHex(keccak256(concatBytes(new Uint8Array(shape.buffer), zeroed)))}`,
    codeHash: bytesToWord(keccak256(code)),
    codeBytes: code.length,
    constants,
    immediates,
  }
}

const destinations = new WeakMap<Uint8Array, Uint8Array>()

/** Positions of JUMPDEST that are instructions, not immediates (YP 9.4.3): 1 at each. Found once for each array. */
export const jumpDestinations = (code: Uint8Array): Uint8Array => {
  const known = destinations.get(code)
  if (known !== undefined) return known
  const valid = new Uint8Array(code.length)
  for (let pc = 0; pc < code.length; pc++) {
    const op = code[pc]!
    if (op === 0x5b) valid[pc] = 1
    else if (op >= PUSH1 && op <= PUSH32) pc += op - PUSH1 + 1
  }
  destinations.set(code, valid)
  return valid
}
