import type { BlockResult } from '../../host/flows/block.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { stateRootOf } from '../../host/state/trie/trie.ts'
import { checkInvariants } from '../invariants.ts'
import { compareWithSerial, runSerial } from '../oracle.ts'
import { createRandom } from '../random.ts'
import { drawSample, pickTransactions, prefix } from '../subset.ts'
import { VERIFIED_SAMPLE, VerificationError } from '../verify.ts'
import type { Scenario, Sharing } from '../workloads/workload.ts'
import type { SignedBlock } from './signed_chain.ts'
import { indexRoot, receiptValues } from './trie_roots.ts'

/** A block that was executed, and the state on both sides of it. */
export interface ExecutedSignedBlock {
  readonly scenario: Pick<Scenario, 'fork' | 'chainId'>
  readonly shares: Sharing
  readonly signed: SignedBlock
  readonly result: BlockResult
  readonly before: MemoryState
  readonly after: MemoryState
}

/**
 * Verifies a block, or throws VerificationError: the result's roots are the header's; every nonce, balance and modelled
 * slot of all transactions is as the workload's model says, which also tells of a wrong sender; up to VERIFIED_SAMPLE
 * transactions equal serial @ethereumjs/vm. Returns how many.
 */
export const verifySignedBlock = async (executed: ExecutedSignedBlock, seed: number): Promise<number> => {
  const { scenario, shares, signed, result, before, after } = executed
  const { header } = signed.block
  for (const field of ['transactionsRoot', 'receiptsRoot', 'stateRoot'] as const)
    if (result[field] !== header[field])
      throw new VerificationError(
        `block ${header.number}: ${field} is ${result[field]}, the header says ${header[field]}`,
      )
  const { env, transactions } = signed.work
  const fault = await checkInvariants(before, after, signed.work, result.receipts)
  if (fault !== undefined) throw new VerificationError(fault)
  const { count } = transactions
  const indices =
    count <= VERIFIED_SAMPLE || shares === 'slots'
      ? prefix(Math.min(count, VERIFIED_SAMPLE))
      : drawSample(count, VERIFIED_SAMPLE, createRandom(seed, 'verified sample'))
  const serial = await runSerial({
    ...scenario,
    env,
    state: before,
    transactions: pickTransactions(transactions, indices),
  })
  const difference = compareWithSerial({ receipts: result.receipts, state: after }, serial, {
    indices,
    state: shares === 'nothing' ? 'touched' : 'none',
  })
  if (difference !== undefined) throw new VerificationError(difference)
  return indices.length
}

/**
 * The three roots of a block by other means than those of the executor, or throws VerificationError: transactions and
 * receipts by `indexRoot`, the state by a trie made anew of all that the State holds.
 */
export const verifyRoots = async ({ signed, result, after }: ExecutedSignedBlock): Promise<void> => {
  const { header } = signed.block
  const roots = {
    transactionsRoot: await indexRoot(signed.signed),
    receiptsRoot: await indexRoot(receiptValues(result.receipts)),
    stateRoot: stateRootOf(after.dump()),
  }
  for (const field of ['transactionsRoot', 'receiptsRoot', 'stateRoot'] as const)
    if (roots[field] !== header[field])
      throw new VerificationError(
        `block ${header.number}: ${field} is ${header[field]}, made anew it is ${roots[field]}`,
      )
}
