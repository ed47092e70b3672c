/**
 * Messages to hash where some hold the digests of others, as the nodes of a trie do. Everything but the digests is
 * known when the plan is made: lengths, too, since a digest always takes 32 bytes. Message k of `count`:
 *
 * bytes       u8         every message from a multiple of 4 on, with 32 unset bytes in each hole
 * offsets     u32[n]     its first byte, a multiple of 4
 * lengths     u32[n]     its bytes
 * holeStart   u32[n+1]   its holes are holeStart[k] .. holeStart[k + 1]
 * holeAt      u32[h]     first byte of a hole in `bytes`; any alignment, inside its message
 * holeOf      u32[h]     the message whose digest goes there: one of an earlier level
 * levels      u32[l+1]   level j is the messages levels[j] .. levels[j + 1]; all messages, in order, leaves first
 *
 * Example: {@link StateTrieOptions}.
 */
export interface HashPlan {
  readonly count: number
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array
  readonly lengths: Uint32Array
  readonly holeStart: Uint32Array
  readonly holeAt: Uint32Array
  readonly holeOf: Uint32Array
  readonly levels: Uint32Array
}

/**
 * Hashes plans: on one thread, on several, or on a device.
 *
 * Example: {@link StateTrieOptions}.
 */
export interface NodeHasher {
  readonly name: string
  /** Keccak-256 of every message, 32 bytes each, in order. `bytes` of the plan may be filled in or taken over. */
  hash(plan: HashPlan): Promise<Uint8Array>
  /** Frees its threads or what it holds on a device. */
  close(): void
}
