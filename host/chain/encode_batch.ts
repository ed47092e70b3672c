import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { checkArray, checkNames, InputError, type Names, shown } from '../primitives/input.ts'
import {
  addressFromHex,
  addressToHex,
  quantityFromBigInt,
  quantityToBigInt,
  wordFromBigInt,
  wordFromHex,
  wordToBigInt,
  wordToHex,
} from '../primitives/word.ts'
import {
  emptyBatch,
  type TransactionBatch,
  type TransactionExtras,
  type TransactionObject,
  TYPE_BLOB,
  TYPE_DEPOSIT,
  TYPE_SET_CODE,
  transactionData,
} from './batch.ts'

/**
 * A transaction or call that cannot be read: its `index`, and the `reason` in one line. `encodeBatch`, `decodeSigned`
 * and the calls of an executor throw it before they have done anything.
 *
 * @example
 * import { encodeBatch, TransactionInputError } from 'wgevm'
 *
 * try {
 *   encodeBatch([{ from: '0xa11ce', nonce: 0n, gasLimit: 21_000n }])
 * } catch (error) {
 *   console.log(error instanceof TransactionInputError && error.index) // 0
 * }
 */
export class TransactionInputError extends InputError {
  override readonly name = 'TransactionInputError'
  declare readonly index: number
  readonly reason: string

  /** `field` and `value`, where one field is at fault. */
  constructor(index: number, reason: string, field = '', value?: unknown, noun = 'transaction') {
    super(`${noun} ${index}: ${reason}`, field, value, index)
    this.reason = reason
  }
}

/**
 * Transactions in object form to columns (TransactionBatch). Where `type` is absent it follows from the fields: fee
 * caps make type 2, an access list type 1. Throws TransactionInputError for a field that is missing, malformed or out
 * of range.
 *
 * @example
 * import { encodeBatch, wordToBigInt } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const batch = encodeBatch([{ from: alice, to: bob, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n, value: 5n }])
 * console.log(batch.count, wordToBigInt(batch.value, 0)) // 1 5n
 */
export const encodeBatch = (objects: readonly TransactionObject[]): TransactionBatch => {
  checkArray(objects, 'transactions', 'an array of transactions')
  let dataBytes = 0
  let accessEntries = 0
  let accessKeys = 0
  for (let i = 0; i < objects.length; i++) {
    const object = objects[i]!
    checkShape(object, i)
    dataBytes += dataLength(object, i)
    for (const entry of object.accessList ?? []) {
      accessEntries++
      accessKeys += entry.storageKeys.length
    }
  }
  const extras = new Map<number, TransactionExtras>()
  const batch = { ...emptyBatch(objects.length, { dataBytes, accessEntries, accessKeys }), extras }
  let entry = 0
  let key = 0
  for (let i = 0; i < objects.length; i++) {
    const object = objects[i]!
    const type = typeOf(object, i)
    batch.type[i] = type
    quantityFromBigInt(batch.nonce, 2 * i, unsigned(object.nonce, 64, 'nonce', i))
    quantityFromBigInt(batch.gasLimit, 2 * i, unsigned(object.gasLimit, 64, 'gasLimit', i))
    writeFees(batch, object, type, i)
    wordFromBigInt(batch.value, LIMBS_PER_WORD * i, unsigned(object.value ?? 0n, 256, 'value', i))
    writeAddress(batch.from, LIMBS_PER_ADDRESS * i, object.from, 'from', i)
    if (object.to === undefined) batch.creates[i] = 1
    else writeAddress(batch.to, LIMBS_PER_ADDRESS * i, object.to, 'to', i)
    batch.dataStart[i + 1] = batch.dataStart[i]! + dataLength(object, i)
    writeData(batch.data, batch.dataStart[i]!, object, i)
    if ((type === 0 || type === TYPE_DEPOSIT) && (object.accessList?.length ?? 0) > 0) {
      throw new TransactionInputError(i, `a transaction of type ${type} has no access list`)
    }
    const extra = extrasOf(object, type, i)
    if (extra !== undefined) extras.set(i, extra)
    for (const { address, storageKeys } of object.accessList ?? []) {
      writeAddress(batch.accessAddress, LIMBS_PER_ADDRESS * entry, address, 'access list address', i)
      for (const storageKey of storageKeys) writeKey(batch.accessKey, LIMBS_PER_WORD * key++, storageKey, i)
      batch.accessKeyStart[++entry] = key
    }
    batch.accessStart[i + 1] = entry
  }
  return batch
}

