import { type Fork, isAtLeast } from '../../../transpiler/spec/forks.ts'
import { type ChainConfig, isMergedAfter } from '../../chain/chain_config.ts'
import type { DecodedBlock } from '../../chain/decode_block.ts'
import { type BlobSchedule, type BlockHeader, headerHash } from '../../chain/header.ts'
import type { OpRules } from '../../chain/op/op_chain.ts'
import { refusePostExec } from '../../chain/op/post_exec.ts'
import type { StateWrites } from '../../state/state.ts'
import type { Store } from '../../state/store/store.ts'
import type { StateLayers, StoredState } from '../../state/store/stored_state.ts'
import type { ArenaTrie } from '../../state/trie/arena_trie.ts'
import type { PageChanges } from '../../state/trie/page_cuts.ts'
import type { AccountProof, ResidentTrie } from '../../state/trie/state_trie.ts'
import type { BlockResult } from '../block.ts'
import { BlockError } from '../block_input.ts'
import type { BuiltBlock } from '../build.ts'
import { createExecutor } from '../executor.ts'
import type { Executor } from '../executor_interface.ts'
import type { ChainBlock, ChainBuildRequest } from './block_tree.ts'
import type { ChainOptions } from './chain_interface.ts'
import type { KnownBlocks } from './known_blocks.ts'
import { type PlaceRules, rulesOn } from './stored_reads.ts'
import { TrieWalk } from './trie_walk.ts'

/** What a block came to, and what it writes. */
export interface Executed<Result> {
  readonly fork: Fork
  /** On a chain of the OP stack. */
  readonly chain: OpRules | undefined
  readonly result: Result
  readonly writes: readonly StateWrites[]
}

interface Arrival {
  readonly header: BlockHeader
  readonly hash?: string
}

interface ExecutorParts {
  readonly store: Store
  readonly config: ChainConfig
  readonly known: KnownBlocks
  readonly trie: ArenaTrie
  /** In bytes. */
  readonly trieMemory: number
  readonly onRepair?: ChainOptions['onRepair']
  readonly head: ChainBlock
  readonly options: NonNullable<ChainOptions['executor']>
}

/**
 * Executes blocks on known blocks: one executor, one state and one trie, which go to where they are needed. After a
 * block they are at that block; the executor's tables stay good for the next one on it.
 */
export class ChainExecutor {
  readonly #config: ChainConfig
  readonly #known: KnownBlocks
  readonly #options: ExecutorParts['options']
  readonly #state: StoredState
  readonly #walk: TrieWalk
  #executor: { readonly name: string; readonly executor: Executor } | undefined
  /** The block whose state this is. */
  #at: ChainBlock
  #layers: StateLayers

  constructor(parts: ExecutorParts) {
    const { store, config, known, head, options } = parts
    this.#config = config
    this.#known = known
    this.#options = options
    this.#state = store.stateUnder(() => this.#layers)
    this.#walk = new TrieWalk(parts)
    this.#at = head
    this.#layers = known.layersAt(known.wayTo(head.hash)!)
  }

  async execute(block: DecodedBlock, parent: ChainBlock): Promise<Executed<BlockResult>> {
    const { header } = block
    const rules = rulesOn(this.#config, this.#known, parent, header.timestamp)
    const { fork, schedule, chain } = rules
    refusePostExec(chain, header.number, block.transactions)
    const isMerged = isMergedAfter(this.#config, this.#known.totalDifficulty(parent))
    if (!isMerged && header.difficulty === 0n)
      throw new BlockError(header.number, 'difficulty', 'header says 0, expected more before the merge')
    // The list stands in the block from Shanghai on, even where it is empty (EIP-4895).
    if (isAtLeast(fork, 'shanghai') !== (block.withdrawals !== undefined))
      throw new BlockError(
        header.number,
        'withdrawals',
        block.withdrawals === undefined ? 'none, expected a list of them' : 'a list, expected none before shanghai',
      )
    return this.#run(parent, rules, async (executor, trie) => {
      const options = { parent: parent.header, parentState: trie, ...blobsOf(schedule) }
      const result = await executor.executeBlock(block, options)
      return { result, header }
    })
  }

