import { decodeBlock } from '../host/chain/decode_block.ts'
import { type BlockHeader, headerHash } from '../host/chain/header.ts'
import type { TierCounts } from '../host/flows/execution_result.ts'
import { createExecutor } from '../host/flows/executor.ts'
import type { Executor, ExecutorOptions } from '../host/flows/executor_interface.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import { createStateTrie, stateRootOf } from '../host/state/trie/trie.ts'
import type { BlockTest } from './block_test.ts'

export interface BlockTestOutcome {
  readonly passed: boolean
  /** What differs, in one line. */
  readonly error?: string
  /** After the last valid block. */
  readonly stateRoot: string
  readonly state: MemoryState
  /** Over all valid blocks. */
  readonly tiers: TierCounts
}

/** Errors by which a block is refused; anything else is a fault of ours. */
const REFUSALS = new Set(['BlockError', 'InvalidTransactionError', 'TransactionInputError', 'BlockInputError'])

/** Runs a block test: every block on the one before it, the invalid ones refused, then the whole state after them. */
export const runBlockTest = async (
  test: BlockTest,
  options: Omit<ExecutorOptions, 'fork' | 'chainId' | 'state'> = {},
): Promise<BlockTestOutcome> => {
  const state = MemoryState.from(test.pre)
  const executor = createExecutor({ ...options, fork: test.fork, chainId: test.chainId, state })
  const tiers = { pathKernel: 0, pathProgram: 0, pathHost: 0, laneVm: 0, transfer: 0, cpu: 0 }
  try {
    const error = await runBlocks(test, state, executor, tiers)
    const failure = error === undefined ? {} : { error }
    return { passed: error === undefined, ...failure, stateRoot: rootOf(state), state, tiers }
  } finally {
    executor.close()
  }
}

const rootOf = (state: MemoryState): string => stateRootOf(state.dump())

const runBlocks = async (
  test: BlockTest,
  state: MemoryState,
  executor: Executor,
  tiers: Record<keyof TierCounts, number>,
): Promise<string | undefined> => {
  const trie = createStateTrie(state.dump())
  if (trie.root !== test.genesis.stateRoot)
    return `genesis: state root is ${trie.root}, header says ${test.genesis.stateRoot}`
  let parent = test.genesis
  state.setBlockHash(parent.number, headerHash(parent))
  const schedule = test.blobSchedule === undefined ? {} : { blobSchedule: test.blobSchedule }
  for (const [n, { rlp, exception }] of test.blocks.entries()) {
    let header: BlockHeader
    try {
      const block = decodeBlock(rlp)
      header = block.header
      const result = await executor.executeBlock(block, { parent, parentState: trie, ...schedule })
      for (const tier of Object.keys(tiers) as (keyof TierCounts)[]) tiers[tier] += result.tiers[tier]
    } catch (thrown) {
      if (!(thrown instanceof Error) || !REFUSALS.has(thrown.name)) throw thrown
      if (exception === undefined) return `blocks[${n}]: ${thrown.message}`
      continue
    }
    if (exception !== undefined) return `blocks[${n}]: accepted, expected ${exception}`
    parent = header
    state.setBlockHash(parent.number, headerHash(parent))
  }
  if (headerHash(parent) !== test.lastBlockHash)
    return `last block: hash is ${headerHash(parent)}, expected ${test.lastBlockHash}`
  if (rootOf(state) !== trie.root) return `state: root is ${rootOf(state)}, the trie has ${trie.root}`
  if (test.postState === undefined) return undefined
  const expected = rootOf(MemoryState.from(test.postState))
  return expected === trie.root ? undefined : `state: root is ${trie.root}, that of the expected state is ${expected}`
}
