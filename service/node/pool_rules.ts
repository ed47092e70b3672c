import { environmentOf } from '../../host/chain/header.ts'
import { type TransactionRules, transactionRules } from '../../host/chain/rules.ts'
import {
  type BlockEnvironment,
  type Chain,
  type ChainBlock,
  type Fork,
  isAtLeast,
  REJECTION,
  type Rejection,
  rejectionText,
  type TransactionBatch,
  type TransactionObject,
  wordToBigInt,
} from '../../host/index.ts'
import { baseFeeAfter, blobsOf, type Rules, rulesOf } from './block_place.ts'
import { refuse } from './refuse.ts'
import { type SideCar, TYPE_BLOB } from './side_car.ts'

const LIMBS_PER_WORD = 8
/** Bytes of one transaction, and of one with its side-car. */
const MOST_BYTES = 128 * 1024
const MOST_BLOB_BYTES = 1024 * 1024
/** Blobs of one transaction, whatever the fork (as go-ethereum's pool has it; EIP-7594 from Osaka on). */
const MOST_BLOBS = 6
/** Wei per gas that a transaction must be willing to give, and per blob gas. */
const LEAST_TIP = 1n
const LEAST_BLOB_FEE = 1n
/** Percent by which another transaction of the same nonce must pay more. */
const REPLACEMENT_PERCENT = 110n
const BLOB_REPLACEMENT_PERCENT = 200n

/** What the next block would be, as far as the pool needs to know. */
export interface NextBlock extends Rules {
  readonly env: BlockEnvironment
}

export const nextBlock = (chain: Chain, { header }: ChainBlock): NextBlock => {
  const next = { ...header, number: header.number + 1n, timestamp: header.timestamp + 1n }
  const rules = rulesOf(chain.config, next)
  const { fork } = rules
  const env = environmentOf(next, fork, blobsOf(chain.config, fork, next.timestamp))
  if (header.baseFeePerGas === undefined) return { ...rules, env }
  return { ...rules, env: { ...env, baseFeePerGas: baseFeeAfter(chain.config, header, next.timestamp) } }
}

/** Refuses what is too large to look at. */
export const checkSize = (bytes: Uint8Array): void => {
  const most = bytes[0] === TYPE_BLOB ? MOST_BLOB_BYTES : MOST_BYTES
  if (bytes.length > most) refuse(`oversized data: transaction size ${bytes.length}, limit ${most}`)
}

/** Rules of transactions whose fees may come to be enough: a base fee that is above their price may fall. */
export const feeRules = (batch: TransactionBatch, { fork, env }: NextBlock): TransactionRules =>
  transactionRules(batch, fork, { ...env, baseFeePerGas: 0n, blobBaseFee: LEAST_BLOB_FEE })

/** Refuses transaction i, which no block could take whatever the state is. */
export const checkStatic = (
  transaction: TransactionObject,
  i: number,
  rules: TransactionRules,
  { env }: NextBlock,
): void => {
  const { gasLimit, maxFeePerBlobGas = 0n, blobVersionedHashes = [] } = transaction
  const isBlob = transaction.type === TYPE_BLOB
  if (isBlob && blobVersionedHashes.length > MOST_BLOBS)
    refuse(`too many blobs in transaction: have ${blobVersionedHashes.length}, permitted ${MOST_BLOBS}`)
  if (isBlob && maxFeePerBlobGas < LEAST_BLOB_FEE)
    refuse(`${BELOW_MINIMUM}: blob fee cap ${maxFeePerBlobGas}, minimum needed ${LEAST_BLOB_FEE}`)
  const rejection = rules.rejection[i]!
  if (rejection !== REJECTION.none) {
    const text = rejectionText(rejection as Rejection)
    refuse(text + numbersOf(rejection as Rejection, transaction, i, rules))
  }
  if (gasLimit > env.gasLimit) refuse('exceeds block gas limit')
  const tip = transaction.maxPriorityFeePerGas ?? transaction.gasPrice ?? 0n
  if (tip < LEAST_TIP) refuse(`${BELOW_MINIMUM}: gas tip cap ${tip}, minimum needed ${LEAST_TIP}`)
}

const BELOW_MINIMUM = 'transaction gas price below minimum'
/** EIP-7825, EIP-3860. */
const MOST_GAS = 1n << 24n
const MOST_INITCODE = 49_152

/** What go-ethereum says after the text. */
const numbersOf = (
  rejection: Rejection,
  { gasLimit, data = '0x' }: TransactionObject,
  i: number,
  { intrinsic, floor }: TransactionRules,
): string => {
  switch (rejection) {
    case REJECTION.intrinsicGas:
      return `: gas ${gasLimit}, minimum needed ${intrinsic[i]}`
    case REJECTION.floorGas:
      return `: gas ${gasLimit}, minimum needed ${floor[i]}`
    case REJECTION.gasLimitTooHigh:
      return ` (cap: ${MOST_GAS}, tx: ${gasLimit})`
    case REJECTION.initcodeSize:
      return `: code size ${data.length / 2 - 1}, limit ${MOST_INITCODE}`
    default:
      return ''
  }
}

/** The version of side-cars that a block of a fork takes. */
export const sideCarVersion = (fork: Fork): SideCar['version'] => (isAtLeast(fork, 'osaka') ? 1 : 0)

/** Wei that the sender of transaction i must hold. */
export const costIn = ({ cost }: TransactionRules, i: number): bigint => wordToBigInt(cost, LIMBS_PER_WORD * i)

/** Most wei per gas, by which transactions of the pool are compared. */
export const priceOf = ({ maxFeePerGas, gasPrice = 0n }: TransactionObject): bigint => maxFeePerGas ?? gasPrice

const tipOf = ({ maxPriorityFeePerGas, gasPrice = 0n }: TransactionObject): bigint => maxPriorityFeePerGas ?? gasPrice

/** Whether a transaction may take the place of another one of the same nonce. */
export const paysMore = (one: TransactionObject, other: TransactionObject): boolean => {
  const percent = one.type === TYPE_BLOB ? BLOB_REPLACEMENT_PERCENT : REPLACEMENT_PERCENT
  const isMore = (fee: bigint, before: bigint): boolean => 100n * fee >= percent * before
  return (
    isMore(priceOf(one), priceOf(other)) &&
    isMore(tipOf(one), tipOf(other)) &&
    isMore(one.maxFeePerBlobGas ?? 0n, other.maxFeePerBlobGas ?? 0n)
  )
}
