import type { HashPlan, NodeHasher } from '../primitives/hash_plan.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { hashPlan } from '../primitives/keccak_many.ts'
import { releasePlan } from './index_trie.ts'

/** A root that is prepared: its plan is made, and only hashing is left. One of the two finishes it, once. */
export interface RootJob {
  /** The root, 0x-hex, by a hasher that runs beside other work. */
  finish(hasher: NodeHasher): Promise<string>
  /** The same, now, on this thread. */
  finishNow(): string
}

/** The root is the last message of the plan, of `indexPlan`. */
export const plannedRoot = (made: HashPlan): RootJob => {
  let plan: HashPlan | undefined = made
  const take = (): HashPlan => {
    if (plan === undefined) throw new Error('a root is finished once: its plan is gone')
    const taken = plan
    plan = undefined
    return taken
  }
  const end = (taken: HashPlan, digests: Uint8Array): string => {
    releasePlan(taken)
    return bytesToHex(digests.subarray(digests.length - 32))
  }
  return {
    finish: async (hasher) => {
      const taken = take()
      return end(taken, await hasher.hash(taken))
    },
    finishNow: () => {
      const taken = take()
      return end(taken, hashPlan(taken))
    },
  }
}

/** One that needed no plan. */
export const knownRoot = (root: string): RootJob => ({ finish: async () => root, finishNow: () => root })
