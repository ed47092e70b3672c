import { bytesToHex } from '../primitives/hex.ts'
import type { Authorization, TransactionExtras } from './batch.ts'
import { TransactionInputError } from './encode_batch.ts'
import { endAt, isListAt, payloadAt } from './rlp_items.ts'
import { type FieldTable, ROW_ENTRIES } from './signed_fields.ts'
import { bigintOf, fixedAt, integerAt } from './signed_items.ts'

/** Blob fields of type 3 and authorizations of type 4 stand after the access list. */
const BLOB_FEE = 9
const BLOB_HASHES = 10
const AUTHORIZATIONS = 9
/** Fields of a deposit: source hash, sender, to, mint, value, gas limit, is system, data. */
const DEPOSIT_SOURCE = 0
export const DEPOSIT_FROM = 1
const DEPOSIT_MINT = 3
const DEPOSIT_SYSTEM = 6

/** Type 3 (EIP-4844). */
export const blobExtras = ({ bytes, at }: FieldTable, i: number): TransactionExtras => {
  const row = ROW_ENTRIES * i
  const list = at[row + BLOB_HASHES]!
  const end = at[row + BLOB_HASHES + 1]!
  if (!isListAt(bytes, list)) throw new TransactionInputError(i, 'blob hashes: expected a list')
  const maxFeePerBlobGas = integerOf(bytes, at[row + BLOB_FEE]!, list, 32, 'fee per blob gas', i)
  const blobVersionedHashes: string[] = []
  for (let hash = payloadAt(bytes, list); hash < end; hash = endAt(bytes, hash))
    blobVersionedHashes.push(hexOf(bytes, hash, 32, 'a versioned hash', i))
  return { maxFeePerBlobGas, blobVersionedHashes }
}

/** Type 0x7e. */
export const depositExtras = ({ bytes, at }: FieldTable, i: number): TransactionExtras => {
  const row = ROW_ENTRIES * i
  const integer = (field: number, maxBytes: number, name: string): bigint =>
    integerOf(bytes, at[row + field]!, at[row + field + 1]!, maxBytes, name, i)
  const isSystem = integer(DEPOSIT_SYSTEM, 1, 'is system')
  if (isSystem > 1n) throw new TransactionInputError(i, `is system is ${isSystem}, expected 0 or 1`)
  return {
    deposit: {
      sourceHash: hexOf(bytes, at[row + DEPOSIT_SOURCE]!, 32, 'source hash', i),
      mint: integer(DEPOSIT_MINT, 32, 'mint'),
      isSystem: isSystem === 1n,
    },
  }
}

const TUPLE_FIELDS = 6

/** Type 4 (EIP-7702): (chain id, address, nonce, y parity, r, s) each. */
export const authorizationExtras = ({ bytes, at }: FieldTable, i: number): TransactionExtras => {
  const list = at[ROW_ENTRIES * i + AUTHORIZATIONS]!
  if (!isListAt(bytes, list)) throw new TransactionInputError(i, 'authorizations: expected a list')
  const end = endAt(bytes, list)
  const authorizations: Authorization[] = []
  for (let tuple = payloadAt(bytes, list); tuple < end; tuple = endAt(bytes, tuple))
    authorizations.push(authorizationAt(bytes, tuple, i))
  return { authorizations }
}

const authorizationAt = (bytes: Uint8Array, tuple: number, i: number): Authorization => {
  const end = endAt(bytes, tuple)
  const fields: number[] = []
  if (isListAt(bytes, tuple))
    for (let field = payloadAt(bytes, tuple); field < end; field = endAt(bytes, field)) fields.push(field)
  if (fields.length !== TUPLE_FIELDS) throw new TransactionInputError(i, 'an authorization is a list of 6 fields')
  const integer = (field: number, maxBytes: number, name: string): bigint =>
    integerOf(bytes, fields[field]!, fields[field + 1] ?? end, maxBytes, `authorization ${name}`, i)
  const signed = {
    chainId: integer(0, 32, 'chain id'),
    address: hexOf(bytes, fields[1]!, 20, 'authorization address', i),
    nonce: integer(2, 8, 'nonce'),
  }
  const signature = { yParity: integer(3, 1, 'y parity'), r: integer(4, 32, 'r'), s: integer(5, 32, 's') }
  return { ...signed, authority: undefined, signature }
}

const integerOf = (bytes: Uint8Array, head: number, end: number, maxBytes: number, name: string, i: number): bigint =>
  bigintOf(bytes, integerAt(bytes, head, end, maxBytes, name, i), end)

const hexOf = (bytes: Uint8Array, head: number, length: number, name: string, i: number): string => {
  const start = fixedAt(bytes, head, endAt(bytes, head), length, name, i)
  return bytesToHex(bytes.subarray(start, start + length))
}
