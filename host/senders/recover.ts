import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import type { Authorization, AuthorizationSignature, TransactionBatch } from '../chain/batch.ts'
import { TransactionInputError } from '../chain/encode_batch.ts'
import { NO_SIGNATURE, type SignedBatch } from '../chain/signed_batch.ts'
import { keccak256 } from '../primitives/keccak.ts'
import { rlpHex, rlpInteger, rlpList } from '../primitives/rlp.ts'
import { addressOfPublicKey, HALF_ORDER, recoverPublicKey } from '../primitives/secp256k1.ts'
import { addressFromBytes } from '../primitives/word.ts'

/**
 * The batch with its senders and authorities, in place. A signature without a public key is a fault of its row: it goes
 * into `faults`, or is thrown where there is none (TransactionInputError), like the fault that ended the decoding.
 *
 * Cost: a recovery (secp256k1.ts) for each sender and authority.
 */
export const recoverSenders = (signed: SignedBatch, faults?: Map<number, TransactionInputError>): TransactionBatch => {
  const { batch, signatures, decoded, fault } = signed
  const { hash, rs, parity } = signatures
  for (let i = 0; i < decoded; i++) {
    if (parity[i] === NO_SIGNATURE) continue
    const recovery = parity[i] === 0 ? 0 : 1
    const publicKey = recoverPublicKey(hash.subarray(32 * i, 32 * (i + 1)), rs.subarray(64 * i, 64 * (i + 1)), recovery)
    if (publicKey !== undefined) {
      addressFromBytes(batch.from, LIMBS_PER_ADDRESS * i, addressOfPublicKey(publicKey), 0)
      continue
    }
    const bad = new TransactionInputError(i, 'the signature has no public key')
    if (faults === undefined) throw bad
    faults.set(i, bad)
    batch.extras.delete(i)
  }
  if (fault !== undefined) throw fault
  for (const [i, { authorizations, ...extras }] of batch.extras) {
    if (authorizations !== undefined) batch.extras.set(i, { ...extras, authorizations: authorizations.map(recovered) })
  }
  return batch
}

const recovered = (authorization: Authorization): Authorization => ({
  ...authorization,
  authority: recoverAuthority(authorization, authorization.signature!),
})

/** First byte of what an authority signs (EIP-7702). */
const AUTHORIZATION_MAGIC = 0x05

/**
 * Who signed an EIP-7702 authorization (0x-hex in lower case), or undefined where the signature is bad: no such point,
 * s in the upper half, or a parity beyond 1. Such an authorization is skipped, but paid for.
 */
export const recoverAuthority = (
  { chainId, address, nonce }: Omit<Authorization, 'authority'>,
  { yParity, r, s }: AuthorizationSignature,
): string | undefined => {
  if (yParity > 1n || s > HALF_ORDER) return undefined
  const message = rlpList([rlpInteger(chainId), rlpHex(address), rlpInteger(nonce)])
  const hash = keccak256(Uint8Array.of(AUTHORIZATION_MAGIC, ...message))
  const signature = Buffer.from(r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0'), 'hex')
  const publicKey = recoverPublicKey(hash, new Uint8Array(signature), yParity === 0n ? 0 : 1)
  if (publicKey === undefined) return undefined
  return `0x${Buffer.from(addressOfPublicKey(publicKey)).toString('hex')}`
}
