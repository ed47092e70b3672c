import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { bytesToHex, hexToBytes } from '../../primitives/hex.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import { addressToBytes, wordEquals, wordFromBytes, wordFromHex, wordToBytes } from '../../primitives/word.ts'
import { writeShort } from '../short_number.ts'
import type { AccountColumns } from '../state.ts'

/** Keys and values of accounts and slots as bytes; scratch of one caller at a time. */
export const ADDRESS_BYTES = 20
const WORD_BYTES = 32
export const SLOT_KEY_BYTES = ADDRESS_BYTES + WORD_BYTES

/** A head byte, nonce, code hash, balance. */
export const MOST_ACCOUNT_BYTES = 1 + 8 + 2 * WORD_BYTES
const HAS_CODE = 0x80
const NONCE_LENGTH = 0x0f

export const EMPTY_CODE = new Uint32Array(LIMBS_PER_WORD)
wordFromHex(EMPTY_CODE, 0, EMPTY_CODE_HASH)

export const accountKey = (key: Uint8Array, addresses: Uint32Array, i: number): void =>
  addressToBytes(key, 0, addresses, LIMBS_PER_ADDRESS * i)

export const slotKey = (key: Uint8Array, addresses: Uint32Array, keys: Uint32Array, i: number): void => {
  addressToBytes(key, 0, addresses, LIMBS_PER_ADDRESS * i)
  wordToBytes(key, ADDRESS_BYTES, keys, LIMBS_PER_WORD * i)
}

/** The first key after all slots of an address. */
export const afterSlots = (address: Uint8Array): Uint8Array => {
  const end = new Uint8Array(SLOT_KEY_BYTES + 1).fill(0xff)
  end.set(address)
  return end
}

export const numberKey = (number: bigint): Uint8Array => {
  const key = Buffer.alloc(8)
  key.writeBigUInt64BE(number)
  return key
}

/** Of a key, or of a value that begins with one. */
export const numberOfKey = (key: Uint8Array): bigint =>
  Buffer.from(key.buffer, key.byteOffset, key.length).readBigUInt64BE()

const scratch = new Uint8Array(MOST_ACCOUNT_BYTES)
const word = new Uint8Array(WORD_BYTES)

/**
 * Writes the record of an account to `to` from `first` on: a byte with the length of the nonce and whether there is
 * code, the nonce without leading zeros, the code hash where there is code, the balance without leading zeros. Returns
 * where it ends.
 *
 * code   the hash stands there from codeAt on; undefined: there is no code
 */
export const writeAccount = (
  to: Uint8Array,
  first: number,
  nonce: Uint32Array,
  nonceAt: number,
  balance: Uint32Array,
  balanceAt: number,
  code: Uint8Array | undefined,
  codeAt: number,
): number => {
  let at = writeShort(to, first + 1, nonce, nonceAt, 2)
  to[first] = (at - 1 - first) | (code === undefined ? 0 : HAS_CODE)
  if (code !== undefined) for (let n = 0; n < WORD_BYTES; n++) to[at++] = code[codeAt + n]!
  return writeShort(to, at, balance, balanceAt, LIMBS_PER_WORD)
}

/** Account i of columns as a record. The bytes are good until the next call. */
export const encodeAccount = ({ nonce, balance, codeHash }: AccountColumns, i: number): Uint8Array => {
  const hasCode = !wordEquals(codeHash, LIMBS_PER_WORD * i, EMPTY_CODE, 0)
  if (hasCode) wordToBytes(word, 0, codeHash, LIMBS_PER_WORD * i)
  const code = hasCode ? word : undefined
  return scratch.subarray(0, writeAccount(scratch, 0, nonce, 2 * i, balance, LIMBS_PER_WORD * i, code, 0))
}

/** Such a record as account i of columns; false where it is none. */
export const decodeAccount = (columns: AccountColumns, i: number, record: Uint8Array, length: number): boolean => {
  const nonceLength = record[0]! & NONCE_LENGTH
  const hasCode = (record[0]! & HAS_CODE) !== 0
  const balanceAt = 1 + nonceLength + (hasCode ? WORD_BYTES : 0)
  const balanceLength = length - balanceAt
  if (nonceLength > 8 || balanceLength < 0 || balanceLength > WORD_BYTES) return false
  columns.exists[i] = 1
  let low = 0
  let high = 0
  for (let n = 1; n <= nonceLength; n++) {
    high = ((high << 8) | (low >>> 24)) >>> 0
    low = ((low << 8) | record[n]!) >>> 0
  }
  columns.nonce[2 * i] = low
  columns.nonce[2 * i + 1] = high
  if (hasCode) wordFromBytes(columns.codeHash, LIMBS_PER_WORD * i, record, 1 + nonceLength)
  else columns.codeHash.set(EMPTY_CODE, LIMBS_PER_WORD * i)
  decodeWord(columns.balance, i, record, balanceAt, balanceLength)
  return true
}

/** Value i of words without leading zeros, empty where it is zero. The bytes are good until the next call. */
export const encodeWord = (values: Uint32Array, i: number): Uint8Array =>
  scratch.subarray(0, writeShort(scratch, 0, values, LIMBS_PER_WORD * i, LIMBS_PER_WORD))

/** Such a value as word i. */
export const decodeWord = (values: Uint32Array, i: number, bytes: Uint8Array, at: number, length: number): void => {
  word.fill(0, 0, WORD_BYTES - length)
  for (let n = 0; n < length; n++) word[WORD_BYTES - length + n] = bytes[at + n]!
  wordFromBytes(values, LIMBS_PER_WORD * i, word, 0)
}

/** Columns of so many accounts that do not exist. */
export const absentAccounts = (count: number): AccountColumns => {
  const codeHash = new Uint32Array(LIMBS_PER_WORD * count)
  for (let i = 0; i < count; i++) codeHash.set(EMPTY_CODE, LIMBS_PER_WORD * i)
  return {
    exists: new Uint8Array(count),
    nonce: new Uint32Array(2 * count),
    balance: new Uint32Array(LIMBS_PER_WORD * count),
    codeHash,
  }
}

/** The one block whose state is on disk. Hashes are 0x-hex. */
export interface DiskHead {
  readonly number: bigint
  readonly hash: string
  readonly stateRoot: string
}

export const encodeHead = ({ number, hash, stateRoot }: DiskHead): Uint8Array =>
  Buffer.concat([numberKey(number), hexToBytes(hash), hexToBytes(stateRoot)])

export const decodeHead = (bytes: Uint8Array): DiskHead | undefined =>
  bytes.length !== 8 + 2 * WORD_BYTES
    ? undefined
    : { number: numberOfKey(bytes), hash: bytesToHex(bytes.subarray(8, 40)), stateRoot: bytesToHex(bytes.subarray(40)) }
