import type { PrecompileFunc } from '@ethereumjs/evm'
import { BN254_COORDINATES, BN254_SCALARS, bn254Curve } from './curves.ts'

const WORD_BYTES = 32
const HEAD_BYTES = 3 * WORD_BYTES
const INPUT_BYTES = HEAD_BYTES + 3 * WORD_BYTES
/** Lengths of base, exponent and modulus: a word each. */
const WORDS_HEAD = Buffer.from('20'.padStart(64, '0').repeat(3), 'hex')

/**
 * MODEXP (EIP-198) where the modulus is the order of a field of bn254, in mcl, since verifiers of proofs invert there
 * by powers: 20 us instead of 110. Every other input, and the price of all, is `reference`'s, the precompile
 * of @ethereumjs/evm.
 */
export const modexpOver =
  (reference: PrecompileFunc): PrecompileFunc =>
  (input) => {
    const { data } = input
    const power = powerOf(data)
    if (power === undefined) return reference(input)
    // Modulo zero the reference computes nothing but the price.
    const priced = Uint8Array.from(data)
    priced.fill(0, INPUT_BYTES - WORD_BYTES, INPUT_BYTES)
    const finish = (result: Awaited<ReturnType<PrecompileFunc>>) =>
      result.exceptionError === undefined ? { ...result, returnValue: power() } : result
    const result = reference({ ...input, data: priced })
    return result instanceof Promise ? result.then(finish) : finish(result)
  }

const powerOf = (data: Uint8Array): (() => Uint8Array) | undefined => {
  const mcl = bn254Curve.mcl
  if (mcl === undefined || data.length < INPUT_BYTES || WORDS_HEAD.compare(data.subarray(0, HEAD_BYTES)) !== 0)
    return undefined
  const [base, exponent, modulus] = [0, 1, 2].map((n) =>
    data.subarray(HEAD_BYTES + n * WORD_BYTES, HEAD_BYTES + (n + 1) * WORD_BYTES),
  ) as [Uint8Array, Uint8Array, Uint8Array]
  const times = BigInt(`0x${Buffer.from(exponent).toString('hex')}`)
  if (BN254_SCALARS.equals(modulus))
    return () => {
      const value = new mcl.Fr()
      value.setBigEndianMod(base)
      return mcl.pow(value, times).serialize().reverse()
    }
  if (BN254_COORDINATES.equals(modulus))
    return () => {
      const value = new mcl.Fp()
      value.setBigEndianMod(base)
      return mcl.pow(value, times).serialize().reverse()
    }
  return undefined
}
