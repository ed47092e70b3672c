import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { BlockEnvironment } from './environment.ts'

/**
 * A batch of decoded transactions as structure-of-arrays. Transaction i:
 *
 * type             u8[n]          0 legacy, 1 EIP-2930, 2 EIP-1559, 3 EIP-4844, 4 EIP-7702, 0x7e OP-stack deposit
 * nonce, gasLimit  u32[2 n]       64-bit, low limb first
 * maxFeePerGas, maxPriorityFeePerGas   u32[8 n] words, wei per gas; both are the gas price for types 0 and 1
 * value            u32[8 n]       words, wei
 * from, to         u32[5 n]       addresses as limbs (transpiler/layout/word.ts); `to` is zero where `creates` is 1
 * creates          u8[n]          1 = contract creation
 * data             bytes          calldata of i is data[dataStart[i] .. dataStart[i + 1]]
 * access lists     entries of i are accessStart[i] .. accessStart[i + 1]; entry e has address accessAddress[5 e ..] and
 *                  keys accessKeyStart[e] .. accessKeyStart[e + 1], each a word in accessKey[8 k ..]
 * extras           what only types 3, 4 and 0x7e have, by index; empty in most batches
 *
 * Example: {@link encodeBatch}.
 */
export interface TransactionBatch {
  readonly count: number
  readonly type: Uint8Array
  readonly nonce: Uint32Array
  readonly gasLimit: Uint32Array
  readonly maxFeePerGas: Uint32Array
  readonly maxPriorityFeePerGas: Uint32Array
  readonly value: Uint32Array
  readonly from: Uint32Array
  readonly to: Uint32Array
  readonly creates: Uint8Array
  readonly data: Uint8Array
  readonly dataStart: Uint32Array
  readonly accessStart: Uint32Array
  readonly accessAddress: Uint32Array
  readonly accessKeyStart: Uint32Array
  readonly accessKey: Uint32Array
  readonly extras: ReadonlyMap<number, TransactionExtras>
}

/** Room that a batch needs beyond its fixed columns. */
export interface BatchSizes {
  readonly dataBytes: number
  readonly accessEntries: number
  readonly accessKeys: number
}

/** A batch of `count` transactions with every column zero and every offset table to be filled. */
export const emptyBatch = (count: number, sizes: BatchSizes): TransactionBatch => ({
  count,
  type: new Uint8Array(count),
  nonce: new Uint32Array(2 * count),
  gasLimit: new Uint32Array(2 * count),
  maxFeePerGas: new Uint32Array(LIMBS_PER_WORD * count),
  maxPriorityFeePerGas: new Uint32Array(LIMBS_PER_WORD * count),
  value: new Uint32Array(LIMBS_PER_WORD * count),
  from: new Uint32Array(LIMBS_PER_ADDRESS * count),
  to: new Uint32Array(LIMBS_PER_ADDRESS * count),
  creates: new Uint8Array(count),
  data: new Uint8Array(sizes.dataBytes),
  dataStart: new Uint32Array(count + 1),
  accessStart: new Uint32Array(count + 1),
  accessAddress: new Uint32Array(LIMBS_PER_ADDRESS * sizes.accessEntries),
  accessKeyStart: new Uint32Array(sizes.accessEntries + 1),
  accessKey: new Uint32Array(LIMBS_PER_WORD * sizes.accessKeys),
  extras: new Map(),
})

/** Calldata of transaction i: a view, not a copy. */
export const transactionData = (batch: TransactionBatch, i: number): Uint8Array =>
  batch.data.subarray(batch.dataStart[i]!, batch.dataStart[i + 1]!)

export const TYPE_BLOB = 3
export const TYPE_SET_CODE = 4
export const TYPE_DEPOSIT = 0x7e

/**
 * One EIP-7702 authorization as signed. `authority` is the recovered signer (0x-hex); undefined where the signature is
 * bad. Execution asks for no more; the signature stands beside it where it is known.
 *
 * Example: {@link TransactionExtras}.
 */
export interface Authorization {
  readonly chainId: bigint
  readonly address: string
  readonly nonce: bigint
  readonly authority: string | undefined
  readonly signature?: AuthorizationSignature
}

/**
 * The signature of an authorization (EIP-7702): parity of y, and the two numbers of ECDSA over secp256k1.
 *
 * Example: {@link TransactionExtras}.
 */
export interface AuthorizationSignature {
  readonly yParity: bigint
  readonly r: bigint
  readonly s: bigint
}

/**
 * What only some types of transactions have: blobs (EIP-4844), authorizations (EIP-7702), deposits of the OP stack.
 *
 * @example
 * import type { TransactionExtras } from 'wgevm'
 *
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const extras: TransactionExtras = {
 *   authorizations: [{ chainId: 1n, address: bob, nonce: 0n, authority: alice }],
 * }
 * console.log(extras.authorizations?.length) // 1
 */
export interface TransactionExtras {
  /** Type 3: wei per blob gas. */
  readonly maxFeePerBlobGas?: bigint
  /** Type 3: 0x-hex, 32 bytes each. */
  readonly blobVersionedHashes?: readonly string[]
  /** Type 4. */
  readonly authorizations?: readonly Authorization[]
  /** Type 0x7e: wei made for the sender before execution; no fee is paid and the nonce is not checked. */
  readonly deposit?: { readonly sourceHash: string; readonly mint: bigint; readonly isSystem: boolean }
}

/**
 * One transaction in object form, for the edge of the library. Addresses and data are 0x-hex; values, prices and fees
 * are wei as bigint. Where `type` is absent it follows from the fields (see `encodeBatch`).
 *
 * @example
 * import type { TransactionObject } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const payment: TransactionObject = { from: alice, to: bob, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n, value: 1n }
 * console.log(payment.type) // undefined
 */
export interface TransactionObject extends TransactionExtras {
  readonly type?: 0 | 1 | 2 | 3 | 4 | 0x7e
  readonly from: string
  /** Absent for a creation. */
  readonly to?: string
  readonly nonce: bigint
  readonly gasLimit: bigint
  /**
   * Of types 0 and 1; alone in a type with fee caps it is both of them. Beside both caps, where `type` is given, it is
   * what the transaction paid, as nodes tell it: it must agree with the caps, and is not used.
   */
  readonly gasPrice?: bigint
  readonly maxFeePerGas?: bigint
  readonly maxPriorityFeePerGas?: bigint
  readonly value?: bigint
  readonly data?: string
  readonly accessList?: readonly { readonly address: string; readonly storageKeys: readonly string[] }[]
}

/**
 * A block as the executor takes it apart from its header: what its transactions see, and the transactions.
 *
 * Example: {@link ExecuteRequest}.
 */
export interface Block {
  readonly env: BlockEnvironment
  readonly transactions: TransactionBatch
}
