import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { BlockHeader } from '../chain/header.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import { checkForkOf } from '../chain/op/op_header.ts'
import { refuse } from '../primitives/input.ts'
import { BlockError } from './block_input.ts'
import type { BlockAttributes } from './build_request.ts'

/** What only a chain of the OP stack has. */
const OP_ONLY = ['transactions', 'noTxPool', 'eip1559Params', 'minBaseFee'] as const

/**
 * Throws BlockError where no block on the parent can have these attributes, InputError for those of another kind of
 * chain.
 */
export const checkAttributes = (
  parent: BlockHeader,
  attributes: BlockAttributes,
  fork: Fork,
  chain?: OpRules,
): void => {
  const { timestamp, withdrawals = [] } = attributes
  const number = parent.number + 1n
  if (timestamp <= parent.timestamp)
    throw new BlockError(number, 'timestamp', `is ${timestamp}, expected above ${parent.timestamp}`)
  // The state would have them, and no part of the block.
  if (withdrawals.length > 0 && (chain !== undefined || !isAtLeast(fork, 'shanghai')))
    throw new BlockError(
      number,
      'withdrawals',
      `${withdrawals.length} of them, expected none ${chain === undefined ? 'before shanghai' : 'on the OP stack'}`,
    )
  if (chain !== undefined) {
    checkForkOf(chain, timestamp)
    if (attributes.extraData !== undefined)
      refuse('attributes.extraData', attributes.extraData, 'nothing on the OP stack, whose blocks have their own')
    return
  }
  for (const name of OP_ONLY)
    if (attributes[name] !== undefined) refuse(`attributes.${name}`, attributes[name], 'nothing on Ethereum')
}
