import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { Authorization, AuthorizationSignature, TransactionBatch, TransactionExtras } from '../chain/batch.ts'
import { TransactionInputError } from '../chain/encode_batch.ts'
import { NO_SIGNATURE, type Signatures } from '../chain/signatures.ts'
import { blankRow, type SignedBatch } from '../chain/signed_batch.ts'
import { keccak256 } from '../primitives/keccak.ts'
import { rlpHex, rlpInteger, rlpList } from '../primitives/rlp.ts'
import { HALF_ORDER } from '../primitives/secp256k1.ts'
import { addressToHex, wordFromBigInt, wordToBytes } from '../primitives/word.ts'
import { emptySenders, firstSignatures, joinSignatures, recoverRow } from './rows.ts'
import type { RecoveredSenders } from './sender_recovery.ts'

/** Recovers the senders of rows, in bulk. */
export type RecoverRows = (signatures: Signatures) => Promise<RecoveredSenders>

/** What a recovery of a batch is told beside it. */
export interface RecoverTerms {
  /** Takes bad rows; without it the first one is thrown. */
  readonly faults?: Map<number, TransactionInputError> | undefined
  /** u32[5 n]: senders that are taken as given; zero where the sender is not known. */
  readonly known?: Uint32Array | undefined
}

/**
 * The batch with its senders and authorities, in place. A signature without a public key is a fault of its row: it goes
 * into `faults`, or is thrown where there is none (TransactionInputError), like the fault that ended the decoding.
 *
 * Cost: a recovery (secp256k1.ts) for each sender and authority, on this thread.
 */
export const recoverSenders = (signed: SignedBatch, terms: RecoverTerms = {}): TransactionBatch => {
  const rows = rowsOf(signed, terms.known)
  if (rows === undefined) return enterSenders(signed, NO_ROWS, emptySenders(0), terms)
  const { hash, rs, parity } = rows.signatures
  const senders = emptySenders(parity.length)
  for (let i = 0; i < parity.length; i++)
    if (recoverRow({ hash, rs, parity }, i, senders.addresses)) senders.found[i] = 1
  return enterSenders(signed, rows, senders, terms)
}

/** The same in one bulk call of `recover`. */
export const recoverSendersBulk = async (
  signed: SignedBatch,
  recover: RecoverRows,
  terms: RecoverTerms = {},
): Promise<TransactionBatch> => {
  const rows = rowsOf(signed, terms.known)
  if (rows === undefined) return enterSenders(signed, NO_ROWS, emptySenders(0), terms)
  return enterSenders(signed, rows, await recover(rows.signatures), terms)
}

/** Signatures of decoded transactions, and after them those of their authorizations, in the order of `extras`. */
interface Rows {
  readonly signatures: Signatures
  readonly transactions: number
}

/** Undefined where there is nothing to recover: then what was signed is not hashed either. */
const rowsOf = ({ batch, signatures, decoded }: SignedBatch, known: Uint32Array | undefined): Rows | undefined => {
  const tuples = authorizationsOf(batch.extras)
  const parity = unknownOf(signatures.parity.subarray(0, decoded), known)
  if (tuples.length === 0 && parity.every((value) => value === NO_SIGNATURE)) return undefined
  const ofTransactions = firstSignatures(signatures, parity)
  if (tuples.length === 0) return { signatures: ofTransactions, transactions: decoded }
  const count = tuples.length
  const columns = { hash: new Uint8Array(32 * count), rs: new Uint8Array(64 * count), parity: new Uint8Array(count) }
  for (const [n, tuple] of tuples.entries()) writeAuthorization(columns, n, tuple, tuple.signature!)
  return { signatures: joinSignatures(ofTransactions, columns), transactions: decoded }
}

const NO_ROWS = { transactions: 0 }

/** The parities, with no signature where the sender is known. */
const unknownOf = (parity: Uint8Array, known: Uint32Array | undefined): Uint8Array =>
  known === undefined ? parity : parity.map((value, i) => (isKnown(known, i) ? NO_SIGNATURE : value))

const isKnown = (known: Uint32Array, i: number): boolean => {
  const at = LIMBS_PER_ADDRESS * i
  return (known[at]! | known[at + 1]! | known[at + 2]! | known[at + 3]! | known[at + 4]!) !== 0
}

