import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { GAS_PER_BLOB } from '../../transpiler/spec/gas.ts'
import { keccak256Hex } from '../primitives/keccak.ts'
import { rlpHex, rlpInteger, rlpList } from '../primitives/rlp.ts'
import { type BlobParameters, blobBaseFee, blobParameters } from './blob_schedule.ts'
import type { BlockEnvironment } from './environment.ts'

/**
 * A block header (YP 4.3). Hashes, addresses and byte strings are 0x-hex in lower case; what a fork brought is absent
 * before it.
 *
 * Example: {@link headerHash}.
 */
export interface BlockHeader {
  readonly parentHash: string
  readonly uncleHash: string
  readonly coinbase: string
  readonly stateRoot: string
  readonly transactionsRoot: string
  readonly receiptsRoot: string
  readonly logsBloom: string
  readonly difficulty: bigint
  readonly number: bigint
  readonly gasLimit: bigint
  readonly gasUsed: bigint
  /** Seconds. */
  readonly timestamp: bigint
  readonly extraData: string
  /** PREVRANDAO from Paris on. */
  readonly mixHash: string
  readonly nonce: string
  /** London (EIP-1559). */
  readonly baseFeePerGas?: bigint
  /** Shanghai (EIP-4895). */
  readonly withdrawalsRoot?: string
  /** Cancun (EIP-4844, EIP-4788). */
  readonly blobGasUsed?: bigint
  readonly excessBlobGas?: bigint
  readonly parentBeaconBlockRoot?: string
  /** Prague (EIP-7685). */
  readonly requestsHash?: string
  /** EIP-7928, where the chain has block access lists. */
  readonly blockAccessListHash?: string
}

/**
 * Blob limits of a stretch of the chain, with the blobs per block that keep their price as it is.
 *
 * Example: {@link BlockOptions}.
 */
export interface BlobSchedule extends BlobParameters {
  readonly targetBlobs: number
}

/**
 * keccak-256 of the RLP of an empty list: the uncle hash of a block without uncles.
 *
 * Example: {@link headerHash}.
 */
export const EMPTY_LIST_HASH = '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347'

/**
 * RLP of a header (YP 4.3). The optional fields follow the forks in order, and the encoding ends before the first that
 * is absent.
 *
 * @example
 * import { EMPTY_TRIE_ROOT, encodeHeader, genesisHeader } from 'wgevm'
 *
 * console.log(encodeHeader(genesisHeader('london', { stateRoot: EMPTY_TRIE_ROOT })).length) // 505
 */
export const encodeHeader = (header: BlockHeader): Uint8Array => {
  const fields = [
    rlpHex(header.parentHash),
    rlpHex(header.uncleHash),
    rlpHex(header.coinbase),
    rlpHex(header.stateRoot),
    rlpHex(header.transactionsRoot),
    rlpHex(header.receiptsRoot),
    rlpHex(header.logsBloom),
    rlpInteger(header.difficulty),
    rlpInteger(header.number),
    rlpInteger(header.gasLimit),
    rlpInteger(header.gasUsed),
    rlpInteger(header.timestamp),
    rlpHex(header.extraData),
    rlpHex(header.mixHash),
    rlpHex(header.nonce),
  ]
  const optional = [
    header.baseFeePerGas,
    header.withdrawalsRoot,
    header.blobGasUsed,
    header.excessBlobGas,
    header.parentBeaconBlockRoot,
    header.requestsHash,
    header.blockAccessListHash,
  ]
  for (const value of optional) {
    if (value === undefined) break
    fields.push(typeof value === 'bigint' ? rlpInteger(value) : rlpHex(value))
  }
  return rlpList(fields)
}

/**
 * keccak-256 of the RLP of a header, 0x-hex: the hash of the block (YP 4.3).
 *
 * @example
 * import { EMPTY_LIST_HASH, EMPTY_TRIE_ROOT, genesisHeader, headerHash } from 'wgevm'
 *
 * const genesis = genesisHeader('frontier', { stateRoot: EMPTY_TRIE_ROOT })
 * console.log(genesis.uncleHash === EMPTY_LIST_HASH, headerHash(genesis).length) // true 66
 */
export const headerHash = (header: BlockHeader): string => keccak256Hex(encodeHeader(header))

/** Hash of the uncles of a block. */
export const uncleHashOf = (uncles: readonly BlockHeader[]): string => keccak256Hex(rlpList(uncles.map(encodeHeader)))

/** Fields of a header that transactions can see. */
export type EnvironmentHeader = Pick<
  BlockHeader,
  'number' | 'timestamp' | 'coinbase' | 'gasLimit' | 'baseFeePerGas' | 'mixHash' | 'difficulty' | 'excessBlobGas'
