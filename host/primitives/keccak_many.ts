import type { HashPlan, NodeHasher } from './hash_plan.ts'
import { keccak256 } from './keccak.ts'
import { type KeccakChunk, KeccakMemory, keccakModule, keccakOn, type Messages } from './keccak_memory.ts'

/** What the second level of cache holds. */
const CHUNK_BYTES = 1 << 18
/** A memory that has grown past this is not kept. */
const MOST_KEPT_BYTES = 1 << 26

interface Kept {
  readonly memory: KeccakMemory
  readonly hash: (chunk: KeccakChunk, first: number, end: number) => void
}

let kept: Kept | undefined
let isMissing = false

/** Undefined where there is no WebAssembly with vectors and shared memory. */
const keptMemory = (): Kept | undefined => {
  if (kept !== undefined || isMissing) return kept
  try {
    const memory = new KeccakMemory()
    kept = { memory, hash: keccakOn(keccakModule(), memory.memory, 0) }
  } catch {
    isMissing = true
  }
  return kept
}

/**
 * Keccak-256 of many messages on this thread, in WebAssembly: 32 bytes each, in order. Offsets need no alignment.
 *
 * Cost: about 0.3 us of a core for each 136 bytes of a message and one more.
 */
export const keccakMany = (messages: Messages): Uint8Array => hashLevels(messages, [0, messages.count])

/** Keccak-256 of every message of a plan on this thread, 32 bytes each. The plan is left as it is. */
export const hashPlan = (plan: HashPlan): Uint8Array => hashLevels(plan, plan.levels)

const hashLevels = (messages: Messages, levels: ArrayLike<number>): Uint8Array => {
  const found = keptMemory()
  if (found === undefined) return hashInJavaScript(messages)
  const { memory, hash } = found
  try {
    memory.begin(messages, CHUNK_BYTES)
    for (let level = 1; level < levels.length; level++) {
      for (let first = levels[level - 1]!; first < levels[level]!; ) {
        const chunk = memory.place(messages, first, levels[level]!, 0)
        hash(chunk, 0, chunk.count)
        first += chunk.count
      }
    }
    return memory.digests()
  } catch (thrown) {
    // No memory for it.
    if (!(thrown instanceof RangeError)) throw thrown
    return hashInJavaScript(messages)
  } finally {
    if (memory.sizeBytes > MOST_KEPT_BYTES) kept = undefined
  }
}

/** The same, one message after another. @internal */
export const hashInJavaScript = ({ count, bytes, offsets, lengths, ...holes }: Messages): Uint8Array => {
  const digests = new Uint8Array(32 * count)
  for (let m = 0; m < count; m++) {
    const message = new Uint8Array(bytes.subarray(offsets[m]!, offsets[m]! + lengths[m]!))
    const end = holes.holeStart?.[m + 1] ?? 0
    for (let hole = holes.holeStart?.[m] ?? 0; hole < end; hole++) {
      const of = 32 * holes.holeOf![hole]!
      message.set(digests.subarray(of, of + 32), holes.holeAt![hole]! - offsets[m]!)
    }
    digests.set(keccak256(message), 32 * m)
  }
  return digests
}

/** Plans on this thread. */
export const SERIAL_HASHER: NodeHasher = {
  name: 'wasm',
  hash: async (plan) => hashPlan(plan),
  close: () => {},
}
