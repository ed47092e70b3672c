import type { HashPlan, NodeHasher } from '../primitives/hash_plan.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { hashPlan } from '../primitives/keccak_many.ts'

/** A root that is prepared: its plan is made, and only hashing is left. Either of the two finishes it, once. */
export interface RootJob {
  /** The root, 0x-hex, by a hasher that runs beside other work. */
  finish(hasher: NodeHasher): Promise<string>
  /** The same, now, on this thread. */
  finishNow(): string
}

/** The root is the last message of the plan. */
export const plannedRoot = (plan: HashPlan): RootJob => ({
  finish: async (hasher) => rootOf(await hasher.hash(plan)),
  finishNow: () => rootOf(hashPlan(plan)),
})

/** One that needed no plan. */
export const knownRoot = (root: string): RootJob => ({ finish: async () => root, finishNow: () => root })

const rootOf = (digests: Uint8Array): string => bytesToHex(digests.subarray(digests.length - 32))
