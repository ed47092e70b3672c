import type { StateWrites } from '../../state/state.ts'
import { Store } from '../../state/store/store.ts'
import { StoreError } from '../../state/store/store_error.ts'
import type { AccountProof } from '../../state/trie/state_trie.ts'
import type { ChainBlock, ForkChoice } from './block_tree.ts'
import type { ChainSource, ChainView } from './chain_interface.ts'
import { checkRules } from './check_store.ts'
import { KnownBlocks } from './known_blocks.ts'
import { StoredReads } from './stored_reads.ts'

/**
 * Opens a view of a chain that this process has open, in another thread most of all: what it reads, it reads from the
 * folder itself, so a busy chain delays no reader, and a busy reader no chain. `source` is asked for what is not there.
 * Close it before the chain. Throws StoreError.
 *
 * @example
 * import { mkdtempSync, rmSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { type ChainReads, type ChainSource, type ChainView, openChain, openChainView, parseGenesis } from 'wgevm'
 * import type { UnwrittenBlock } from 'wgevm'
 *
 * const config = '"config": { "chainId": 7 }, "difficulty": "0x1", "gasLimit": "0x1c9c380"'
 * const genesis = parseGenesis(`{ ${config}, "alloc": {} }`)
 * const path = mkdtempSync(`${tmpdir()}/chain-`)
 * const chain = await openChain({ path, genesis })
 * const source: ChainSource = {
 *   unwritten: async (hash): Promise<readonly UnwrittenBlock[] | undefined> => chain.unwritten(hash),
 *   proof: (block, address, keys) => chain.proof(block, address, keys),
 *   rootAfter: (block, writes) => chain.rootAfter(block, writes),
 * }
 * const view: ChainView = await openChainView(path, source)
 * const reads: ChainReads = view
 * console.log(reads.head.hash === chain.head.hash) // true
 * await view.close()
 * await chain.close()
 * rmSync(path, { recursive: true })
 */
export const openChainView = async (path: string, source: ChainSource): Promise<ChainView> => {
  const store = await Store.view(path)
  try {
    const { meta } = store
    if (meta === undefined) throw new StoreError(path, 'empty', 'holds no chain yet')
    return new StoredView(
      store,
      new KnownBlocks(store, LEARNED_BYTES),
      checkRules(store, meta),
      meta.genesisHash,
      source,
    )
  } catch (thrown) {
    await store.close()
    throw thrown
  }
}

/** What the blocks that a view has learned of may take. */
const LEARNED_BYTES = 256 << 20

class StoredView extends StoredReads implements ChainView {
  readonly #source: ChainSource

  constructor(
    store: Store,
    known: KnownBlocks,
    config: StoredReads['config'],
    genesisHash: string,
    source: ChainSource,
  ) {
    super(store, known, config, genesisHash)
    this.#source = source
  }

  get head(): ChainBlock {
    return this.known.block(this.store.head.hash)!
  }

  get forkChoice(): ForkChoice {
    return this.storedForkChoice()
  }

  async learn(hash: string): Promise<void> {
    if (this.block(hash) !== undefined) return
    const blocks = await this.#source.unwritten(hash)
    if (blocks === undefined || blocks.length === 0) return
    this.known.prune(this.forkChoice.finalized?.header.number ?? 0n)
    for (const block of blocks) this.known.add(block)
    this.known.trim(blocks.at(-1)!)
  }

  proof(block: bigint | string, address: string, keys?: readonly (bigint | string)[]): Promise<AccountProof> {
    return this.#source.proof(block, address, keys)
  }

  rootAfter(block: bigint | string, writes: StateWrites, account?: string): Promise<string> {
    return this.#source.rootAfter(block, writes, account)
  }

  close(): Promise<void> {
    return this.store.close()
  }
}
