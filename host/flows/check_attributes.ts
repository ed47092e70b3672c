import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { BlockHeader } from '../chain/header.ts'
import type { Withdrawal } from '../chain/withdrawals.ts'
import { BlockError } from './block_input.ts'

/** What is checked of a block that is to be built. */
interface Attributes {
  readonly timestamp: bigint
  readonly withdrawals?: readonly Withdrawal[]
}

/** Throws BlockError where no block on the parent can have these attributes. */
export const checkAttributes = (parent: BlockHeader, { timestamp, withdrawals = [] }: Attributes, fork: Fork): void => {
  const number = parent.number + 1n
  if (timestamp <= parent.timestamp)
    throw new BlockError(number, 'timestamp', `is ${timestamp}, expected above ${parent.timestamp}`)
  // The state would have them, and no part of the block.
  if (withdrawals.length > 0 && !isAtLeast(fork, 'shanghai'))
    throw new BlockError(number, 'withdrawals', `${withdrawals.length} of them, expected none before shanghai`)
}
