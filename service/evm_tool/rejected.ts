import { toChecksumAddress } from '@ethereumjs/util'
import type { TransactionBatch } from '../../host/chain/batch.ts'
import { REJECTION, type Rejection, rejectionText } from '../../host/chain/rejection.ts'
import { gasBounds } from '../../host/chain/rules.ts'
import { addressToHex, quantityToBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { BLOB_HASH_VERSION, GAS_PER_BLOB, MAX_INITCODE_BYTES, MAX_TRANSACTION_GAS } from '../../transpiler/spec/gas.ts'
import type { ToolBlock } from './block_env.ts'
import type { ForkRules } from './fork_rules.ts'

/** A transaction that is not included: where it stood in the input, and why, in the words of go-ethereum. */
export interface Rejected {
  readonly index: number
  readonly error: string
}

/** A transaction with blobs where their price is not known, as before Cancun. */
export const BLOB_WITHOUT_EXCESS = 'blob tx used but field env.ExcessBlobGas missing'

const INVALID_SIGNATURE = 'invalid transaction v, r, s values'
/** Reasons of a TransactionInputError that go-ethereum says in other words. */
const UNREADABLE: readonly (readonly [pattern: RegExp, text: string])[] = [
  [/^type \d+ is not supported$/, 'transaction type not supported'],
  [/^v is /, INVALID_SIGNATURE],
  [/^s is in the upper half/, INVALID_SIGNATURE],
  [/^[vrs] has more than 256 bits$/, INVALID_SIGNATURE],
  [/^the signature has no public key$/, INVALID_SIGNATURE],
]
const OTHER_CHAIN = /^chain id (\d+), expected \d+$/

/** Why bytes are no transaction that could be executed. */
export const unreadableText = (reason: string, chainId: bigint): string => {
  const other = OTHER_CHAIN.exec(reason)
  if (other !== null) return `invalid chain id for signer: have ${other[1]} want ${chainId}`
  return UNREADABLE.find(([pattern]) => pattern.test(reason))?.[1] ?? reason
}

/** A rejected row of a batch, and what it met at its place. */
export interface RejectedRow {
  readonly input: { readonly rules: ForkRules; readonly block: ToolBlock }
  readonly batch: TransactionBatch
  readonly row: number
  readonly state: MemoryState
  /** Of the block with this transaction. */
  readonly blobs: number
}

/** The rejection with the numbers that go-ethereum tells with it; tools look for the text before them. */
export const rejectedByState = (code: Rejection, at: RejectedRow): string => {
  const details = DETAILS[code]?.(at)
  if (code === REJECTION.blobGasReached) return details!
  if (code === REJECTION.blobHashVersion) return details!
  return `${rejectionText(code)}${details ?? ''}`
}

const DETAILS: Partial<Record<Rejection, (at: RejectedRow) => string>> = {
  [REJECTION.blobGasReached]: ({ input, blobs }) => {
    const most = GAS_PER_BLOB * (input.block.env.maxBlobs ?? 0)
    return `blob gas (${GAS_PER_BLOB * blobs}) would exceed maximum allowance ${most}`
  },
  [REJECTION.nonceTooLow]: (at) => nonceDetails(at),
  [REJECTION.nonceTooHigh]: (at) => nonceDetails(at),
  [REJECTION.nonceMax]: (at) => `: address ${senderOf(at)}, nonce: ${nonceOf(at)}`,
  [REJECTION.gasLimitTooHigh]: (at) => ` (cap: ${MAX_TRANSACTION_GAS}, tx: ${gasOf(at)})`,
  [REJECTION.senderNotEoa]: (at) => {
    const account = accountOf(at)
    return `: address ${senderOf(at)}, len(code): ${account === undefined ? 0 : at.state.code(account.codeHash).length}`
  },
  [REJECTION.tipAboveFeeCap]: (at) => {
    const { maxFeePerGas, maxPriorityFeePerGas } = at.batch
    const [tip, cap] = [wordOf(maxPriorityFeePerGas, at), wordOf(maxFeePerGas, at)]
    return `: address ${senderOf(at)}, maxPriorityFeePerGas: ${tip}, maxFeePerGas: ${cap}`
  },
  [REJECTION.feeCapBelowBaseFee]: (at) => {
    const cap = wordOf(at.batch.maxFeePerGas, at)
    return `: address ${senderOf(at)}, maxFeePerGas: ${cap}, baseFee: ${at.input.block.env.baseFeePerGas}`
  },
  [REJECTION.blobHashVersion]: ({ batch, row }) => {
    const hashes = batch.extras.get(row)?.blobVersionedHashes ?? []
    const bad = hashes.findIndex((hash) => Number.parseInt(hash.slice(2, 4), 16) !== BLOB_HASH_VERSION)
    return `blob ${bad} has invalid hash version`
  },
  [REJECTION.blobFeeCapTooLow]: (at) => {
    const cap = at.batch.extras.get(at.row)?.maxFeePerBlobGas ?? 0n
    return `: address ${senderOf(at)} blobGasFeeCap: ${cap}, blobBaseFee: ${at.input.block.env.blobBaseFee ?? 1n}`
  },
  [REJECTION.authorizationCreation]: (at) => ` (sender ${senderOf(at)})`,
  [REJECTION.authorizationsMissing]: (at) => ` (sender ${senderOf(at)})`,
  [REJECTION.insufficientFunds]: (at) => fundsDetails(at),
  [REJECTION.intrinsicGas]: (at) => {
    const { intrinsic } = gasBounds(at.batch, at.input.rules.fork)
    return `: have ${gasOf(at)}, want ${intrinsic[at.row]}`
  },
  [REJECTION.floorGas]: (at) => {
    const { floor } = gasBounds(at.batch, at.input.rules.fork)
    return `: have ${gasOf(at)}, want ${floor[at.row]}`
  },
  [REJECTION.initcodeSize]: ({ batch, row }) =>
    `: code size ${batch.dataStart[row + 1]! - batch.dataStart[row]!} limit ${MAX_INITCODE_BYTES}`,
}

const WORD_LIMIT = 1n << 256n

const fundsDetails = (at: RejectedRow): string => {
  const { batch, row } = at
  const { blobVersionedHashes = [], maxFeePerBlobGas = 0n } = batch.extras.get(row) ?? {}
  const blobCost = BigInt(GAS_PER_BLOB * blobVersionedHashes.length) * maxFeePerBlobGas
  const want = gasOf(at) * wordOf(batch.maxFeePerGas, at) + wordOf(batch.value, at) + blobCost
  if (want >= WORD_LIMIT) return `: address ${senderOf(at)} required balance exceeds 256 bits`
  return `: address ${senderOf(at)} have ${accountOf(at)?.balance ?? 0n} want ${want}`
}

const nonceDetails = (at: RejectedRow): string =>
  `: address ${senderOf(at)}, tx: ${nonceOf(at)} state: ${accountOf(at)?.nonce ?? 0n}`

const hexSender = ({ batch, row }: RejectedRow): string => addressToHex(batch.from, LIMBS_PER_ADDRESS * row)
const senderOf = (at: RejectedRow): string => toChecksumAddress(hexSender(at) as `0x${string}`)
const accountOf = (at: RejectedRow) => at.state.account(hexSender(at))
const nonceOf = ({ batch, row }: RejectedRow): bigint => quantityToBigInt(batch.nonce, 2 * row)
const gasOf = ({ batch, row }: RejectedRow): bigint => quantityToBigInt(batch.gasLimit, 2 * row)
const wordOf = (column: Uint32Array, { row }: RejectedRow): bigint => wordToBigInt(column, LIMBS_PER_WORD * row)
