import { refuse } from '../../primitives/input.ts'
import { EMPTY_TRIE_ROOT } from '../../primitives/keccak.ts'
import { type BlockHeader, headerHash } from '../header.ts'
import type { HeaderFault } from '../header_fault.ts'
import { NO_REQUESTS_HASH } from '../requests.ts'
import { extraDataFault, leastGasLimit, opNextBaseFee } from './base_fee.ts'
import { isOpActive, type OpChain, type OpRules, opForkAt } from './op_chain.ts'
import { isOpAtLeast, type OpFork } from './op_forks.ts'

const fault = (header: BlockHeader, field: keyof BlockHeader, actual: string): HeaderFault => ({
  field,
  stated: String(header[field] ?? 'nothing'),
  actual,
})

/**
 * The first field of a header that breaks a rule of the OP stack which needs no execution. What a header of the fork's
 * EVM has and how long it is has been checked.
 */
export const opHeaderFault = (header: BlockHeader, chain: OpRules, parent?: BlockHeader): HeaderFault | undefined => {
  const { fork } = chain
  const wrong = extraDataFault(header.extraData, fork)
  if (wrong !== undefined) return fault(header, 'extraData', wrong)
  const least = leastGasLimit(chain, fork, header.extraData)
  if (header.gasLimit < least) return fault(header, 'gasLimit', `at least the elasticity ${least}`)
  if (isOpAtLeast(fork, 'canyon') && !isOpAtLeast(fork, 'isthmus') && header.withdrawalsRoot !== EMPTY_TRIE_ROOT)
    return fault(header, 'withdrawalsRoot', 'that of no withdrawals before isthmus')
  if (isOpAtLeast(fork, 'isthmus') && header.requestsHash !== NO_REQUESTS_HASH)
    return fault(header, 'requestsHash', 'that of no requests')
  if (isOpAtLeast(fork, 'ecotone')) {
    if (header.excessBlobGas !== 0n) return fault(header, 'excessBlobGas', '0')
    if (!isOpAtLeast(fork, 'jovian') && header.blobGasUsed !== 0n)
      return fault(header, 'blobGasUsed', '0 before jovian')
    if (header.blobGasUsed! > header.gasLimit)
      return fault(header, 'blobGasUsed', `at most the block's gas limit ${header.gasLimit}`)
  }
  return parent === undefined ? undefined : parentFault(header, chain, parent)
}

/** The gas limit may change by any amount: attributes say it. */
const parentFault = (header: BlockHeader, chain: OpChain, parent: BlockHeader): HeaderFault | undefined => {
  if (header.number !== parent.number + 1n) return fault(header, 'number', `${parent.number + 1n}`)
  const parentHash = headerHash(parent)
  if (header.parentHash !== parentHash) return fault(header, 'parentHash', parentHash)
  if (header.timestamp <= parent.timestamp) return fault(header, 'timestamp', `above the parent's ${parent.timestamp}`)
  const baseFee = opNextBaseFee(chain, parent, header.timestamp)
  return header.baseFeePerGas === baseFee ? undefined : fault(header, 'baseFeePerGas', `${baseFee}`)
}

/** The chain is at the fork of a block with this timestamp. Throws InputError. */
export const checkForkOf = (chain: OpRules, timestamp: bigint): void => {
  const wanted = opForkAt(chain, timestamp)
  if (chain.fork !== wanted) refuse('chain.fork', chain.fork, `${wanted}, which a block at ${timestamp} has`)
}

/** Seconds between blocks, by which Canyon knows its first one (optimism rust/alloy-op-evm, canyon.rs). */
const BLOCK_SECONDS = 2n

/** Whether a block at this time is Canyon's first one. */
export const isFirstOfCanyon = (chain: OpChain, timestamp: bigint): boolean =>
  isOpActive(chain, 'canyon', timestamp) &&
  !isOpActive(chain, 'canyon', timestamp < BLOCK_SECONDS ? 0n : timestamp - BLOCK_SECONDS)

/** The fork from Jovian on whose first block this is: it holds deposits only. */
export const activatedFork = (chain: OpChain, timestamp: bigint, parentTimestamp: bigint): OpFork | undefined => {
  const fork = opForkAt(chain, timestamp)
  return isOpAtLeast(fork, 'jovian') && opForkAt(chain, parentTimestamp) !== fork ? fork : undefined
}
