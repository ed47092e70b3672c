import type { Fork } from '../../../transpiler/spec/forks.ts'
import type { ChainConfig } from '../../chain/chain_config.ts'
import type { DecodedBlock } from '../../chain/decode_block.ts'
import type { State, StateWrites } from '../../state/state.ts'
import type { BlockResult } from '../block.ts'
import type { ExecutorOptions } from '../executor_interface.ts'
import type { BlockTree, ChainBlock } from './block_tree.ts'
import type { Genesis } from './genesis.ts'

/**
 * Options of `openChain`.
 *
 * @example
 * import type { ChainOptions } from 'wgevm'
 *
 * const options: ChainOptions = { path: '/var/lib/chain', undoDepth: 1024, executor: { workers: 2 } }
 * console.log(options.undoDepth) // 1024
 */
export interface ChainOptions {
  /** The folder of the chain, on a local disk. */
  readonly path: string
  /** Begins the chain where the folder has none; else the chain must have this genesis and these rules. */
  readonly genesis?: Genesis
  /** Blocks that `rewindTo` and `setHead` can go back, where the finalized block is not deeper. Default 128. */
  readonly undoDepth?: number
  /**
   * Whether `transaction` finds those of blocks that come in from now on; their hashes are written with them. Default
   * true.
   */
  readonly transactionLookup?: boolean
  /**
   * Bytes of memory for blocks that are not on disk: above the head, beside the chain, or built. Beyond it those that
   * were used longest ago are forgotten, and one whose ancestors alone take as much is refused. Default an eighth of
   * the machine's memory, at most 4 GiB.
   */
  readonly blockMemory?: number
  /**
   * Bytes of memory for what is read of the state trie, and its history. Beyond it the trie is dropped between blocks,
   * and read again where it is needed; one block may take more. Default an eighth of the machine's memory, at most
   * 4 GiB.
   */
  readonly trieMemory?: number
  /**
   * Is told how many of all accounts and slots are done while the trie of the state is made anew, of a folder of an
   * earlier schema or where a part of it was found damaged: minutes for ten millions. Other calls of the chain wait for
   * it, reads do not.
   */
  readonly onRepair?: (made: number, all: number) => void
  /**
   * Bytes that the data file may come to, at most 2^44; a block that it may have no room for is refused. Default 1 TiB,
   * or half of the address space that the process is left (`ulimit -v`).
   */
  readonly mapBytes?: number
  /** How blocks are executed: those options of an executor that decide no result. */
  readonly executor?: Omit<ExecutorOptions, 'fork' | 'chainId' | 'chain' | 'state' | 'depositContract' | 'invalid'>
}

/**
 * What came of an import.
 *
 * Example: {@link openChain}.
 */
export interface ImportedBlock extends ChainBlock {
  readonly fork: Fork
  /** Undefined where the block was there already. */
  readonly result: BlockResult | undefined
}

/**
 * A chain in a folder: blocks with their receipts, and the state after the last one; above and beside it the blocks of
 * a {@link BlockTree}. A change is one transaction of the database: when a call has returned it is on the disk, and
 * where it throws, or the process ends on the way, nothing of it is. Calls run one at a time, in the order in which
 * they were made.
 *
 * Example: {@link openChain}.
 */
export interface Chain extends BlockTree {
  readonly folder: string
  readonly config: ChainConfig
  readonly genesisHash: string
  /** The last block of the canonical chain, which is on disk. */
  readonly head: ChainBlock
  /** The state after whatever block is the head, for reading. */
  readonly state: State
  /**
   * Executes the block after the head (RLP, or decoded) by the rules of its place, checks it in everything but its
   * seal, and makes it the head. A block that is there already is left as it is. Throws BlockError,
   * InvalidTransactionError, TransactionInputError and BlockInputError where the block may not stand, and StoreError.
   */
  import(block: Uint8Array | DecodedBlock): Promise<ImportedBlock>
  /**
   * Makes an ancestor of the head (number or hash) the head, whatever is finalized; the blocks above it are gone.
   * Throws StoreError where there is no such ancestor, or it is deeper than the undo records.
   */
  rewindTo(block: bigint | string): Promise<void>
  /** Waits for the calls that were made, and frees the folder. */
  close(): Promise<void>
  /**
   * Blocks between the disk and a known block (hash), that one among them, the lowest first, for views of the chain;
   * undefined where it is not known, or its state is not.
   */
  unwritten(hash: string): readonly UnwrittenBlock[] | undefined
}

/**
 * A block that is not on disk, for views of the chain: values that a message between threads can carry.
 *
 * Example: {@link openChainView}.
 */
export interface UnwrittenBlock extends ChainBlock {
  readonly block: DecodedBlock
  /** As the folder keeps them. */
  readonly receipts: Uint8Array
  /** What it writes to its parent's state, in this order. */
  readonly writes: readonly StateWrites[]
  /** Of the block and all before it. */
  readonly totalDifficulty: bigint
  readonly isBuilt: boolean
}

/**
 * What a chain knows, for reading.
 *
 * Example: {@link openChainView}.
 */
export interface ChainReads
  extends Pick<
    Chain,
    | 'block'
    | 'blockBytes'
    | 'config'
    | 'forkChoice'
    | 'genesisHash'
    | 'head'
    | 'isCanonical'
    | 'proof'
    | 'receipts'
    | 'rootAfter'
    | 'rulesAfter'
    | 'state'
    | 'stateAt'
    | 'transaction'
  > {}

/**
 * What a view asks of the chain itself, over whatever lies between them.
 *
 * Example: {@link openChainView}.
 */
export interface ChainSource {
  /** A block (hash) that is not on disk and those below it that are not, as {@link Chain.unwritten} has them. */
  unwritten(hash: string): Promise<readonly UnwrittenBlock[] | undefined>
  /** {@link Chain.proof}. */
  proof: Chain['proof']
  /** {@link Chain.rootAfter}. */
  rootAfter: Chain['rootAfter']
}

/**
 * A chain that another thread has, for reading: blocks and states are read from its folder, each call as it is on disk
 * by then.
 *
 * Example: {@link openChainView}.
 */
export interface ChainView extends ChainReads {
  /** Learns of a block (hash) that is not on disk, and of those below it; those learned before may be forgotten. */
  learn(hash: string): Promise<void>
  /** Closes the folder; the chain that has it stays open. */
  close(): Promise<void>
}
