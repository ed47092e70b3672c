import { type BatchSizes, TYPE_BLOB, TYPE_DEPOSIT, TYPE_SET_CODE } from './batch.ts'
import { TransactionInputError } from './encode_batch.ts'
import type { PackedTransactions } from './packed.ts'
import { checkHead, checkItem, endAt, isListAt, payloadAt, RlpError } from './rlp_items.ts'

/**
 * Positions of the fields in the list of each type (EIP-2718; EIP-155, 2930, 1559, 4844, 7702; OP-stack specification
 * of deposits). -1: the type has none.
 */
export interface Shape {
  readonly fields: number
  readonly chainId: number
  readonly nonce: number
  readonly tip: number
  readonly fee: number
  readonly gasLimit: number
  readonly to: number
  readonly value: number
  readonly data: number
  readonly accessList: number
  readonly v: number
}

const LEGACY: Shape = {
  fields: 9,
  chainId: -1,
  nonce: 0,
  tip: 1,
  fee: 1,
  gasLimit: 2,
  to: 3,
  value: 4,
  data: 5,
  accessList: -1,
  v: 6,
}
export const DYNAMIC: Shape = {
  fields: 12,
  chainId: 0,
  nonce: 1,
  tip: 2,
  fee: 3,
  gasLimit: 4,
  to: 5,
  value: 6,
  data: 7,
  accessList: 8,
  v: 9,
}
const ACCESS: Shape = { ...DYNAMIC, fields: 11, fee: 2, gasLimit: 3, to: 4, value: 5, data: 6, accessList: 7, v: 8 }
const BLOB: Shape = { ...DYNAMIC, fields: 14, v: 11 }
const SET_CODE: Shape = { ...DYNAMIC, fields: 13, v: 10 }
const DEPOSIT: Shape = {
  fields: 8,
  chainId: -1,
  nonce: -1,
  tip: -1,
  fee: -1,
  gasLimit: 5,
  to: 2,
  value: 4,
  data: 7,
  accessList: -1,
  v: -1,
}

/** By type; undefined: no such type. */
export const shapeOf = (type: number): Shape | undefined => {
  switch (type) {
    case 0:
      return LEGACY
    case 1:
      return ACCESS
    case 2:
      return DYNAMIC
    case TYPE_BLOB:
      return BLOB
    case TYPE_SET_CODE:
      return SET_CODE
    case TYPE_DEPOSIT:
      return DEPOSIT
    default:
      return undefined
  }
}

/** Entries of a row of the table below: where its fields start, and where the last one ends. */
export const ROW_ENTRIES = BLOB.fields + 1

/**
 * Where the fields of packed transactions are: field f of transaction i starts at at[15 i + f], with its RLP header,
 * and ends where the next one starts. A row that cannot be read starts with zero.
 */
export interface FieldTable extends PackedTransactions {
  readonly at: Uint32Array
}

/** 0 for a legacy transaction: its first byte is that of a list. */
const typeOf = (first: number): number => (first >= 0xc0 ? 0 : first)

/** Type of transaction i, which was read. */
export const typeAt = ({ bytes, offsets }: FieldTable, i: number): number => typeOf(bytes[offsets[i]!]!)

/** Whether row i was read. */
export const isRead = ({ at }: FieldTable, i: number): boolean => at[ROW_ENTRIES * i] !== 0

export type MutableSizes = { -readonly [Name in keyof BatchSizes]: BatchSizes[Name] }

/**
 * Row i of the table, and what the columns of the transaction take: its RLP is checked, the number of its fields, its
 * calldata and its access list. Throws TransactionInputError.
 */
export const scanTransaction = (table: FieldTable, i: number, deposits: boolean, sizes: MutableSizes): void => {
  const { bytes, offsets, at } = table
  const start = offsets[i]!
  const end = offsets[i + 1]!
  if (start === end) throw new TransactionInputError(i, 'no bytes')
  const first = bytes[start]!
  const type = typeOf(first)
  const shape = shapeOf(type)
  if (shape === undefined || (type === 0 && first < 0xc0) || (type === TYPE_DEPOSIT && !deposits))
    throw new TransactionInputError(i, `type ${first} is not supported`)
  const { fields, data, accessList } = shape
  const row = ROW_ENTRIES * i
  if (scanFields(table, row, type === 0 ? start : start + 1, end, i) !== fields) {
    throw new TransactionInputError(i, `a transaction of type ${type} is a list of ${fields} fields`)
  }
  const dataAt = at[row + data]!
  if (isListAt(bytes, dataAt)) throw new TransactionInputError(i, 'data is a list, expected bytes')
  if (accessList >= 0) scanAccessList(bytes, at[row + accessList]!, sizes, i)
  sizes.dataBytes += at[row + data + 1]! - payloadAt(bytes, dataAt)
}

/**
 * Enters the fields of the list that is all of listAt .. end; how many they are, or -1 where it is not a list. Fields
 * too many go to the rows after this one, which are entered later.
 */
const scanFields = (table: FieldTable, row: number, listAt: number, end: number, i: number): number => {
  const { bytes, at } = table
  try {
    const listEnd = checkHead(bytes, listAt, end)
    const isList = isListAt(bytes, listAt)
    let count = 0
    if (isList)
      for (let item = payloadAt(bytes, listAt); item < listEnd; count++) {
        at[row + count] = item
        item = checkItem(bytes, item, listEnd, 1)
      }
    if (listEnd !== end) throw new RlpError('unread bytes left')
    at[row + count] = listEnd
    return isList ? count : -1
  } catch (thrown) {
    if (!(thrown instanceof RlpError)) throw thrown
    throw new TransactionInputError(i, `malformed RLP: ${thrown.message}`)
  }
}

/** Counts entries and keys: a list of (address, list of keys), EIP-2930. */
const scanAccessList = (bytes: Uint8Array, listAt: number, sizes: MutableSizes, i: number): void => {
  if (!isListAt(bytes, listAt)) refuseList(i, 'expected a list')
  const end = endAt(bytes, listAt)
  let entryCount = 0
  let keyCount = 0
  for (let entry = payloadAt(bytes, listAt); entry < end; ) {
    const entryEnd = endAt(bytes, entry)
    const address = payloadAt(bytes, entry)
    if (!isListAt(bytes, entry)) refuseList(i, 'an entry is an address and a list of keys')
    // Of an empty entry it lies beyond the entry's end, and so does the end that is compared.
    const keys = endAt(bytes, address)
    if (keys === entryEnd || endAt(bytes, keys) !== entryEnd) refuseList(i, 'an entry is an address and a list of keys')
    if (isListAt(bytes, address) || keys - payloadAt(bytes, address) !== 20) refuseList(i, 'an address has 20 bytes')
    if (!isListAt(bytes, keys)) refuseList(i, 'expected a list of keys')
    for (let key = payloadAt(bytes, keys); key < entryEnd; ) {
      const next = endAt(bytes, key)
      if (isListAt(bytes, key) || next - payloadAt(bytes, key) !== 32) refuseList(i, 'a storage key has 32 bytes')
      keyCount++
      key = next
    }
    entryCount++
    entry = entryEnd
  }
  sizes.accessEntries += entryCount
  sizes.accessKeys += keyCount
}

const refuseList = (i: number, what: string): never => {
  throw new TransactionInputError(i, `access list: ${what}`)
}
