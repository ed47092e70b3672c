import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { NO_SIGNATURE, type Signatures } from '../chain/signatures.ts'
import { addressOfPublicKey, recoverPublicKey, recoverPublicKeyByNoble } from '../primitives/secp256k1.ts'
import { addressFromBytes } from '../primitives/word.ts'
import type { RecoveredSenders } from './sender_recovery.ts'

/** What recovers on a thread: `native` where its binding loads, else noble; or `noble` in any case. */
export type Library = 'native' | 'noble'

const RECOVER = { native: recoverPublicKey, noble: recoverPublicKeyByNoble } as const

/** Who signed row i, into addresses[5 i ..]. False, and nothing written, where the row has no public key. */
export const recoverRow = (
  { hash, rs, parity }: Signatures,
  i: number,
  addresses: Uint32Array,
  library: Library = 'native',
): boolean => {
  if (parity[i] === NO_SIGNATURE) return false
  const signature = rs.subarray(64 * i, 64 * (i + 1))
  const publicKey = RECOVER[library](hash.subarray(32 * i, 32 * (i + 1)), signature, parity[i] === 0 ? 0 : 1)
  if (publicKey === undefined) return false
  addressFromBytes(addresses, LIMBS_PER_ADDRESS * i, addressOfPublicKey(publicKey), 0)
  return true
}

/** Room for the senders of so many rows. */
export const emptySenders = (count: number): RecoveredSenders => ({
  addresses: new Uint32Array(LIMBS_PER_ADDRESS * count),
  found: new Uint8Array(count),
})

/** The rows that `rows` names, one after another. */
export const selectSignatures = ({ hash, rs, parity }: Signatures, rows: ArrayLike<number>): Signatures => {
  const selected = { hash: new Uint8Array(32 * rows.length), rs: new Uint8Array(64 * rows.length) }
  const parities = new Uint8Array(rows.length)
  for (let n = 0; n < rows.length; n++) {
    const i = rows[n]!
    selected.hash.set(hash.subarray(32 * i, 32 * (i + 1)), 32 * n)
    selected.rs.set(rs.subarray(64 * i, 64 * (i + 1)), 64 * n)
    parities[n] = parity[i]!
  }
  return { ...selected, parity: parities }
}
