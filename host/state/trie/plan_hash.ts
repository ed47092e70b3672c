import type { HashPlan, NodeHasher } from '../../primitives/hash_plan.ts'
import { keccak256 } from '../../primitives/keccak.ts'

/** Hashes a plan on this thread, one message after the other. */
export const hashPlan = ({ count, bytes, offsets, lengths, holeStart, holeAt, holeOf }: HashPlan): Uint8Array => {
  const digests = new Uint8Array(32 * count)
  for (let message = 0; message < count; message++) {
    for (let hole = holeStart[message]!; hole < holeStart[message + 1]!; hole++)
      bytes.set(digests.subarray(32 * holeOf[hole]!, 32 * holeOf[hole]! + 32), holeAt[hole]!)
    const start = offsets[message]!
    digests.set(keccak256(bytes.subarray(start, start + lengths[message]!)), 32 * message)
  }
  return digests
}

export const plainHasher: NodeHasher = { name: 'plain', hash: async (plan) => hashPlan(plan), close: () => {} }
