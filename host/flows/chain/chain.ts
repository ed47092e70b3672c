import type { Fork } from '../../../transpiler/spec/forks.ts'
import { type ChainConfig, configuredBlobs, forkAt, isMergedAfter } from '../../chain/chain_config.ts'
import { type DecodedBlock, decodeHeader } from '../../chain/decode_block.ts'
import { decodeReceiptList, encodeBody, encodeReceiptList, joinBlock } from '../../chain/encode_block.ts'
import { encodeHeader, headerHash } from '../../chain/header.ts'
import { encodeReceipts } from '../../roots/roots.ts'
import type { Store } from '../../state/store/store.ts'
import { StoreError } from '../../state/store/store_error.ts'
import type { StoredState } from '../../state/store/stored_state.ts'
import type { StateTrie } from '../../state/trie/state_trie.ts'
import type { BlockResult } from '../block.ts'
import { BlockError } from '../block_input.ts'
import { createExecutor } from '../executor.ts'
import type { Executor } from '../executor_interface.ts'
import type { ChainBlock } from './block_tree.ts'
import type { Chain, ChainOptions, ImportedBlock } from './chain_interface.ts'
import { checkBlockName, readImport } from './check_chain_input.ts'

interface ChainParts {
  readonly store: Store
  readonly config: ChainConfig
  readonly genesisHash: string
  readonly trie: StateTrie
  readonly undoDepth: number
  readonly executor: NonNullable<ChainOptions['executor']>
}

/** A chain over an open store whose trie is at the head's state. */
export class StoredChain implements Chain {
  readonly config: ChainConfig
  readonly genesisHash: string
  readonly #store: Store
  readonly #trie: StateTrie
  readonly #undoDepth: number
  readonly #options: ChainParts['executor']
  #head: ChainBlock
  #executor: { readonly fork: Fork; readonly executor: Executor } | undefined
  /** Ends when all calls made so far have ended. */
  #turn: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor({ store, config, genesisHash, trie, undoDepth, executor }: ChainParts) {
    this.config = config
    this.genesisHash = genesisHash
    this.#store = store
    this.#trie = trie
    this.#undoDepth = undoDepth
    this.#options = executor
    this.#head = this.block(store.head.hash)!
  }

  get head(): ChainBlock {
    return this.#head
  }

  get state(): StoredState {
    return this.#store.state
  }

  async import(block: Uint8Array | DecodedBlock): Promise<ImportedBlock> {
    // Before its turn: the bytes are the caller's again when this returns.
    const decoded = readImport(block)
    return this.#inTurn(() => this.#import(decoded))
  }

  async rewindTo(block: bigint | string): Promise<void> {
    const name = checkBlockName(block)
    return this.#inTurn(() => this.#rewindTo(name))
  }

  async #import(block: DecodedBlock): Promise<ImportedBlock> {
    const { header } = block
    const { number } = header
    const hash = headerHash(header)
    const parent = this.#head
    const known = this.#store.canonical(number)
    const totalDifficulty = this.#store.canonical(number - 1n)?.totalDifficulty ?? 0n
    const isMerged = isMergedAfter(this.config, totalDifficulty)
    const fork = forkAt(this.config, { number, timestamp: header.timestamp, isMerged })
    if (known?.hash === hash) return { hash, header, fork, result: undefined }
    if (header.parentHash !== parent.hash || number !== parent.header.number + 1n)
      throw new BlockError(
        number,
        'parentHash',
        `does not follow the head, block ${parent.header.number} ${parent.hash}`,
      )
    if (!isMerged && header.difficulty === 0n)
      throw new BlockError(number, 'difficulty', 'header says 0, expected more before the merge')
    const schedule = configuredBlobs(this.config, fork, header.timestamp)
    const executor = this.#executorAt(fork)
    const { staged } = this.#store.state
    try {
      const result = await executor.executeBlock(block, {
        parent: parent.header,
        parentState: this.#trie,
        ...(schedule === undefined ? {} : { blobSchedule: schedule }),
      })
      const { stateRoot } = header
      const receipts = encodeReceiptList(receiptsOf(result))
      const encoded = { header: encodeHeader(header), body: encodeBody(block), receipts }
      const difficulty = totalDifficulty + header.difficulty
      this.#store.append(
        { number, hash, stateRoot, parentHash: header.parentHash, totalDifficulty: difficulty, ...encoded },
        this.#undoDepth,
      )
      this.#head = { hash, header }
      return { hash, header, fork, result }
    } catch (thrown) {
      this.#back(executor, parent)
      throw thrown
    } finally {
      staged.clear()
    }
  }

  /** Nothing of the block after `parent` stays. */
  #back(executor: Executor | undefined, parent: ChainBlock): void {
    this.#store.state.staged.clear()
    this.#trie.rewind(parent.header.stateRoot)
    executor?.forget()
  }

  async #rewindTo(block: bigint | string): Promise<void> {
    const to = this.block(block)
    if (to === undefined || to.header.number > this.#head.header.number)
      throw new StoreError(this.#store.folder, 'depth', `block ${block} is no ancestor of the head, nor the head`)
    const { number, stateRoot } = to.header
    const { undone, writes } = this.#store.undoneTo(number)
    const from = this.#head
    try {
      const root = await this.#trie.apply(writes)
      if (root !== stateRoot)
        throw new StoreError(
          this.#store.folder,
          'damaged',
          `the store is damaged: the undo records lead to root ${root}, block ${number} has ${stateRoot}`,
        )
      this.#store.rewind({ number, hash: to.hash, stateRoot }, undone)
      this.#head = to
      this.#executor?.executor.forget()
    } catch (thrown) {
      this.#back(this.#executor?.executor, from)
      throw thrown
    }
  }

  block(block: bigint | string): ChainBlock | undefined {
    const hash = this.#hashOf(block)
    const header = hash === undefined ? undefined : this.#store.header(hash)
    return header === undefined ? undefined : { hash: hash!, header: decodeHeader(header) }
  }

  blockBytes(block: bigint | string): Uint8Array | undefined {
    const hash = this.#hashOf(block)
    if (hash === undefined) return undefined
    const header = this.#store.header(hash)
    const body = this.#store.body(hash)
    return header === undefined || body === undefined ? undefined : joinBlock(header, body)
  }

  receipts(block: bigint | string): readonly Uint8Array[] | undefined {
    const hash = this.#hashOf(block)
    const list = hash === undefined ? undefined : this.#store.receipts(hash)
    return list === undefined ? undefined : decodeReceiptList(list)
  }

  #hashOf(block: bigint | string): string | undefined {
    const name = checkBlockName(block)
    return typeof name === 'bigint' ? this.#store.canonical(name)?.hash : name
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#turn
    this.#executor?.executor.close()
    await this.#store.close()
  }

  /** One executor at a time: its tables hold the state, which the next fork goes on with. */
  #executorAt(fork: Fork): Executor {
    if (this.#executor?.fork === fork) return this.#executor.executor
    this.#executor?.executor.close()
    const { chainId, depositContract } = this.config
    const executor = createExecutor({
      ...this.#options,
      fork,
      chainId,
      state: this.#store.state,
      ...(depositContract === undefined ? {} : { depositContract }),
    })
    this.#executor = { fork, executor }
    return executor
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) return Promise.reject(new StoreError(this.#store.folder, 'closed', 'the chain is closed'))
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

const receiptsOf = ({ receipts, postStates }: BlockResult): readonly Uint8Array[] =>
  encodeReceipts(receipts, postStates === undefined ? {} : { postStates })
