import type { PrecompileResult } from '../../transpiler/layout/memo.ts'
import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { NO_SIGNATURE, type Signatures } from '../chain/signatures.ts'
import { addressToBytes } from '../primitives/word.ts'

export const ECRECOVER = 0x01

/** Recovers many signatures at once: addresses as limbs, and whether there is one, by row. */
export type RecoverSigners = (
  signatures: Signatures,
) => Promise<{ readonly addresses: Uint32Array; readonly found: Uint8Array }>

/** Hash, v, r and s of an input, 32 bytes each. */
const INPUT_BYTES = 128

/**
 * What ECRECOVER makes of many inputs (YP appendix E, Xi_REC): the address, in 32 bytes, or nothing where there is no
 * signature. Missing bytes are zero, those beyond are ignored; v is 27 or 28 as a whole word; s may be high.
 */
export const recoverAll = async (
  inputs: readonly Uint8Array[],
  gas: number,
  recover: RecoverSigners,
): Promise<PrecompileResult[]> => {
  const { addresses, found } = await recover(signaturesOf(inputs))
  return inputs.map((_, i) => {
    if (found[i] === 0) return { success: true, output: new Uint8Array(0), gas }
    const output = new Uint8Array(32)
    addressToBytes(output, 12, addresses, LIMBS_PER_ADDRESS * i)
    return { success: true, output, gas }
  })
}

const signaturesOf = (inputs: readonly Uint8Array[]): Signatures => {
  const hash = new Uint8Array(32 * inputs.length)
  const rs = new Uint8Array(64 * inputs.length)
  const parity = new Uint8Array(inputs.length)
  const padded = new Uint8Array(INPUT_BYTES)
  for (const [i, input] of inputs.entries()) {
    padded.fill(0)
    padded.set(input.subarray(0, INPUT_BYTES))
    hash.set(padded.subarray(0, 32), 32 * i)
    rs.set(padded.subarray(64), 64 * i)
    parity[i] = parityOf(padded)
  }
  return { hash, rs, parity }
}

/** Of v, the word at byte 32. */
const parityOf = (input: Uint8Array): number => {
  for (let at = 32; at < 63; at++) if (input[at] !== 0) return NO_SIGNATURE
  const v = input[63]
  return v === 27 || v === 28 ? v - 27 : NO_SIGNATURE
}
