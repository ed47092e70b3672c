import { crc32 } from 'node:zlib'
import type { ChainConfig } from './chain_config.ts'

/**
 * The identifier of the rules that hold from a second on (EIP-2124, 6122): a checksum of the genesis hash and all that
 * changed until then, 4 bytes as 0x-hex. Every change by block number counts.
 */
export const forkId = (
  { changes }: Pick<ChainConfig, 'changes'>,
  genesis: { readonly hash: string; readonly timestamp: bigint },
  seconds: bigint,
): string => {
  let checksum = crc32(Buffer.from(genesis.hash.slice(2), 'hex'))
  const blocks = changes.blocks.filter((block) => block > 0n)
  const times = changes.times.filter((time) => time > genesis.timestamp && time <= seconds)
  const bytes = Buffer.alloc(8)
  for (const change of [...blocks, ...times]) {
    bytes.writeBigUInt64BE(change)
    checksum = crc32(bytes, checksum)
  }
  return `0x${checksum.toString(16).padStart(8, '0')}`
}
