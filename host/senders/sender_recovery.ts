import type { Signatures } from '../chain/signatures.ts'

/**
 * Who signed, by row of `Signatures`:
 *
 * addresses   u32[5 n]   as limbs (transpiler/layout/word.ts); zero where there is none
 * found       u8[n]      1: the signature has a public key; 0: it has none, or the row is not signed (NO_SIGNATURE)
 */
export interface RecoveredSenders {
  readonly addresses: Uint32Array
  readonly found: Uint8Array
}

/** Asked between the steps of a recovery. */
export interface RecoveryStop {
  /** Throws what the caller is to get, once the recovery is to end early. */
  check(): void
}

/**
 * Recovers senders (ECDSA over secp256k1, SEC 1 4.1.6). r and s are 1 to n - 1, s may be in the upper half, and the
 * x of the signature's point is r itself, as in the ECRECOVER precompile and in transactions.
 */
export interface SenderRecovery {
  readonly name: 'device' | 'workers' | 'thread'
  /** Rejects with what `stop` throws, or with a fault of the form: then nothing of the result counts. */
  recover(signatures: Signatures, stop?: RecoveryStop): Promise<RecoveredSenders>
  close(): void
}