const authorizationsOf = (extras: ReadonlyMap<number, TransactionExtras>): Authorization[] => {
  const tuples: Authorization[] = []
  for (const { authorizations } of extras.values()) if (authorizations !== undefined) tuples.push(...authorizations)
  return tuples
}

const enterSenders = (
  { batch, signatures, decoded, fault }: SignedBatch,
  { transactions }: Pick<Rows, 'transactions'>,
  { addresses, found }: RecoveredSenders,
  { faults, known }: RecoverTerms,
): TransactionBatch => {
  const authorities = authoritiesOf(batch.extras, transactions, { addresses, found })
  for (let i = 0; i < decoded; i++) {
    if (signatures.parity[i] === NO_SIGNATURE) continue
    const at = LIMBS_PER_ADDRESS * i
    const isGiven = known !== undefined && isKnown(known, i)
    if (isGiven || found[i] === 1) {
      const from = isGiven ? known : addresses
      for (let limb = at; limb < at + LIMBS_PER_ADDRESS; limb++) batch.from[limb] = from[limb]!
      continue
    }
    const bad = new TransactionInputError(i, 'the signature has no public key')
    if (faults === undefined) throw bad
    faults.set(i, bad)
    blankRow(batch, i)
  }
  if (fault !== undefined) throw fault
  for (const [i, authorizations] of authorities) {
    const extras = batch.extras.get(i)
    if (extras !== undefined) batch.extras.set(i, { ...extras, authorizations })
  }
  return batch
}

/** The authorizations by transaction, with their authorities from row `first` on. */
const authoritiesOf = (
  extras: ReadonlyMap<number, TransactionExtras>,
  first: number,
  { addresses, found }: RecoveredSenders,
): Map<number, readonly Authorization[]> => {
  const recovered = new Map<number, readonly Authorization[]>()
  let row = first
  for (const [i, { authorizations }] of extras) {
    if (authorizations === undefined) continue
    recovered.set(
      i,
      authorizations.map((tuple) => {
        const authority = found[row] === 1 ? addressToHex(addresses, LIMBS_PER_ADDRESS * row) : undefined
        row++
        return { ...tuple, authority }
      }),
    )
  }
  return recovered
}

/** First byte of what an authority signs (EIP-7702). */
const AUTHORIZATION_MAGIC = 0x05

type SignedAuthorization = Omit<Authorization, 'authority'>

/**
 * Row i: what an authority has signed, or no signature where it is bad at sight (EIP-7702: s in the upper half, a
 * parity beyond 1, or an r that is no word).
 */
const writeAuthorization = (
  { hash, rs, parity }: Signatures,
  i: number,
  { chainId, address, nonce }: SignedAuthorization,
  { yParity, r, s }: AuthorizationSignature,
): void => {
  if (yParity > 1n || s > HALF_ORDER || r >> 256n !== 0n) {
    parity[i] = NO_SIGNATURE
    return
  }
  const message = rlpList([rlpInteger(chainId), rlpHex(address), rlpInteger(nonce)])
  hash.set(keccak256(Uint8Array.of(AUTHORIZATION_MAGIC, ...message)), 32 * i)
  writeWord(rs, 64 * i, r)
  writeWord(rs, 64 * i + 32, s)
  parity[i] = Number(yParity)
}

const word = new Uint32Array(LIMBS_PER_WORD)

const writeWord = (to: Uint8Array, at: number, value: bigint): void => {
  wordFromBigInt(word, 0, value)
  wordToBytes(to, at, word, 0)
}

/**
 * Who signed an EIP-7702 authorization (0x-hex in lower case), or undefined where the signature is bad: no such point,
 * s in the upper half, or a parity beyond 1. Such an authorization is skipped, but paid for.
 */
export const recoverAuthority = (
  authorization: SignedAuthorization,
  signature: AuthorizationSignature,
): string | undefined => {
  const signatures = { hash: new Uint8Array(32), rs: new Uint8Array(64), parity: new Uint8Array(1) }
  writeAuthorization(signatures, 0, authorization, signature)
  const addresses = new Uint32Array(LIMBS_PER_ADDRESS)
  return recoverRow(signatures, 0, addresses) ? addressToHex(addresses, 0) : undefined
}
