import { type BlobParameters, blobBaseFee } from '../../host/chain/blob_schedule.ts'
import { type ChainConfig, configuredBlobs, forkAt } from '../../host/chain/chain_config.ts'
import { type BlobSchedule, type BlockHeader, blobScheduleAt, nextBaseFee } from '../../host/chain/header.ts'
import { opNextBaseFee } from '../../host/chain/op/base_fee.ts'
import { type Fork, type OpRules, opRulesAt } from '../../host/index.ts'

type Placed = Pick<BlockHeader, 'number' | 'timestamp' | 'difficulty'>

/** The fork of a block that stands: one of proof of stake has no difficulty. */
export const forkOf = (config: ChainConfig, { number, timestamp, difficulty }: Placed): Fork =>
  forkAt(config, { number, timestamp, isMerged: difficulty === 0n && number > 0n ? true : isMergedGenesis(config) })

/** What holds in a block: `chain` on the OP stack. */
export interface Rules {
  readonly fork: Fork
  readonly chain: OpRules | undefined
}

export const rulesOf = (config: ChainConfig, header: Placed): Rules => ({
  fork: forkOf(config, header),
  chain: config.op === undefined ? undefined : opRulesAt(config.op, header.timestamp),
})

/** A genesis of proof of stake. */
const isMergedGenesis = ({ terminalTotalDifficulty }: ChainConfig): boolean => terminalTotalDifficulty === 0n

/** The blob limits of a block; undefined before Cancun, and on the OP stack. */
export const blobsOf = (config: ChainConfig, fork: Fork, timestamp: bigint): BlobSchedule | undefined =>
  config.op !== undefined
    ? undefined
    : (configuredBlobs(config, fork, timestamp) ?? blobScheduleAt(fork, config.chainId, timestamp))

/** Wei per blob gas in a block; undefined before Cancun. */
export const blobPriceOf = (config: ChainConfig, header: BlockHeader): bigint | undefined => {
  const blobs: BlobParameters | undefined = blobsOf(config, forkOf(config, header), header.timestamp)
  return blobs === undefined || header.excessBlobGas === undefined
    ? undefined
    : blobBaseFee(header.excessBlobGas, blobs)
}

/** Base fee of the block after this one, from London on. */
export const baseFeeAfter = ({ op }: ChainConfig, header: BlockHeader, timestamp: bigint): bigint =>
  op === undefined ? nextBaseFee(header) : opNextBaseFee(op, header, timestamp)