/**
 * Transaction i of a batch in object form. Types 2, 3 and 4 carry their fee caps, the others a gas price.
 *
 * @example
 * import { decodeTransaction, encodeBatch } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const batch = encodeBatch([{ from: alice, nonce: 7n, gasLimit: 60_000n, gasPrice: 1n, data: '0x00' }])
 * console.log(decodeTransaction(batch, 0).nonce) // 7n
 */
export const decodeTransaction = (batch: TransactionBatch, i: number): TransactionObject => {
  const type = batch.type[i] as NonNullable<TransactionObject['type']>
  const maxFeePerGas = wordToBigInt(batch.maxFeePerGas, LIMBS_PER_WORD * i)
  return {
    type,
    from: addressToHex(batch.from, LIMBS_PER_ADDRESS * i),
    ...(batch.creates[i] === 1 ? {} : { to: addressToHex(batch.to, LIMBS_PER_ADDRESS * i) }),
    nonce: quantityToBigInt(batch.nonce, 2 * i),
    gasLimit: quantityToBigInt(batch.gasLimit, 2 * i),
    ...(hasFeeCaps(type)
      ? { maxFeePerGas, maxPriorityFeePerGas: wordToBigInt(batch.maxPriorityFeePerGas, LIMBS_PER_WORD * i) }
      : { gasPrice: maxFeePerGas }),
    value: wordToBigInt(batch.value, LIMBS_PER_WORD * i),
    data: bytesToHex(transactionData(batch, i)),
    ...(type === 0 || type === TYPE_DEPOSIT ? {} : { accessList: accessListOf(batch, i) }),
    ...batch.extras.get(i),
  }
}

const accessListOf = (batch: TransactionBatch, i: number): NonNullable<TransactionObject['accessList']> => {
  const list: { address: string; storageKeys: string[] }[] = []
  for (let entry = batch.accessStart[i]!; entry < batch.accessStart[i + 1]!; entry++) {
    const storageKeys: string[] = []
    for (let key = batch.accessKeyStart[entry]!; key < batch.accessKeyStart[entry + 1]!; key++) {
      storageKeys.push(wordToHex(batch.accessKey, LIMBS_PER_WORD * key))
    }
    list.push({ address: addressToHex(batch.accessAddress, LIMBS_PER_ADDRESS * entry), storageKeys })
  }
  return list
}

const hasFeeCaps = (type: number): boolean => type >= 2 && type !== TYPE_DEPOSIT

/** What types 3, 4 and 0x7e have beyond the columns; undefined for the others. */
const extrasOf = (object: TransactionObject, type: number, i: number): TransactionExtras | undefined => {
  const { maxFeePerBlobGas, blobVersionedHashes, authorizations, deposit } = object
  const refuse = (what: string): never => {
    throw new TransactionInputError(i, what)
  }
  const only = (value: unknown, name: string, owner: number): void => {
    if (value !== undefined && type !== owner) refuse(`a transaction of type ${type} has no ${name}`)
  }
  only(maxFeePerBlobGas, 'maxFeePerBlobGas', TYPE_BLOB)
  only(blobVersionedHashes, 'blobVersionedHashes', TYPE_BLOB)
  only(authorizations, 'authorizations', TYPE_SET_CODE)
  only(deposit, 'deposit', TYPE_DEPOSIT)
  if (type === TYPE_BLOB) {
    if (maxFeePerBlobGas === undefined) return refuse('maxFeePerBlobGas is missing')
    if (!Array.isArray(blobVersionedHashes)) return refuse('blobVersionedHashes must be an array')
    for (const hash of blobVersionedHashes) checkWord(hash, 'a versioned hash', i)
    return {
      maxFeePerBlobGas: unsigned(maxFeePerBlobGas, 256, 'maxFeePerBlobGas', i),
      blobVersionedHashes: blobVersionedHashes.map((hash: string) => hash.toLowerCase()),
    }
  }
  if (type === TYPE_SET_CODE) {
    if (!Array.isArray(authorizations)) return refuse('authorizations must be an array')
    for (const entry of authorizations as NonNullable<typeof authorizations>) {
      if (typeof entry !== 'object' || entry === null)
        return refuse(`an authorization must be an object, got ${shown(entry)}`)
      const { address, authority, chainId, nonce } = entry
      checkAddress(address, 'authorization address', i)
      if (authority !== undefined) checkAddress(authority, 'authority', i)
      unsigned(chainId, 256, 'authorization chainId', i)
      unsigned(nonce, 64, 'authorization nonce', i)
    }
    return { authorizations }
  }
  if (type !== TYPE_DEPOSIT) return undefined
  if (deposit === undefined) return refuse('deposit is missing')
  checkWord(deposit.sourceHash, 'sourceHash', i)
  unsigned(deposit.mint, 256, 'mint', i)
  return { deposit }
}

