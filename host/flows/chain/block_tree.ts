import type { Fork } from '../../../transpiler/spec/forks.ts'
import type { DecodedBlock } from '../../chain/decode_block.ts'
import type { BlobSchedule, BlockHeader } from '../../chain/header.ts'
import type { OpRules } from '../../chain/op/op_chain.ts'
import type { State, StateWrites } from '../../state/state.ts'
import type { AccountProof } from '../../state/trie/state_trie.ts'
import type { BlockResult } from '../block.ts'
import type { BuiltBlock } from '../build.ts'
import type { BuildRequest } from '../build_request.ts'

/**
 * A block of the chain. Hashes are 0x-hex.
 *
 * Example: {@link openChain}.
 */
export interface ChainBlock {
  readonly hash: string
  readonly header: BlockHeader
}

/**
 * What `addBlock` says of a block. `invalid`: it may not stand, for `reason` (one line, with its first wrong field or
 * transaction), or follows a block that may not; `latestValid` is its last ancestor that may. `unknownParent`: nothing
 * is known of the block before it, so nothing was executed.
 *
 * Example: {@link openChain}.
 */
export type BlockVerdict =
  | (ChainBlock & {
      readonly status: 'valid'
      readonly fork: Fork
      /** Undefined where the block was known already: it was not executed again. */
      readonly result: BlockResult | undefined
    })
  | (ChainBlock & { readonly status: 'invalid'; readonly reason: string; readonly latestValid: ChainBlock })
  | (ChainBlock & { readonly status: 'unknownParent' })

/**
 * What `setHead` makes of the known blocks, by their hashes. What is absent stays as it is.
 *
 * Example: {@link openChain}.
 */
export interface HeadUpdate {
  readonly head: string
  /** The head or an ancestor of it. */
  readonly safe?: string
  /** The safe block or an ancestor of it; never goes back. */
  readonly finalized?: string
}

/**
 * The blocks that the fork choice names, as they are on disk. `safe` and `finalized` are undefined until they are told.
 *
 * Example: {@link openChain}.
 */
export interface ForkChoice {
  readonly head: ChainBlock
  readonly safe: ChainBlock | undefined
  readonly finalized: ChainBlock | undefined
}

/**
 * What `setHead` did: blocks that left the canonical chain, the highest first, and blocks that came to it, the lowest
 * first.
 *
 * Example: {@link openChain}.
 */
export interface HeadChange {
  readonly undone: readonly ChainBlock[]
  readonly applied: readonly ChainBlock[]
}

/**
 * Why a fork choice is refused. `unknownHead`, `unknownSafe`, `unknownFinalized`: no such block is known, or it may not
 * stand; `notAncestor`: the finalized block is not on the way to the safe one, or that not on the way to the head;
 * `finalized`: the finalized block would leave the chain; `tooDeep`: the undo records end above the common ancestor;
 * `forgotten`: the head was known, and dropped for other blocks (`blockMemory`); it may be added again.
 *
 * Example: {@link ForkChoiceError}.
 */
export type ForkChoiceFault =
  | 'unknownHead'
  | 'unknownSafe'
  | 'unknownFinalized'
  | 'notAncestor'
  | 'finalized'
  | 'tooDeep'
  | 'forgotten'

/**
 * A fork choice that cannot be made. Nothing was changed.
 *
 * @example
 * import { ForkChoiceError } from 'wgevm'
 *
 * const error = new ForkChoiceError('unknownHead', 'the head 0x12 is no known block')
 * console.log(error.fault) // unknownHead
 */
export class ForkChoiceError extends Error {
  override readonly name = 'ForkChoiceError'
  readonly fault: ForkChoiceFault

  constructor(fault: ForkChoiceFault, what: string) {
    super(`fork choice: ${what}`)
    this.fault = fault
  }
}

/**
 * Where a transaction of the canonical chain is.
 *
 * Example: {@link openChain}.
 */
export interface TransactionPlace {
  readonly blockHash: string
  readonly blockNumber: bigint
  /** Position in the block: of its transactions, and of its receipts. */
  readonly index: number
}

/**
 * The rules of a block: its fork, and from Cancun on its blob limits; on the OP stack, which has no blobs, its rules.
 *
 * Example: {@link openChain}.
 */
