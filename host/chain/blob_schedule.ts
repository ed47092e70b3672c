import type { Fork } from '../../transpiler/spec/forks.ts'
import { GAS_PER_BLOB } from '../../transpiler/spec/gas.ts'

/**
 * Blob limits of a stretch of the chain: most blobs in a block, and how slowly their price moves (EIP-4844, 7691,
 * 7892).
 *
 * Example: {@link BlockOptions}.
 */
export interface BlobParameters {
  readonly maxBlobs: number
  readonly updateFraction: bigint
}

const CANCUN: BlobParameters = { maxBlobs: 6, updateFraction: 3_338_477n }
const PRAGUE: BlobParameters = { maxBlobs: 9, updateFraction: 5_007_716n }

/** Changes of blob parameters alone, without a fork, on mainnet: from these seconds on (EIP-7892). */
const MAINNET_CHANGES: readonly (BlobParameters & { readonly fromSeconds: bigint })[] = [
  { fromSeconds: 1_765_290_071n, maxBlobs: 15, updateFraction: 8_346_193n },
  { fromSeconds: 1_767_747_671n, maxBlobs: 21, updateFraction: 11_684_671n },
]

/** What holds in a block, undefined before Cancun. */
export const blobParameters = (fork: Fork, chainId: bigint, timestamp: bigint): BlobParameters | undefined => {
  if (fork === 'cancun') return CANCUN
  if (fork !== 'prague' && fork !== 'osaka') return undefined
  let found = PRAGUE
  if (chainId === 1n && fork === 'osaka') {
    for (const change of MAINNET_CHANGES) if (timestamp >= change.fromSeconds) found = change
  }
  return found
}

/**
 * Wei per blob gas: 1 wei times e to the power of (excess / fraction), by the series of `fake_exponential` (EIP-4844).
 */
export const blobBaseFee = (excessBlobGas: bigint, { updateFraction }: BlobParameters): bigint => {
  let sum = 0n
  let term = updateFraction
  for (let i = 1n; term > 0n; i++) {
    sum += term
    term = (term * excessBlobGas) / (updateFraction * i)
  }
  return sum / updateFraction
}

/** Blob gas of a transaction with so many blobs (EIP-4844). */
export const blobGas = (blobs: number): bigint => BigInt(blobs * GAS_PER_BLOB)
