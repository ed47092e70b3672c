import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { FORKS, type Fork } from '../../transpiler/spec/forks.ts'
import {
  checkFlag,
  checkNames,
  checkObject,
  checkOneOf,
  checkUnsigned,
  type Names,
  refuse,
} from '../primitives/input.ts'
import { rlpInteger } from '../primitives/rlp.ts'
import { addressFromBytes, wordFromBytes } from '../primitives/word.ts'
import {
  emptyBatch,
  type TransactionBatch,
  type TransactionExtras,
  TYPE_BLOB,
  TYPE_DEPOSIT,
  TYPE_SET_CODE,
} from './batch.ts'
import { TransactionInputError } from './encode_batch.ts'
import { checkPacked, type PackedTransactions, packTransactions, type SignedTransactions } from './packed.ts'
import { endAt, payloadAt } from './rlp_items.ts'
import { SignatureColumns, type Signatures } from './signatures.ts'
import { authorizationExtras, blobExtras, DEPOSIT_FROM, depositExtras } from './signed_extras.ts'
import { type FieldTable, isRead, ROW_ENTRIES, type Shape, scanTransaction, shapeOf, typeAt } from './signed_fields.ts'
import { bytesAt, copyBytes, fixedAt, integerAt } from './signed_items.ts'
import { fillPlain, scanPlain } from './signed_plain.ts'

/**
 * Options of `decodeSigned`. `chainId` is what every transaction that names a chain must name (EIP-155).
 *
 * @example
 * import { type DecodeOptions, decodeSigned, type TransactionInputError } from 'wgevm'
 *
 * const faults = new Map<number, TransactionInputError>()
 * const options: DecodeOptions = { chainId: 1n, faults }
 * decodeSigned([Uint8Array.of(0xff)], options)
 * console.log(faults.has(0)) // true
 */
export interface DecodeOptions {
  readonly chainId: bigint
  /**
   * Whose rules signatures meet: before homestead s may be in the upper half of the order (EIP-2), before
   * spuriousDragon no transaction names a chain (EIP-155). Default: those of today.
   */
  readonly fork?: Fork
  /** Whether deposits, which are not signed, are read: only on a chain of the OP stack. */
  readonly deposits?: boolean
  /**
   * Takes by index why a transaction cannot be read, where that must not end the call: its row is then of zeros, has no
   * sender, and is never valid.
   */
  readonly faults?: Map<number, TransactionInputError>
}

/**
 * Decoded transactions before recovery: `from` is zero but for deposits, and authorizations have no authority. `fault`
 * ended the decoding at row `decoded`; the rows before it stand.
 */
export interface SignedBatch {
  readonly batch: DecodedBatch
  readonly signatures: Signatures
  readonly decoded: number
  readonly fault: TransactionInputError | undefined
}

type DecodedBatch = TransactionBatch & { readonly extras: Map<number, TransactionExtras> }

/**
 * Signed transactions to columns.
 *
 * Strict: canonical RLP and integers, fields of the right length, the chain's id, s in the lower half (EIP-2), unless
 * the fork is before these rules. A legacy transaction without a chain id (before EIP-155) is accepted. Throws
 * TransactionInputError where the bytes are no transaction, before any row is decoded.
 *
 * Two passes over one buffer: the first finds the fields of all transactions and the sizes of the columns, the second
 * fills them; plain transactions (signed_plain.ts) have a way of their own. Only types 3, 4 and 0x7e make an object
 * each, their extras. Signing hashes are made when they are read, from the bytes as they then are.
 *
 * Cost: 0.5 us per ERC-20 payment, and as much again for its signing hash.
 */
export const decodeSignedBatch = (transactions: SignedTransactions, options: DecodeOptions): SignedBatch => {
  const { packed, missing } = packedOf(transactions)
  checkDecodeOptions(options)
  const { chainId, fork, deposits = false, faults } = options
  const count = packed.offsets.length - 1
  const table = { ...packed, at: new Uint32Array(ROW_ENTRIES * count) }
  const sizes = { dataBytes: 0, accessEntries: 0, accessKeys: 0 }
  const chainIdRlp = rlpInteger(chainId)
  const isPlain = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    if (scanPlain(table, chainIdRlp, i, sizes)) {
      isPlain[i] = 1
      continue
    }
    try {
      if (missing?.has(i)) throw new TransactionInputError(i, NO_TRANSACTION_BYTES)
      scanTransaction(table, i, deposits, sizes)
    } catch (thrown) {
      if (faults === undefined || !(thrown instanceof TransactionInputError)) throw thrown
      faults.set(i, thrown)
      table.at[ROW_ENTRIES * i] = 0
    }
  }
  const batch = { ...emptyBatch(count, sizes), extras: new Map<number, TransactionExtras>() }
  const columns = new SignatureColumns(table, count, chainId, fork)
  const { decoded, fault } = fillRows(batch, table, isPlain, columns, faults)
  return { batch: trimmed(batch), signatures: columns.finish(), decoded, fault }
}

