import type { CallColumns, TransactionBatch } from '../../host/index.ts'

const LIMBS_PER_ADDRESS = 5
const LIMBS_PER_WORD = 8
const LIMBS_PER_QUANTITY = 2
const ADDRESS_DIGITS = 40
const ZERO = '0'.charCodeAt(0)

/** Value of a hex digit by its character; 16 for the others. */
const DIGITS = new Uint8Array(128).fill(16)
for (let digit = 0; digit < 16; digit++)
  for (const text of [digit.toString(16), digit.toString(16).toUpperCase()]) DIGITS[text.charCodeAt(0)] = digit

/** Characters with a bit of these are no ASCII. */
const BEYOND_ASCII = ~127

/** Members that make a call something else than the plain one, or that only the schema checks. */
const OTHERS = ['type', 'chainId', 'accessList', 'maxFeePerBlobGas', 'blobVersionedHashes', 'authorizationList']

type Members = Readonly<Record<string, unknown>>

/**
 * Calls of a simulated block, as they come in JSON, in columns: without a value of a schema and an object for each.
 * Undefined where one is not plain or not as it should be: then the schema reads all of them, and tells what is wrong.
 */
export const packCalls = (calls: readonly unknown[]): CallColumns | undefined => {
  const dataBytes = bytesOfData(calls)
  if (dataBytes === undefined) return undefined
  const packer = new Packer(calls.length, dataBytes)
  for (let i = 0; i < calls.length; i++) if (!packer.take(i, calls[i] as Members)) return undefined
  return packer.columns
}

/** Bytes of calldata of all calls; undefined where one is no object or has none that can be read. */
const bytesOfData = (calls: readonly unknown[]): number | undefined => {
  let bytes = 0
  for (const call of calls) {
    if (typeof call !== 'object' || call === null || Array.isArray(call)) return undefined
    const { input, data = '0x' } = call as Members
    const text = input === undefined ? data : input
    if (typeof text !== 'string' || text.length % 2 !== 0 || !isHex(text)) return undefined
    bytes += text.length / 2 - 1
  }
  return bytes
}

const isHex = (text: string): boolean => text.charCodeAt(0) === ZERO && text[1] === 'x'

/** Columns of zeros, without access lists. */
const plainBatch = (count: number, dataBytes: number): TransactionBatch => ({
  count,
  type: new Uint8Array(count),
  nonce: new Uint32Array(LIMBS_PER_QUANTITY * count),
  gasLimit: new Uint32Array(LIMBS_PER_QUANTITY * count),
  maxFeePerGas: new Uint32Array(LIMBS_PER_WORD * count),
  maxPriorityFeePerGas: new Uint32Array(LIMBS_PER_WORD * count),
  value: new Uint32Array(LIMBS_PER_WORD * count),
  from: new Uint32Array(LIMBS_PER_ADDRESS * count),
  to: new Uint32Array(LIMBS_PER_ADDRESS * count),
  creates: new Uint8Array(count),
  data: new Uint8Array(dataBytes),
  dataStart: new Uint32Array(count + 1),
  accessStart: new Uint32Array(count + 1),
  accessAddress: new Uint32Array(0),
  accessKeyStart: new Uint32Array(1),
  accessKey: new Uint32Array(0),
  extras: new Map(),
})

/** Writes calls into columns, one after another. A field that is not as it should be gives false. */
class Packer {
  readonly columns: CallColumns
  #at = 0

  constructor(count: number, dataBytes: number) {
    const hasGas = new Uint8Array(count)
    this.columns = { transactions: plainBatch(count, dataBytes), hasGas, hasNonce: new Uint8Array(count) }
  }

  take(i: number, call: Members): boolean {
    const { transactions, hasGas, hasNonce } = this.columns
    for (const name of OTHERS) if (call[name] !== undefined) return false
    const { from, to, gas, nonce, value } = call
    if (gas !== undefined) hasGas[i] = 1
    if (nonce !== undefined) hasNonce[i] = 1
    if (to === undefined || to === null) transactions.creates[i] = 1
    else if (!takeAddress(transactions.to, i, to)) return false
    return (
      (from === undefined || takeAddress(transactions.from, i, from)) &&
      takeNumber(transactions.gasLimit, i, LIMBS_PER_QUANTITY, gas) &&
      takeNumber(transactions.nonce, i, LIMBS_PER_QUANTITY, nonce) &&
      takeNumber(transactions.value, i, LIMBS_PER_WORD, value) &&
      this.#takeFees(i, call) &&
      this.#takeData(i, call)
    )
  }

  #takeFees(i: number, { gasPrice, maxFeePerGas, maxPriorityFeePerGas }: Members): boolean {
    const { transactions } = this.columns
    const { maxFeePerGas: fees, maxPriorityFeePerGas: tips, type } = transactions
    if (gasPrice !== undefined) {
      if (maxFeePerGas !== undefined || maxPriorityFeePerGas !== undefined) return false
      return takeNumber(fees, i, LIMBS_PER_WORD, gasPrice) && takeNumber(tips, i, LIMBS_PER_WORD, gasPrice)
    }
    type[i] = 2
    return (
      takeNumber(fees, i, LIMBS_PER_WORD, maxFeePerGas) && takeNumber(tips, i, LIMBS_PER_WORD, maxPriorityFeePerGas)
    )
  }

  #takeData(i: number, { input, data }: Members): boolean {
    const { transactions } = this.columns
    // The same in other letters is for the schema.
    if (input !== undefined && data !== undefined && input !== data) return false
    const text = (input ?? data ?? '0x') as string
    const bytes = transactions.data
    let at = this.#at
    let wrong = 0
    for (let n = 2; n < text.length; n += 2) {
      const high = digitAt(text, n)
      const low = digitAt(text, n + 1)
      wrong |= high | low
      bytes[at++] = (high << 4) | low
    }
    this.#at = at
    transactions.dataStart[i + 1] = at
    return wrong < 16
  }
}

/** 16 or more where the character is no hex digit. */
const digitAt = (text: string, n: number): number => {
  const code = text.charCodeAt(n)
  return (code & BEYOND_ASCII) === 0 ? DIGITS[code]! : 16
}

const takeAddress = (to: Uint32Array, i: number, text: unknown): boolean =>
  typeof text === 'string' &&
  text.length === 2 + ADDRESS_DIGITS &&
  isHex(text) &&
  takeDigits(to, LIMBS_PER_ADDRESS * i, text)

/** A quantity of at most so many limbs; nothing for none. */
const takeNumber = (to: Uint32Array, i: number, limbs: number, text: unknown): boolean => {
  if (text === undefined) return true
  if (typeof text !== 'string' || text.length < 3 || text.length > 2 + 8 * limbs || !isHex(text)) return false
  if (text.charCodeAt(2) === ZERO && text.length > 3) return false
  return takeDigits(to, limbs * i, text)
}

/** Limbs from to[at] on, least significant first, of the digits after 0x. */
const takeDigits = (to: Uint32Array, at: number, text: string): boolean => {
  let wrong = 0
  let limb = at
  let value = 0
  let shift = 0
  for (let n = text.length - 1; n > 1; n--) {
    const digit = digitAt(text, n)
    wrong |= digit
    value |= digit << shift
    shift += 4
    if (shift === 32) {
      to[limb++] = value
      value = 0
      shift = 0
    }
  }
  if (shift > 0) to[limb] = value
  return wrong < 16
}
