import type { ExitReason } from '../../batch/reason.ts'
import type { PathJob } from './job.ts'
import type { PathCandidate, PathKeyState } from './library.ts'

/** Lanes of one key on their way: which of its candidates they try, and how often they missed. */
export interface Pending {
  readonly key: PathKeyState
  /** In the key's order. More than one where lanes are so few that a wave less is worth more than the lanes. */
  readonly candidates: readonly PathCandidate[]
  readonly reruns: number
  /** Ascending. */
  readonly transactions: Int32Array
}

/** Lanes of one key that no path took, by why. */
export interface Leftover {
  readonly parts: { readonly transactions: Int32Array; readonly reason: ExitReason }[]
}

/** Past this, lanes try one candidate after another. */
export const FEW_LANES = 8

/** Joins entries that share a candidate, so a wave holds every candidate once. */
export const mergePending = (pending: Pending[]): void => {
  for (let a = 0; a < pending.length; a++) {
    for (let b = pending.length - 1; b > a; b--) {
      const one = pending[a]!
      const other = pending[b]!
      if (one.key !== other.key || !one.candidates.some((candidate) => other.candidates.includes(candidate))) continue
      const transactions = mergeSorted([one.transactions, other.transactions])
      const union = one.key.candidates.filter((c) => one.candidates.includes(c) || other.candidates.includes(c))
      pending[a] = {
        key: one.key,
        candidates: transactions.length > FEW_LANES ? union.slice(0, 1) : union,
        reruns: Math.max(one.reruns, other.reruns),
        transactions,
      }
      pending.splice(b, 1)
      // The union may meet entries that were compared before.
      b = pending.length
    }
  }
}

export const mergeSorted = (parts: readonly Int32Array[]): Int32Array => {
  if (parts.length === 1) return parts[0]!
  const merged = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    merged.set(part, at)
    at += part.length
  }
  return merged.sort()
}

/** The lanes of a hinted job for these of its transactions. */
export const hintedSubset = (job: PathJob, transactions: readonly number[]): PathJob => {
  const { hints } = job
  if (hints === undefined) throw new Error('a hinted job carries hints')
  const position = new Map<number, number>()
  for (let n = 0; n < job.transactions.length; n++) position.set(job.transactions[n]!, n)
  const at = Uint32Array.from(transactions, (i) => hints.at[position.get(i)!]!)
  return { ...job, transactions: Int32Array.from(transactions), hints: { words: hints.words, at } }
}