const OPTIONS: Names<DecodeOptions> = { chainId: true, fork: true, deposits: true, faults: true }

const checkDecodeOptions = (options: DecodeOptions): void => {
  checkNames(checkObject(options, 'options'), OPTIONS, 'option')
  const { chainId, fork, deposits, faults } = options
  checkUnsigned(chainId, 256, 'options.chainId')
  if (fork !== undefined) checkOneOf(fork, FORKS, 'options.fork')
  checkFlag(deposits, 'options.deposits')
  if (faults !== undefined && !(faults instanceof Map)) refuse('options.faults', faults, 'a Map')
}

/** The batch without the room of rows that could not be decoded. */
const trimmed = (batch: DecodedBatch): DecodedBatch => {
  const entries = batch.accessStart[batch.count]!
  const keys = batch.accessKeyStart[entries]!
  return {
    ...batch,
    data: batch.data.subarray(0, batch.dataStart[batch.count]),
    accessAddress: batch.accessAddress.subarray(0, LIMBS_PER_ADDRESS * entries),
    accessKeyStart: batch.accessKeyStart.subarray(0, entries + 1),
    accessKey: batch.accessKey.subarray(0, LIMBS_PER_WORD * keys),
  }
}

/** Fills the rows that were read, up to the first that cannot be decoded where there is nowhere to keep its fault. */
const fillRows = (
  batch: DecodedBatch,
  table: FieldTable,
  isPlain: Uint8Array,
  columns: SignatureColumns,
  faults: Map<number, TransactionInputError> | undefined,
): Pick<SignedBatch, 'decoded' | 'fault'> => {
  const cursor = { entry: 0, key: 0 }
  const { count, type, dataStart, accessStart } = batch
  for (let i = 0; i < count; i++) {
    const { entry, key } = cursor
    accessStart[i + 1] = entry
    if (isPlain[i] === 1) {
      fillPlain(batch, table, i)
      columns.readPlain(i)
      continue
    }
    dataStart[i + 1] = dataStart[i]!
    if (!isRead(table, i)) continue
    try {
      const found = typeAt(table, i)
      const shape = shapeOf(found)!
      type[i] = found
      decodeRow(batch, table, cursor, shape, i)
      if (found !== TYPE_DEPOSIT) columns.read(found, shape, i)
      accessStart[i + 1] = cursor.entry
    } catch (thrown) {
      if (!(thrown instanceof TransactionInputError)) throw thrown
      if (faults === undefined) return { decoded: i, fault: thrown }
      faults.set(i, thrown)
      cursor.entry = entry
      cursor.key = key
      dataStart[i + 1] = dataStart[i]!
      blankRow(batch, i)
    }
  }
  return { decoded: count, fault: undefined }
}

/**
 * Takes a row that has a fault out of the batch: every column of fixed width is zero, so no rule lets it pass (its gas
 * limit is below any intrinsic gas), and no type asks for extras. Calldata and access list, where it has them, stay.
 */
export const blankRow = (batch: DecodedBatch, i: number): void => {
  batch.type[i] = 0
  batch.creates[i] = 0
  blank(batch.nonce, 2, i)
  blank(batch.gasLimit, 2, i)
  blank(batch.maxFeePerGas, LIMBS_PER_WORD, i)
  blank(batch.maxPriorityFeePerGas, LIMBS_PER_WORD, i)
  blank(batch.value, LIMBS_PER_WORD, i)
  blank(batch.from, LIMBS_PER_ADDRESS, i)
  blank(batch.to, LIMBS_PER_ADDRESS, i)
  batch.extras.delete(i)
}

const blank = (column: Uint32Array, limbs: number, i: number): void => {
  column.fill(0, limbs * i, limbs * (i + 1))
}

/** Why something in an array is no transaction. */
export const NO_TRANSACTION_BYTES = 'expected the bytes of a signed transaction'

/** The buffer, and which of an array are no bytes. */
export const packedOf = (
  transactions: SignedTransactions,
): { readonly packed: PackedTransactions; readonly missing: ReadonlySet<number> | undefined } => {
  if (!Array.isArray(transactions)) {
    const { bytes, offsets } = checkPacked(transactions, 'transactions')
    // Without the class of a Buffer: one kind of array in all loops.
    return {
      packed: { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), offsets },
      missing: undefined,
    }
  }
  const packed = packTransactions(transactions)
  const missing = new Set<number>()
  for (let i = 0; i < transactions.length; i++) if (!(transactions[i] instanceof Uint8Array)) missing.add(i)
  return { packed, missing }
}