>

/** The block as its transactions see it. */
export const environmentOf = (
  header: EnvironmentHeader,
  fork: Fork,
  schedule: BlobParameters | undefined,
): BlockEnvironment => ({
  number: header.number,
  timestamp: header.timestamp,
  coinbase: header.coinbase,
  gasLimit: header.gasLimit,
  baseFeePerGas: header.baseFeePerGas ?? 0n,
  prevRandao: isAtLeast(fork, 'paris') ? BigInt(header.mixHash) : header.difficulty,
  ...(header.excessBlobGas === undefined || schedule === undefined
    ? {}
    : { blobBaseFee: blobBaseFee(header.excessBlobGas, schedule), maxBlobs: schedule.maxBlobs }),
})

/** Target by the most blobs of a block: EIP-4844, EIP-7691 and mainnet's schedule (EIP-7892). */
const TARGETS: Readonly<Record<number, number>> = { 6: 3, 9: 6, 15: 10, 21: 14 }

/** What holds in a block; undefined before Cancun. */
export const blobScheduleAt = (fork: Fork, chainId: bigint, timestamp: bigint): BlobSchedule | undefined => {
  const parameters = blobParameters(fork, chainId, timestamp)
  return parameters === undefined ? undefined : { ...parameters, targetBlobs: TARGETS[parameters.maxBlobs]! }
}

const BLOB_BASE_COST = 8192n

/** Excess blob gas of the block after `parent` (EIP-4844; with the reserve price of EIP-7918 from Osaka on). */
export const nextExcessBlobGas = (
  parent: Pick<BlockHeader, 'excessBlobGas' | 'blobGasUsed' | 'baseFeePerGas'>,
  fork: Fork,
  schedule: BlobSchedule,
): bigint => {
  const gasPerBlob = BigInt(GAS_PER_BLOB)
  const target = BigInt(schedule.targetBlobs) * gasPerBlob
  const excess = parent.excessBlobGas ?? 0n
  const used = parent.blobGasUsed ?? 0n
  if (excess + used < target) return 0n
  if (isAtLeast(fork, 'osaka')) {
    const isReserved = BLOB_BASE_COST * (parent.baseFeePerGas ?? 0n) > gasPerBlob * blobBaseFee(excess, schedule)
    if (isReserved)
      return excess + (used * BigInt(schedule.maxBlobs - schedule.targetBlobs)) / BigInt(schedule.maxBlobs)
  }
  return excess + used - target
}

const ELASTICITY = 2n
const BASE_FEE_CHANGE_DENOMINATOR = 8n
const INITIAL_BASE_FEE = 1_000_000_000n

/** How fast the base fee moves (EIP-1559): the gas limit over `elasticity` is the target of a block. */
interface BaseFeePace {
  readonly elasticity: bigint
  readonly denominator: bigint
}

const PACE: BaseFeePace = { elasticity: ELASTICITY, denominator: BASE_FEE_CHANGE_DENOMINATOR }

type FeeParent = Pick<BlockHeader, 'baseFeePerGas' | 'gasLimit' | 'gasUsed'>

/** Base fee of the block after `parent` (EIP-1559); a parent without one is the last before London. */
export const nextBaseFee = (parent: FeeParent): bigint => nextBaseFeeBy(parent, PACE)

/** The same at another pace. */
export const nextBaseFeeBy = (parent: FeeParent, { elasticity, denominator }: BaseFeePace): bigint => {
  const base = parent.baseFeePerGas
  if (base === undefined) return INITIAL_BASE_FEE
  const target = parent.gasLimit / elasticity
  if (parent.gasUsed === target) return base
  const distance = parent.gasUsed > target ? parent.gasUsed - target : target - parent.gasUsed
  const delta = (base * distance) / target / denominator
  if (parent.gasUsed > target) return base + (delta > 1n ? delta : 1n)
  return delta > base ? 0n : base - delta
}

const MIN_GAS_LIMIT = 5000n
const GAS_LIMIT_DIVISOR = 1024n

/** Gas limits that the block after `parent` may have, both ends included. */
export const gasLimitBounds = (parent: BlockHeader, fork: Fork): { readonly least: bigint; readonly most: bigint } => {
  const isFirstLondon = isAtLeast(fork, 'london') && parent.baseFeePerGas === undefined
  const base = isFirstLondon ? parent.gasLimit * ELASTICITY : parent.gasLimit
  const span = base / GAS_LIMIT_DIVISOR
  const least = base - span + 1n
  return { least: least < MIN_GAS_LIMIT ? MIN_GAS_LIMIT : least, most: base + span - 1n }
}