const NAMES: Names<TransactionObject> = {
  type: true,
  from: true,
  to: true,
  nonce: true,
  gasLimit: true,
  gasPrice: true,
  maxFeePerGas: true,
  maxPriorityFeePerGas: true,
  value: true,
  data: true,
  accessList: true,
  maxFeePerBlobGas: true,
  blobVersionedHashes: true,
  authorizations: true,
  deposit: true,
}

/** An object with fields that are known, and an access list of the right shape. */
const checkShape = (object: TransactionObject, i: number): void => {
  if (typeof object !== 'object' || object === null || Array.isArray(object) || ArrayBuffer.isView(object)) {
    const hint = ArrayBuffer.isView(object) ? ' (decodeSigned reads signed bytes)' : ''
    throw new TransactionInputError(i, `it must be an object, got ${shown(object)}${hint}`, '', object)
  }
  try {
    checkNames(object, NAMES, 'field')
  } catch (thrown) {
    const { message, field, value } = thrown as InputError
    throw new TransactionInputError(i, message, field, value)
  }
  const { accessList } = object
  if (accessList === undefined) return
  const isList =
    Array.isArray(accessList) && accessList.every((entry) => entry !== null && Array.isArray(entry?.storageKeys))
  if (!isList)
    throw new TransactionInputError(
      i,
      `accessList must be an array of { address, storageKeys }, got ${shown(accessList)}`,
      'accessList',
      accessList,
    )
}

const typeOf = (object: TransactionObject, i: number): number => {
  const { type } = object
  if (type !== undefined) {
    if (!Number.isInteger(type) || type < 0 || type > 0x7f)
      throw new TransactionInputError(i, `type must be a number from 0 to 127, got ${shown(type)}`, 'type', type)
    return type
  }
  if (object.deposit !== undefined) return TYPE_DEPOSIT
  if (object.authorizations !== undefined) return TYPE_SET_CODE
  if (object.blobVersionedHashes !== undefined) return TYPE_BLOB
  if (object.maxFeePerGas !== undefined || object.maxPriorityFeePerGas !== undefined) return 2
  return object.accessList === undefined ? 0 : 1
}

/**
 * A transaction as a node gives it: it says its type and both fee caps, and its gas price is what it paid (or may pay,
 * where it is not in a block yet).
 */
const isMined = ({ type, gasPrice, maxFeePerGas, maxPriorityFeePerGas }: TransactionObject, has: number): boolean =>
  type !== undefined &&
  hasFeeCaps(has) &&
  gasPrice !== undefined &&
  maxFeePerGas !== undefined &&
  maxPriorityFeePerGas !== undefined

