import type { OpRules } from './op_chain.ts'
import { isOpAtLeast } from './op_forks.ts'

/** A transaction of the sequencer, the last of its block, that gives back gas of others (Lagoon). */
const TYPE_POST_EXEC = 0x7d

/** A block or attributes with such a transaction: nothing is said of whether they may stand. */
export class PostExecError extends Error {
  override readonly name = 'PostExecError'

  constructor(number: bigint) {
    super(`block ${number} has a post-exec transaction (type 0x7d, Lagoon), which is not executed here`)
  }
}

/**
 * Throws where the last transaction is of this type and the fork knows it. Anywhere else, and before Lagoon, no block
 * may have one, and it is refused as a type that is not there.
 */
export const refusePostExec = (
  chain: OpRules | undefined,
  number: bigint,
  transactions: readonly Uint8Array[] = [],
): void => {
  if (chain === undefined || !isOpAtLeast(chain.fork, 'lagoon')) return
  if (transactions.at(-1)?.[0] === TYPE_POST_EXEC) throw new PostExecError(number)
}
