import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { checkNames, checkObject, InputError, type Names, refuse } from '../primitives/input.ts'
import { type TransactionBatch, type TransactionExtras, TYPE_BLOB, TYPE_DEPOSIT, TYPE_SET_CODE } from './batch.ts'

/** u32 or bytes for each transaction of a column of fixed width. */
const WIDTHS = {
  type: 1,
  creates: 1,
  nonce: 2,
  gasLimit: 2,
  maxFeePerGas: LIMBS_PER_WORD,
  maxPriorityFeePerGas: LIMBS_PER_WORD,
  value: LIMBS_PER_WORD,
  from: LIMBS_PER_ADDRESS,
  to: LIMBS_PER_ADDRESS,
} as const

const BATCH: Names<TransactionBatch> = {
  count: true,
  type: true,
  nonce: true,
  gasLimit: true,
  maxFeePerGas: true,
  maxPriorityFeePerGas: true,
  value: true,
  from: true,
  to: true,
  creates: true,
  data: true,
  dataStart: true,
  accessStart: true,
  accessAddress: true,
  accessKeyStart: true,
  accessKey: true,
  extras: true,
}

/**
 * The batch, where its columns fit its count and each other: kinds and lengths, and offsets that do not fall and stay
 * inside what they point into. One pass over the offsets; nothing else is read. Throws InputError.
 */
export const checkBatch = (value: unknown, field = 'transactions'): TransactionBatch => {
  const batch = checkObject(value, field, 'an array of transactions or a TransactionBatch') as Partial<TransactionBatch>
  checkNames(batch, BATCH, `column of ${field}`)
  const { count } = batch
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
    return refuse(`${field}.count`, count, 'a number of transactions')
  for (const [name, width] of Object.entries(WIDTHS)) {
    const column = batch[name as keyof typeof WIDTHS]
    checkColumn(column, width === 1 ? Uint8Array : Uint32Array, `${field}.${name}`)
    if (column!.length !== width * count)
      throw new InputError(
        `${field}.${name} must have ${width * count} elements for ${count} transactions, it has ${column!.length}`,
        `${field}.${name}`,
        column!.length,
      )
  }
  checkColumn(batch.data, Uint8Array, `${field}.data`)
  for (const name of ['dataStart', 'accessStart', 'accessAddress', 'accessKeyStart', 'accessKey'] as const)
    checkColumn(batch[name], Uint32Array, `${field}.${name}`)
  const whole = batch as TransactionBatch
  checkStarts(whole.dataStart, count + 1, whole.data.length, `${field}.dataStart`)
  const entries = Math.floor(whole.accessAddress.length / LIMBS_PER_ADDRESS)
  checkStarts(whole.accessStart, count + 1, entries, `${field}.accessStart`)
  const keys = Math.floor(whole.accessKey.length / LIMBS_PER_WORD)
  checkStarts(whole.accessKeyStart, entries + 1, keys, `${field}.accessKeyStart`)
  checkExtras(whole, field)
  return whole
}

const checkColumn = (column: unknown, kind: Uint8ArrayConstructor | Uint32ArrayConstructor, field: string): void => {
  if (!(column instanceof kind)) refuse(field, column, `a ${kind.name}`)
}

/** Offsets of `length - 1` ranges in something of `size`. */
const checkStarts = (starts: Uint32Array, length: number, size: number, field: string): void => {
  if (starts.length < length)
    throw new InputError(`${field} must have ${length} offsets, it has ${starts.length}`, field, starts.length)
  for (let i = 1; i < length; i++) {
    if (starts[i]! >= starts[i - 1]!) continue
    throw new InputError(`${field} must not fall, ${starts[i]} follows ${starts[i - 1]}`, field, starts[i], i - 1)
  }
  const last = starts[length - 1]!
  if (last > size) throw new InputError(`${field} must end at ${size} at most, it ends at ${last}`, field, last)
}

/** What a type cannot do without is there; whose types have none is not looked at. */
const checkExtras = ({ count, type, extras }: TransactionBatch, field: string): void => {
  if (!(extras instanceof Map)) refuse(`${field}.extras`, extras, 'a Map')
  for (const [i] of extras)
    if (!Number.isSafeInteger(i) || i < 0 || i >= count)
      refuse(`${field}.extras`, i, `a Map with keys from 0 to ${count - 1}`)
  for (let i = 0; i < count; i++) {
    const needed = NEEDED[type[i]!]
    if (needed === undefined || extras.get(i)?.[needed] !== undefined) continue
    throw new InputError(
      `${field}.extras must have ${needed} for transaction ${i} of type ${type[i]}`,
      `${field}.extras`,
      undefined,
      i,
    )
  }
}

const NEEDED: Readonly<Record<number, keyof TransactionExtras>> = {
  [TYPE_BLOB]: 'maxFeePerBlobGas',
  [TYPE_SET_CODE]: 'authorizations',
  [TYPE_DEPOSIT]: 'deposit',
}