/** Entries and keys of access lists so far. */
interface AccessCursor {
  entry: number
  key: number
}

/** Row i of the batch without its signature. Throws TransactionInputError. */
const decodeRow = (batch: DecodedBatch, table: FieldTable, cursor: AccessCursor, shape: Shape, i: number): void => {
  const { bytes, at } = table
  const type = batch.type[i]!
  const row = ROW_ENTRIES * i
  if (shape.nonce >= 0) readQuantity(batch.nonce, 2 * i, 2, table, row + shape.nonce, 'nonce', i)
  readQuantity(batch.gasLimit, 2 * i, 2, table, row + shape.gasLimit, 'gas limit', i)
  const word = LIMBS_PER_WORD * i
  if (shape.fee >= 0) {
    readQuantity(batch.maxFeePerGas, word, LIMBS_PER_WORD, table, row + shape.fee, 'fee per gas', i)
    readQuantity(batch.maxPriorityFeePerGas, word, LIMBS_PER_WORD, table, row + shape.tip, 'priority fee', i)
  }
  readQuantity(batch.value, word, LIMBS_PER_WORD, table, row + shape.value, 'value', i)
  readRecipient(batch, table, type, row + shape.to, i)
  const dataEnd = at[row + shape.data + 1]!
  const data = payloadAt(bytes, at[row + shape.data]!)
  copyBytes(batch.data, batch.dataStart[i]!, bytes, data, dataEnd)
  batch.dataStart[i + 1] = batch.dataStart[i]! + dataEnd - data
  if (shape.accessList >= 0) readAccessList(batch, bytes, cursor, at[row + shape.accessList]!)
  if (type === TYPE_BLOB) batch.extras.set(i, blobExtras(table, i))
  if (type === TYPE_SET_CODE) batch.extras.set(i, authorizationExtras(table, i))
  if (type !== TYPE_DEPOSIT) return
  batch.extras.set(i, depositExtras(table, i))
  const from = fixedAt(bytes, at[row + DEPOSIT_FROM]!, at[row + DEPOSIT_FROM + 1]!, 20, 'from', i)
  addressFromBytes(batch.from, LIMBS_PER_ADDRESS * i, bytes, from)
}

const readRecipient = (
  batch: DecodedBatch,
  { bytes, at }: FieldTable,
  type: number,
  field: number,
  i: number,
): void => {
  const to = bytesAt(bytes, at[field]!, 'to', i)
  const length = at[field + 1]! - to
  if (length === 20) addressFromBytes(batch.to, LIMBS_PER_ADDRESS * i, bytes, to)
  else if (length !== 0) throw new TransactionInputError(i, `to has ${length} bytes, expected 0 or 20`)
  else if (type === TYPE_BLOB || type === TYPE_SET_CODE) throw new TransactionInputError(i, emptyTo(type))
  else batch.creates[i] = 1
}

/** What go-ethereum says of a type whose `to` may not be empty. */
const emptyTo = (type: number): string =>
  'rlp: input string too short for common.Address, decoding into (types.Transaction)' +
  `(types.${type === TYPE_BLOB ? 'BlobTx' : 'SetCodeTx'}).To`

/** A checked access list, behind those before it. */
const readAccessList = (batch: DecodedBatch, bytes: Uint8Array, cursor: AccessCursor, list: number): void => {
  const end = endAt(bytes, list)
  for (let entry = payloadAt(bytes, list); entry < end; entry = endAt(bytes, entry)) {
    const address = payloadAt(bytes, entry)
    addressFromBytes(batch.accessAddress, LIMBS_PER_ADDRESS * cursor.entry, bytes, payloadAt(bytes, address))
    const keys = endAt(bytes, address)
    const keysEnd = endAt(bytes, keys)
    for (let key = payloadAt(bytes, keys); key < keysEnd; key = endAt(bytes, key))
      wordFromBytes(batch.accessKey, LIMBS_PER_WORD * cursor.key++, bytes, payloadAt(bytes, key))
    batch.accessKeyStart[++cursor.entry] = cursor.key
  }
}

/** An integer without leading zeros into `limbs` limbs that are zero. */
const readQuantity = (
  dst: Uint32Array,
  at: number,
  limbs: number,
  table: FieldTable,
  field: number,
  name: string,
  i: number,
): void => {
  const { bytes } = table
  const end = table.at[field + 1]!
  const start = integerAt(bytes, table.at[field]!, end, 4 * limbs, name, i)
  for (let n = end - 1, shift = 0; n >= start; n--, shift++) {
    const limb = at + (shift >>> 2)
    dst[limb] = dst[limb]! | (bytes[n]! << (8 * (shift & 3)))
  }
}