/** What was paid is at most the fee cap, and at least the tip as far as the cap lets it (EIP-1559), at any base fee. */
const checkPaid = ({ gasPrice, maxFeePerGas, maxPriorityFeePerGas }: TransactionObject, i: number): void => {
  const most = unsigned(maxFeePerGas!, 256, 'maxFeePerGas', i)
  const tip = unsigned(maxPriorityFeePerGas!, 256, 'maxPriorityFeePerGas', i)
  const paid = unsigned(gasPrice!, 256, 'gasPrice', i)
  if (paid <= most && (paid >= tip || paid === most)) return
  const reason = `gasPrice beside fee caps must be what a cap of ${most} and a tip of ${tip} let it pay, got ${paid}`
  throw new TransactionInputError(i, reason, 'gasPrice', paid)
}

const writeFees = (batch: TransactionBatch, object: TransactionObject, type: number, i: number): void => {
  const at = LIMBS_PER_WORD * i
  if (type === TYPE_DEPOSIT) return
  const capped = hasFeeCaps(type)
  if (isMined(object, type)) checkPaid(object, i)
  else
    for (const name of ['maxFeePerGas', 'maxPriorityFeePerGas'] as const) {
      if (object[name] === undefined || (capped && object.gasPrice === undefined)) continue
      const other = capped ? 'gasPrice beside it' : `a transaction of type ${type} has gasPrice`
      throw new TransactionInputError(i, `${name} cannot be given: ${other}`, name, object[name])
    }
  const [fee, tip] = capped
    ? ([object.maxFeePerGas ?? object.gasPrice, object.maxPriorityFeePerGas ?? object.gasPrice] as const)
    : ([object.gasPrice, object.gasPrice] as const)
  const name = capped ? 'maxFeePerGas' : 'gasPrice'
  if (fee === undefined) throw new TransactionInputError(i, `${name} is missing`)
  if (tip === undefined) throw new TransactionInputError(i, 'maxPriorityFeePerGas is missing')
  wordFromBigInt(batch.maxFeePerGas, at, unsigned(fee, 256, name, i))
  wordFromBigInt(batch.maxPriorityFeePerGas, at, unsigned(tip, 256, 'maxPriorityFeePerGas', i))
}

const unsigned = (value: bigint, bits: number, name: string, i: number): bigint => {
  if (typeof value !== 'bigint')
    throw new TransactionInputError(i, `${name} must be a bigint, got ${shown(value)}`, name, value)
  if (value < 0n || value >> BigInt(bits) !== 0n) {
    throw new TransactionInputError(i, `${name} must be between 0 and 2^${bits} - 1, got ${value}`, name, value)
  }
  return value
}

const checkAddress = (hex: string, name: string, i: number): void => {
  if (typeof hex !== 'string' || !/^0x[0-9a-fA-F]{40}$/.test(hex)) {
    throw new TransactionInputError(i, `${name} must be 0x and 40 hex digits, got ${shown(hex)}`, name, hex)
  }
}

const writeAddress = (dst: Uint32Array, at: number, hex: string, name: string, i: number): void => {
  checkAddress(hex, name, i)
  addressFromHex(dst, at, hex)
}

const checkWord = (hex: string, name: string, i: number): void => {
  if (typeof hex !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(hex)) {
    throw new TransactionInputError(i, `${name} must be 0x and 64 hex digits, got ${shown(hex)}`, name, hex)
  }
}

const writeKey = (dst: Uint32Array, at: number, hex: string, i: number): void => {
  checkWord(hex, 'a storage key', i)
  wordFromHex(dst, at, hex)
}

const dataLength = (object: TransactionObject, i: number): number => {
  const hex = object.data ?? '0x'
  if (typeof hex !== 'string' || !hex.startsWith('0x') || hex.length % 2 !== 0) {
    throw new TransactionInputError(
      i,
      `data must be 0x and an even number of hex digits, got ${shown(hex)}`,
      'data',
      hex,
    )
  }
  return (hex.length - 2) / 2
}

const writeData = (dst: Uint8Array, at: number, object: TransactionObject, i: number): void => {
  const bytes = Buffer.from((object.data ?? '0x').slice(2), 'hex')
  if (bytes.length !== dataLength(object, i)) throw new TransactionInputError(i, 'data has a digit that is not hex')
  dst.set(bytes, at)
}