export interface BlockRules {
  readonly fork: Fork
  readonly blobSchedule: BlobSchedule | undefined
  readonly chain?: OpRules
}

/**
 * A request of `build`: the chain knows the parent's header and trie and the rules.
 *
 * @example
 * import type { ChainBuildRequest } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const attributes = { timestamp: 12n, coinbase, prevRandao: `0x${'00'.repeat(32)}`, withdrawals: [] }
 * const request: ChainBuildRequest = { attributes, pool: [] }
 * console.log(request.parent) // undefined
 */
export interface ChainBuildRequest extends Omit<BuildRequest, 'parent' | 'parentState' | 'blobSchedule'> {
  /** Hash of the parent: the head where absent. */
  readonly parent?: string
}

/**
 * Memory that blocks take which are not on disk.
 *
 * Example: {@link openChain}.
 */
export interface BlockMemory {
  /** About what they take: transactions, receipts, and what they write. */
  readonly bytes: number
  readonly budget: number
  readonly blocks: number
  /** Blocks that were dropped to keep within the budget, since the chain was opened. */
  readonly forgotten: number
}

/**
 * The blocks that a chain knows, and which of them is its head: the canonical chain on disk, and in memory the blocks
 * above and beside it that were added, built, or left by a reorganisation. Calls run one at a time with the other calls
 * of the chain, in the order in which they were made; reads answer at once.
 *
 * Example: {@link openChain}.
 */
export interface BlockTree {
  readonly forkChoice: ForkChoice
  readonly memory: BlockMemory
  /**
   * Executes a block (RLP, or decoded) on its parent, which may be any known block, and keeps it in memory: nothing is
   * written to disk. A block that is known already is not executed again. Throws BlockInputError where the bytes are no
   * block, InputError, and StoreError.
   */
  addBlock(block: Uint8Array | DecodedBlock): Promise<BlockVerdict>
  /**
   * Makes a known block the head, on disk when the call has returned: back to the common ancestor and forward again, as
   * one transaction where that is below 64 MB of state, else as one for each part of the way, each of which ends at a
   * whole block. Blocks that leave the chain stay known in memory, until they are `undoDepth` below the head, or not
   * above the finalized block. Throws ForkChoiceError, and StoreError.
   */
  setHead(to: HeadUpdate): Promise<HeadChange>
  /**
   * Builds a block on a known block. It is known from then on, like one that was added, until another one is built on
   * the same parent, or `setHead` leaves it aside. From paris on.
   */
  build(request: ChainBuildRequest): Promise<BuiltBlock>
  /** Whether a block (hash) is of the canonical chain. */
  isCanonical(hash: string): boolean
  /** A known block by hash, a canonical one by number. So do the next two. */
  block(block: bigint | string): ChainBlock | undefined
  /** The RLP of such a block. */
  blockBytes(block: bigint | string): Uint8Array | undefined
  /** Its receipts, each as the receipts trie holds it. */
  receipts(block: bigint | string): readonly Uint8Array[] | undefined
  /** Where a transaction of the canonical chain is, by its hash (0x-hex). */
  transaction(hash: string): TransactionPlace | undefined
  /** The rules of a block after a known one (hash), at a time. */
  rulesAfter(parent: string, timestamp: bigint): BlockRules
  /**
   * The state after a known block, for as many readers as there are, while blocks are added and the head moves. It
   * costs nothing until it is read, needs no closing, and refuses writes. Undefined where no such block is known, or
   * its state is not: canonical blocks have theirs `undoDepth` below the head. Reads throw StoreError `depth` once the
   * block has fallen below that.
   */
  stateAt(block: bigint | string): State | undefined
  /**
   * Proves an account and slots of it in the state after such a block (EIP-1186). In the order of the other calls,
   * since the one trie goes there and back. Throws StoreError `depth` where the state is not known.
   */
  proof(block: bigint | string, address: string, keys?: readonly (bigint | string)[]): Promise<AccountProof>
  /**
   * The state root after such a block and writes on top, or the storage root of an account then; nothing of it is kept.
   * In the order of the other calls. Throws StoreError `depth` where the state is not known.
   */
  rootAfter(block: bigint | string, writes: StateWrites, account?: string): Promise<string>
}
