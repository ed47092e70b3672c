import { RLP } from 'micro-eth-signer/core/rlp.js'
import { bloomIndicesOfHex } from '../../host/chain/bloom.ts'
import type { Log } from '../../host/index.ts'

const BLOOM_BYTES = 256

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.slice(2), 'hex'))

/** The bloom of logs (YP 4.3.1): three bits for each address and each topic. */
export const bloomOf = (logs: readonly Log[]): Uint8Array => {
  const bloom = new Uint8Array(BLOOM_BYTES)
  for (const { address, topics } of logs)
    for (const entry of [address, ...topics])
      for (const bit of bloomIndicesOfHex(entry)) bloom[BLOOM_BYTES - 1 - (bit >>> 3)]! |= 1 << (bit & 7)
  return bloom
}

/** What a receipt of a simulated call says; `root` in place of the status before Byzantium. */
export interface SimulatedReceipt {
  readonly type: number
  readonly status: number
  readonly root: string | undefined
  readonly cumulativeGasUsed: bigint
  readonly logs: readonly Log[]
}

/** A receipt as its trie holds it (EIP-2718). */
export const encodeSimulatedReceipt = (receipt: SimulatedReceipt): Uint8Array => {
  const { type, status, root, cumulativeGasUsed, logs } = receipt
  const list = RLP.encode([
    root === undefined ? BigInt(status) : bytesOf(root),
    cumulativeGasUsed,
    bloomOf(logs),
    logs.map(({ address, topics, data }) => [bytesOf(address), topics.map(bytesOf), bytesOf(data)]),
  ])
  return type === 0 ? list : Uint8Array.of(type, ...list)
}
