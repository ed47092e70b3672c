import type { BlockAccessList } from '../chain/access_list.ts'
import type { TransactionBatch, TransactionObject } from '../chain/batch.ts'
import type { BlobSchedule, BlockHeader } from '../chain/header.ts'
import type { SignedTransactions } from '../chain/packed.ts'
import type { Withdrawal } from '../chain/withdrawals.ts'
import type { KnownSenders } from '../senders/known_senders.ts'
import type { DumpedAccount } from '../state/allocation.ts'
import type { StateTrie } from '../state/trie/state_trie.ts'

/**
 * A block as it is given: its header says what the execution must come to.
 *
 * @example
 * import { type BlockInput, createExecutor, createStateTrie, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = MemoryState.from({ '0x00000000000000000000000000000000000a11ce': { balance: 10n ** 18n } })
 * const parent = genesisHeader('shanghai', { stateRoot: stateRootOf(state.dump()) })
 * const producer = createExecutor({ fork: 'shanghai', chainId: 1n, state: state.clone() })
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const attributes = { timestamp: 12n, coinbase, prevRandao: `0x${'0'.repeat(64)}` }
 * const parentState = createStateTrie(state.dump())
 * const block: BlockInput = (await producer.build({ parent, attributes, pool: [], parentState })).block
 * const validator = createExecutor({ fork: 'shanghai', chainId: 1n, state })
 * const { stateRoot } = await validator.executeBlock(block, { parent, parentState: createStateTrie(state.dump()) })
 * console.log(stateRoot === block.header.stateRoot) // true
 * producer.close()
 * validator.close()
 */
export interface BlockInput {
  readonly header: BlockHeader
  /** Decoded, or as they come over the wire. */
  readonly transactions: TransactionBatch | readonly TransactionObject[] | SignedTransactions
  /** The same over the wire, where `transactions` are decoded: without them the transactions root is not checked. */
  readonly signed?: SignedTransactions
  /**
   * Senders of `transactions` over the wire, where the caller has recovered them before. They are **taken as given**.
   */
  readonly senders?: KnownSenders
  readonly uncles?: readonly BlockHeader[]
  readonly withdrawals?: readonly Withdrawal[]
  /** A list that came with the block (EIP-7928): used to load the state ahead, then compared with what was touched. */
  readonly accessList?: BlockAccessList
}

/**
 * Options of `executeBlock`: what the block is checked against, and what is asked for beside its result.
 *
 * @example
 * import { type BlockOptions, createStateTrie, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = new MemoryState()
 * const options: BlockOptions = {
 *   parent: genesisHeader('osaka', { stateRoot: stateRootOf(state.dump()) }),
 *   parentState: createStateTrie(state.dump()),
 *   blobSchedule: { targetBlobs: 10, maxBlobs: 15, updateFraction: 8_346_193n },
 * }
 * console.log(options.blobSchedule?.maxBlobs) // 15
 */
export interface BlockOptions {
  /** Without it the rules between a block and its parent are not checked. */
  readonly parent?: BlockHeader
  /**
   * The trie of the state that the executor's State holds; it follows the block. Without it the state root is not
   * checked. Where `parent` is given, too, the trie's root must be the parent's state root.
   */
  readonly parentState?: StateTrie
  /** What the state should be after the block: a state root that differs is then told with the first account. */
  readonly expectedState?: Readonly<Record<string, DumpedAccount>>
  /** Where the chain's blob schedule (EIP-7892) is not what the fork brought. */
  readonly blobSchedule?: BlobSchedule
  /** Asks for `BlockResult.changes`. */
  readonly changes?: boolean
  /** As in `ExecuteRequest`; the trie is then where it was. */
  readonly signal?: AbortSignal
  /** Asks for `BlockResult.accessList`; so does a list that came with the block, or its hash in the header. */
  readonly accessList?: boolean
}

/**
 * Options of `stream`: those of `executeBlock` for every block. `parent` is that of the first one, each later one has
 * the one before it; `parentState` follows from block to block.
 *
 * @example
 * import { type BlockInput, createExecutor, createStateTrie, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = new MemoryState()
 * const parent = genesisHeader('shanghai', { stateRoot: stateRootOf(state.dump()) })
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const producer = createExecutor({ fork: 'shanghai', chainId: 1n, state: state.clone() })
 * const parentState = createStateTrie()
 * const blocks: BlockInput[] = []
 * for (let n = 0; n < 3; n++) {
 *   const attributes = { timestamp: BigInt(12 + n), coinbase, prevRandao: `0x${'0'.repeat(64)}` }
 *   const built = await producer.build({ parent: blocks.at(-1)?.header ?? parent, attributes, pool: [], parentState })
 *   blocks.push(built.block)
 * }
 * const validator = createExecutor({ fork: 'shanghai', chainId: 1n, state })
 * let count = 0
 * for await (const { stateRoot } of validator.stream(blocks, { parent, parentState: createStateTrie() }))
 *   if (stateRoot === blocks[count]?.header.stateRoot) count++
 * console.log(count) // 3
 * producer.close()
 * validator.close()
 */
export interface StreamOptions extends Omit<BlockOptions, 'expectedState'> {
  /**
   * Blocks that are taken from the source before their turn, decoded and their senders recovered beside the execution
   * of the one before them: 1 to 16. Default 2.
   */
  readonly ahead?: number
}

/**
 * The block may not stand: `field` of its header, or something else that is named in the message, is not as the rules
 * or the execution want it. Nothing was committed.
 *
 * @example
 * import { BlockError, createExecutor, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const state = new MemoryState()
 * const parent = genesisHeader('shanghai', { stateRoot: stateRootOf(state.dump()) })
 * const executor = createExecutor({ fork: 'shanghai', chainId: 1n, state })
 * try {
 *   await executor.executeBlock({ header: { ...parent, number: 2n }, transactions: [], withdrawals: [] }, { parent })
 * } catch (error) {
 *   console.log(error instanceof BlockError && error.field) // number
 * }
 * executor.close()
 */
export class BlockError extends Error {
  override readonly name = 'BlockError'
  readonly number: bigint
  readonly field: string

  constructor(number: bigint, field: string, what: string, options?: ErrorOptions) {
    super(`block ${number}: ${field}: ${what}`, options)
    this.number = number
    this.field = field
  }
}
