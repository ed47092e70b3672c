import { type BlobParameters, blobBaseFee } from '../../host/chain/blob_schedule.ts'
import { type ChainConfig, configuredBlobs, forkAt } from '../../host/chain/chain_config.ts'
import { type BlobSchedule, type BlockHeader, blobScheduleAt } from '../../host/chain/header.ts'
import type { Fork } from '../../host/index.ts'

type Placed = Pick<BlockHeader, 'number' | 'timestamp' | 'difficulty'>

/** The fork of a block that stands: one of proof of stake has no difficulty. */
export const forkOf = (config: ChainConfig, { number, timestamp, difficulty }: Placed): Fork =>
  forkAt(config, { number, timestamp, isMerged: difficulty === 0n && number > 0n ? true : isMergedGenesis(config) })

/** A genesis of proof of stake. */
const isMergedGenesis = ({ terminalTotalDifficulty }: ChainConfig): boolean => terminalTotalDifficulty === 0n

/** The blob limits of a block; undefined before Cancun. */
export const blobsOf = (config: ChainConfig, fork: Fork, timestamp: bigint): BlobSchedule | undefined =>
  configuredBlobs(config, fork, timestamp) ?? blobScheduleAt(fork, config.chainId, timestamp)

/** Wei per blob gas in a block; undefined before Cancun. */
export const blobPriceOf = (config: ChainConfig, header: BlockHeader): bigint | undefined => {
  const blobs: BlobParameters | undefined = blobsOf(config, forkOf(config, header), header.timestamp)
  return blobs === undefined || header.excessBlobGas === undefined
    ? undefined
    : blobBaseFee(header.excessBlobGas, blobs)
}