  async build({ parent: _, ...request }: ChainBuildRequest, parent: ChainBlock): Promise<Executed<BuiltBlock>> {
    const rules = rulesOn(this.#config, this.#known, parent, request.attributes.timestamp)
    const { schedule } = rules
    return this.#run(parent, rules, async (executor, trie) => {
      const whole = { ...request, parent: parent.header, parentState: trie, ...blobsOf(schedule) }
      const result = await executor.build(whole)
      return { result, header: result.block.header, hash: result.hash }
    })
  }

  /** Proves an account in the state after a block; only the trie goes there. */
  async proof(block: ChainBlock, address: string, keys: readonly (bigint | string)[]): Promise<AccountProof> {
    return (await this.#walk.to(block)).proof(address, keys)
  }

  /** The root after a block and writes on top, or that of an account's storage; the trie then is where it was. */
  async rootAfter(block: ChainBlock, writes: StateWrites, account?: string): Promise<string> {
    const trie = await this.#walk.to(block)
    const applied = await trie.apply(writes)
    const root = account === undefined ? applied : trie.storageRoot(account)
    trie.rewind(block.header.stateRoot)
    return root
  }

  /** Goes to a block: its state, and the trie of it. Throws StoreError where the undo records do not reach it. */
  async moveTo(block: ChainBlock): Promise<ResidentTrie> {
    if (block.hash !== this.#at.hash) {
      const layers = this.#known.layersAt(this.#known.wayTo(block.hash)!)
      this.#executor?.executor.forget()
      this.#layers = layers
      this.#at = block
    }
    return this.#walk.to(block)
  }

  /** The block whose state this is; the trie is there too where a block was executed, or the head has moved. */
  get at(): ChainBlock {
    return this.#at
  }

  /** The undo record of a block, where the trie remembers it. */
  undoOf(parent: ChainBlock, block: ChainBlock): Uint8Array | undefined {
    return this.#walk.undoBetween(parent.header.stateRoot, block.header.stateRoot)
  }

  /** What makes the trie on disk that after a block, where this is. */
  changedPages(block: ChainBlock): PageChanges {
    return this.#walk.changedPages(block)
  }

  /** The trie on disk is that after the block where this is. */
  written(): void {
    this.#walk.written()
  }

  /** The head on disk has changed, or blocks that are not there: the state is the same under other layers. */
  settle(): void {
    this.#layers = this.#known.layersAt(this.#known.wayTo(this.#at.hash)!)
  }

  /** Leaves the last block, which is not to be known. */
  leave(parent: ChainBlock): void {
    this.#executor?.executor.forget()
    this.#walk.leave(parent)
    this.#at = parent
    this.settle()
  }

  close(): void {
    this.#executor?.executor.close()
  }

  async #run<Result>(
    parent: ChainBlock,
    rules: PlaceRules,
    work: (executor: Executor, trie: ResidentTrie) => Promise<{ readonly result: Result } & Arrival>,
  ): Promise<Executed<Result>> {
    const trie = await this.moveTo(parent)
    const { staged } = this.#layers
    const before = staged.all.length
    const { result, header, hash = headerHash(header) } = await work(this.#executorAt(rules), trie)
    this.#at = { hash, header }
    this.#walk.arrive(this.#at)
    this.#layers.arrive(header.number, hash)
    const { fork, chain } = rules
    return { fork, chain, result, writes: staged.all.slice(before) }
  }

  /** One executor at a time: its tables hold the state, which the next fork goes on with. */
  #executorAt({ fork, chain }: PlaceRules): Executor {
    const name = chain?.fork ?? fork
    if (this.#executor?.name === name) return this.#executor.executor
    this.#executor?.executor.close()
    const { chainId, depositContract } = this.#config
    const executor = createExecutor({
      ...this.#options,
      fork,
      chainId,
      state: this.#state,
      ...(chain === undefined ? {} : { chain }),
      ...(depositContract === undefined ? {} : { depositContract }),
    })
    this.#executor = { name, executor }
    return executor
  }
}

const blobsOf = (schedule: BlobSchedule | undefined): { readonly blobSchedule?: BlobSchedule } =>
  schedule === undefined ? {} : { blobSchedule: schedule }
