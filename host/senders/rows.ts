import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { NO_SIGNATURE, type Signatures } from '../chain/signatures.ts'
import { keccakMany } from '../primitives/keccak_many.ts'
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

/** Signatures whose rows have names: rows with the same one have the same sender. */
export type IdentifiedSignatures = Signatures & { readonly identity: Uint8Array }

/**
 * The same with a name for each row: the hash of the transaction, or of all that the row says. What was signed is not
 * hashed where no row is read.
 */
export const identified = (signatures: Signatures): IdentifiedSignatures => {
  const { rs, parity } = signatures
  return {
    rs,
    parity,
    identity: signatures.identity ?? hashesOfRows(signatures),
    get hash() {
      return signatures.hash
    },
  }
}

/** First byte of what is hashed for a row: no transaction begins with it, so none has the name of a row. */
const ROW = 0
const ROW_BYTES = 1 + 32 + 64 + 1

const hashesOfRows = ({ hash, rs, parity }: Signatures): Uint8Array => {
  const count = parity.length
  const bytes = new Uint8Array(ROW_BYTES * count)
  const offsets = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const at = ROW_BYTES * i
    offsets[i] = at
    bytes[at] = ROW
    bytes.set(hash.subarray(32 * i, 32 * (i + 1)), at + 1)
    bytes.set(rs.subarray(64 * i, 64 * (i + 1)), at + 33)
    bytes[at + ROW_BYTES - 1] = parity[i]!
  }
  return keccakMany({ count, bytes, offsets, lengths: new Uint32Array(count).fill(ROW_BYTES) })
}

/** Rows and after them others. Neither kind of hash is read before it is asked for. */
export const joinSignatures = (first: Signatures, second: Signatures): Signatures => ({
  rs: joined(first.rs, second.rs),
  parity: joined(first.parity, second.parity),
  get hash() {
    return joined(first.hash, second.hash)
  },
  get identity() {
    return joined(identified(first).identity, identified(second).identity)
  },
})

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

/** The first rows, with these parities. Neither kind of hash is read before it is asked for. */
export const firstSignatures = (signatures: Signatures, parity: Uint8Array): Signatures => ({
  rs: signatures.rs.subarray(0, 64 * parity.length),
  parity,
  get hash() {
    return signatures.hash.subarray(0, 32 * parity.length)
  },
  get identity() {
    return signatures.identity?.subarray(0, 32 * parity.length)
  },
})

/** The rows that `rows` names, one after another. */
export const selectSignatures = (from: IdentifiedSignatures, rows: ArrayLike<number>): IdentifiedSignatures => {
  const { hash, rs, parity, identity } = from
  const count = rows.length
  const to = { hash: new Uint8Array(32 * count), rs: new Uint8Array(64 * count), parity: new Uint8Array(count) }
  const names = new Uint8Array(32 * count)
  for (let n = 0; n < count; n++) {
    const i = rows[n]!
    to.hash.set(hash.subarray(32 * i, 32 * (i + 1)), 32 * n)
    to.rs.set(rs.subarray(64 * i, 64 * (i + 1)), 64 * n)
    to.parity[n] = parity[i]!
    names.set(identity.subarray(32 * i, 32 * (i + 1)), 32 * n)
  }
  return { ...to, identity: names }
}
