import { EMPTY_TRIE_ROOT, keccak256 } from '../../primitives/keccak.ts'
import { rlpBytes, rlpList } from '../../primitives/rlp.ts'

const NO_VALUE = Uint8Array.of(0x80)

/**
 * Root of the Merkle Patricia trie (YP appendix D) with these entries, without keeping a trie: one pass from the leaves
 * up, each node encoded and hashed once.
 *
 * keys     ascending bytewise, each once, none the beginning of another (hashes and RLP integers are so)
 * values   not empty
 *
 * Cost: keccak-256 of every node of 32 bytes or more, which is nearly all of it.
 */
export const sortedTrieRoot = (keys: readonly Uint8Array[], values: readonly Uint8Array[]): Uint8Array => {
  if (keys.length === 0) return new Uint8Array(Buffer.from(EMPTY_TRIE_ROOT.slice(2), 'hex'))
  return keccak256(encodeNode({ keys, values }, 0, keys.length, 0))
}

interface Entries {
  readonly keys: readonly Uint8Array[]
  readonly values: readonly Uint8Array[]
}

/** The node over entries [first, end), whose keys agree in their first `depth` nibbles. */
const encodeNode = (entries: Entries, first: number, end: number, depth: number): Uint8Array => {
  const { keys, values } = entries
  const key = keys[first]!
  const nibbles = 2 * key.length
  if (end - first === 1) return rlpList([rlpBytes(hexPrefix(key, depth, nibbles, true)), rlpBytes(values[first]!)])
  // Sorted: what the first and the last have in common, all have.
  const last = keys[end - 1]!
  let common = depth
  while (nibbleAt(key, common) === nibbleAt(last, common)) common++
  if (common > depth) {
    const child = reference(encodeNode(entries, first, end, common))
    return rlpList([rlpBytes(hexPrefix(key, depth, common, false)), child])
  }
  const items: Uint8Array[] = []
  let from = first
  for (let nibble = 0; nibble < 16; nibble++) {
    let to = from
    while (to < end && nibbleAt(keys[to]!, depth) === nibble) to++
    items.push(to === from ? NO_VALUE : reference(encodeNode(entries, from, to, depth + 1)))
    from = to
  }
  if (from !== end) throw new RangeError('the keys of a sorted trie are not ascending')
  items.push(NO_VALUE)
  return rlpList(items)
}

/** How a node stands in its parent: itself where it is short, else its hash. */
const reference = (node: Uint8Array): Uint8Array => (node.length < 32 ? node : rlpBytes(keccak256(node)))

export const nibbleAt = (key: Uint8Array, at: number): number => {
  if (at >= 2 * key.length) throw new RangeError('a key of a sorted trie is the beginning of another, or stands twice')
  return at % 2 === 0 ? key[at >> 1]! >> 4 : key[at >> 1]! & 15
}

/** Nibbles [from, to) of a key with the flags for odd length and for leaves (YP appendix C). */
export const hexPrefix = (key: Uint8Array, from: number, to: number, leaf: boolean): Uint8Array => {
  const count = to - from
  const bytes = new Uint8Array(1 + (count >> 1))
  let at = from
  bytes[0] = leaf ? 0x20 : 0
  if (count % 2 === 1) bytes[0] = bytes[0]! | 0x10 | nibbleAt(key, at++)
  for (let n = 1; at < to; n++, at += 2) bytes[n] = (nibbleAt(key, at) << 4) | nibbleAt(key, at + 1)
  return bytes
}
