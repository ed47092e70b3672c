import { RLP } from 'micro-eth-signer/core/rlp.js'
import {
  decodeTransaction,
  type TransactionBatch,
  type TransactionObject,
  transactionHashes,
} from '../../host/index.ts'
import type { PlaceView, TransactionView } from './views.ts'

/** Hashes of signed transactions as 0x-hex. */
export const hashesOf = (transactions: readonly Uint8Array[]): readonly string[] => {
  const digests = Buffer.from(transactionHashes(transactions))
  return transactions.map((_, i) => `0x${digests.toString('hex', 32 * i, 32 * i + 32)}`)
}

/** A decoded transaction beside its bytes, which have been read before: what is in them is as it should be. */
export const transactionView = (
  batch: TransactionBatch,
  i: number,
  bytes: Uint8Array,
  hash: string,
  place: PlaceView | undefined,
  baseFee: bigint | undefined,
): TransactionView => viewOf(decodeTransaction(batch, i), { bytes, hash, place, baseFee })

/** What a view has beside the transaction. */
export interface ViewParts {
  readonly bytes: Uint8Array
  readonly hash: string
  readonly place?: PlaceView | undefined
  readonly baseFee?: bigint | undefined
}

export const viewOf = (transaction: TransactionObject, { bytes, hash, place, baseFee }: ViewParts): TransactionView => {
  const { v, r, s } = transaction.deposit === undefined ? signatureOf(bytes) : NO_SIGNATURE
  return {
    hash,
    transaction,
    gasPrice: gasPriceOf(transaction, baseFee),
    chainId: transaction.deposit === undefined ? chainIdIn(transaction, v, bytes) : undefined,
    v,
    r,
    s,
    place,
  }
}

const NO_SIGNATURE = { v: 0n, r: 0n, s: 0n }

const chainIdIn = ({ type }: TransactionObject, v: bigint, bytes: Uint8Array): bigint | undefined =>
  type === 0 ? legacyChainId(v) : chainIdOf(bytes)

/** What a transaction pays per gas where the base fee is this; without one: at most. */
export const gasPriceOf = (
  { gasPrice = 0n, maxFeePerGas, maxPriorityFeePerGas = 0n }: TransactionObject,
  baseFee: bigint | undefined,
): bigint => {
  if (maxFeePerGas === undefined) return gasPrice
  if (baseFee === undefined) return maxFeePerGas
  const wanted = baseFee + maxPriorityFeePerGas
  return wanted < maxFeePerGas ? wanted : maxFeePerGas
}

type Item = Uint8Array | Item[]

const FIRST_OF_LIST = 0xc0

const itemsOf = (bytes: Uint8Array): Item[] =>
  RLP.decode(bytes[0]! < FIRST_OF_LIST ? bytes.subarray(1) : bytes) as Item[]

const integer = (item: Item | undefined): bigint => {
  const bytes = item as Uint8Array
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

const signatureOf = (bytes: Uint8Array): Pick<TransactionView, 'v' | 'r' | 's'> => {
  const [v, r, s] = itemsOf(bytes).slice(-3)
  return { v: integer(v), r: integer(r), s: integer(s) }
}

const chainIdOf = (bytes: Uint8Array): bigint => integer(itemsOf(bytes)[0])

/** Whether a transaction, which has been read before, names a chain (EIP-155). */
export const isProtected = (bytes: Uint8Array): boolean =>
  bytes[0]! < FIRST_OF_LIST || legacyChainId(signatureOf(bytes).v) !== undefined

/** Of EIP-155; before it v was 27 or 28. */
const legacyChainId = (v: bigint): bigint | undefined => (v < 35n ? undefined : (v - 35n) / 2n)
