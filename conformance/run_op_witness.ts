import { opRulesAt } from '../host/chain/op/op_chain.ts'
import { evmForkOf } from '../host/chain/op/op_forks.ts'
import type { BlockResult } from '../host/flows/block.ts'
import type { BuiltBlock } from '../host/flows/build.ts'
import { createExecutor } from '../host/flows/executor.ts'
import type { ExecutorOptions } from '../host/flows/executor_interface.ts'
import type { OpWitness } from './op_witness.ts'
import { WitnessState } from './witness_state.ts'

/** How an executor is made for a witness: all but what the witness says. */
export type WitnessOptions = Omit<ExecutorOptions, 'fork' | 'chainId' | 'state' | 'chain'>

export interface WitnessRun {
  readonly built: BuiltBlock
  /** Undefined where the block has the expected hash; else what it has. */
  readonly difference: string | undefined
  /** Of the second execution, where the block has the hash. */
  readonly again?: BlockResult
}

/**
 * Builds the block of a witness from its attributes, and executes it once more from its header, roots included.
 * `others`: the options of that.
 */
export const runOpWitness = async (
  witness: OpWitness,
  options: WitnessOptions = {},
  others: WitnessOptions = options,
): Promise<WitnessRun> => {
  const { chainId, parent, attributes, preimages, expectedHash } = witness
  const chain = opRulesAt(witness.chain, attributes.timestamp)
  const open = (options: WitnessOptions) => {
    const state = new WitnessState(parent, preimages)
    const executor = createExecutor({ ...options, fork: evmForkOf(chain.fork), chainId, state, chain })
    return { state, executor }
  }
  const { executor, state } = open(options)
  let built: BuiltBlock
  try {
    built = await executor.build({ parent, attributes, pool: [], parentState: state })
  } finally {
    executor.close()
  }
  if (built.hash !== expectedHash) {
    const { stateRoot, receiptsRoot, gasUsed, transactionsRoot } = built.block.header
    const found = { stateRoot, receiptsRoot, gasUsed: String(gasUsed), transactionsRoot }
    return { built, difference: `hash is ${built.hash}, expected ${expectedHash}: ${JSON.stringify(found)}` }
  }
  const validator = open(others)
  try {
    const again = await validator.executor.executeBlock(built.block, { parent, parentState: validator.state })
    return { built, difference: undefined, again }
  } finally {
    validator.executor.close()
  }
}
