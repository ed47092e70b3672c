import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { rlpInteger } from '../../host/primitives/rlp.ts'
import type { Receipts } from '../../host/receipts/receipts.ts'
import { sortedTrieRoot } from '../../host/state/trie/sorted_trie.ts'

/** Items up to which @ethereumjs/mpt makes the trie: it takes half a millisecond for each. */
const MOST_BY_MPT = 2_048

/**
 * Root of the trie that has item i under the RLP of i, 0x-hex: by @ethereumjs/mpt, and of more than MOST_BY_MPT items
 * by the bulk trie of whole states, which shares no code with the tries of a block.
 */
export const indexRoot = async (items: readonly Uint8Array[]): Promise<string> => {
  if (items.length <= MOST_BY_MPT) {
    const trie = await createMPT({ useNodePruning: true })
    for (const [i, item] of items.entries()) await trie.put(RLP.encode(i), item)
    return bytesToHex(trie.root())
  }
  const entries = items.map((item, i) => [rlpInteger(i), item] as const)
  entries.sort(([a], [b]) => Buffer.compare(a, b))
  return bytesToHex(
    sortedTrieRoot(
      entries.map(([key]) => key),
      entries.map(([, item]) => item),
    ),
  )
}

/** Receipts of typed transactions as their trie holds them (EIP-2718), by @ethereumjs/rlp. */
export const receiptValues = (receipts: Receipts): Uint8Array[] =>
  Array.from({ length: receipts.count }, (_, i) => {
    const { type, status, cumulativeGasUsed, logsBloom, logs } = receipts.get(i)!
    const entries = logs.map(({ address, topics, data }) => [
      hexToBytes(address),
      topics.map(hexToBytes),
      hexToBytes(data),
    ])
    return Uint8Array.of(type, ...RLP.encode([status, cumulativeGasUsed, hexToBytes(logsBloom), entries]))
  })
