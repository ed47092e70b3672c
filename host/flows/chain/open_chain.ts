import { configHash } from '../../chain/chain_config.ts'
import { encodeBody } from '../../chain/encode_block.ts'
import { encodeHeader, headerHash } from '../../chain/header.ts'
import { encodeReceiptList } from '../../chain/receipt_list.ts'
import { refuse } from '../../primitives/input.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import type { MemoryState } from '../../state/memory_state.ts'
import type { StateWrites } from '../../state/state.ts'
import { Store, type StoreMeta } from '../../state/store/store.ts'
import { lineOf, readFault, StoreError } from '../../state/store/store_error.ts'
import type { ArenaTrie } from '../../state/trie/arena_trie.ts'
import { newPages } from '../../state/trie/new_pages.ts'
import { writesOfDump } from '../../state/trie/trie.ts'
import { defaultMemoryBytes } from '../memory.ts'
import { StoredChain } from './chain.ts'
import type { Chain, ChainOptions } from './chain_interface.ts'
import { checkChainOptions } from './check_chain_input.ts'
import { checkBlocks, checkHead, checkRules } from './check_store.ts'
import type { Genesis } from './genesis.ts'
import { upgradeStore } from './upgrade_store.ts'

const DEFAULT_UNDO_DEPTH = 128

/**
 * Opens the chain of a folder, and checks its rules, and that the state there is that of its head. A folder without one
 * is begun with `genesis`. Throws StoreError, and InputError where an option is none.
 *
 * Cost: that of the first nodes of the state trie, whatever the state. Where the trie is not there, or was damaged, it
 * is made anew, linear in accounts and slots.
 *
 * @example
 * import { mkdtempSync, rmSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { type ChainOptions, openChain, parseGenesis } from 'wgevm'
 *
 * const genesis = parseGenesis(`{
 *   "config": { "chainId": 7 }, "difficulty": "0x1", "gasLimit": "0x1c9c380",
 *   "alloc": { "0x00000000000000000000000000000000000a11ce": { "balance": "0xde0b6b3a7640000" } }
 * }`)
 * const options: ChainOptions = { path: mkdtempSync(join(tmpdir(), 'chain-')), genesis }
 * const chain = await openChain(options)
 * console.log(chain.head.header.number, chain.head.hash === chain.genesisHash) // 0n true
 * await chain.close()
 * const again = await openChain({ path: options.path })
 * console.log(again.config.chainId, again.blockBytes(0n)?.length, again.receipts(0n)) // 7n 509 []
 * await again.close()
 * rmSync(options.path, { recursive: true })
 */
export const openChain = async (options: ChainOptions): Promise<Chain> => {
  checkChainOptions(options)
  const { path, genesis, undoDepth = DEFAULT_UNDO_DEPTH, transactionLookup = true, executor = {} } = options
  const { blockMemory = defaultMemoryBytes() / 2, trieMemory = defaultMemoryBytes() / 2, mapBytes, onRepair } = options
  const store = await Store.open(path, {
    create: genesis !== undefined,
    ...(mapBytes === undefined ? {} : { mapBytes }),
  })
  try {
    if (store.meta === undefined) begin(store, genesis)
    const meta = store.meta!
    const config = checkRules(store, meta)
    if (genesis !== undefined) checkGenesis(store, meta, genesis)
    const trie = await wholeTrie(store, trieMemory, onRepair)
    upgradeStore(store)
    const { genesisHash } = meta
    const parts = { store, config, genesisHash, trie, trieMemory, onRepair }
    return new StoredChain({ ...parts, undoDepth, transactionLookup, blockMemory, executor })
  } catch (thrown) {
    await store.close()
    throw readFault(path, thrown)
  }
}

/** The trie of the head. Where the file was short, the whole state and every block are checked. */
const wholeTrie = async (store: Store, bytes: number, onRepair: ChainOptions['onRepair']): Promise<ArenaTrie> => {
  try {
    checkHead(store)
    if (store.needsCheck) {
      // What a trie is made of is checked by its root.
      if (store.hasTrie) store.checkTrie()
      checkBlocks(store)
    }
    const trie = await store.openTrie(bytes, onRepair)
    store.passCheck()
    return trie
  } catch (thrown) {
    if (thrown instanceof StoreError) throw thrown
    throw new StoreError(store.folder, 'damaged', `the store is damaged: ${lineOf(thrown)}`, thrown)
  }
}

const begin = (store: Store, genesis: Genesis | undefined): void => {
  if (genesis === undefined)
    throw new StoreError(store.folder, 'empty', 'holds no chain yet: begin one with a genesis (wgevm init)')
  const { header, state, config, configText } = genesis
  const writes = writesOfGenesis(state)
  const pages = newPages(writes)
  const root = pages.hash
  if (root !== header.stateRoot)
    refuse('genesis.state', root, `the state of genesis.header, whose root is ${header.stateRoot}`)
  const hash = headerHash(header)
  const meta = { chainId: `${config.chainId}`, configText, configHash: configHash(config), genesisHash: hash }
  const withdrawals = header.withdrawalsRoot === undefined ? {} : { withdrawals: [] }
  const block = {
    number: 0n,
    hash,
    stateRoot: header.stateRoot,
    parentHash: header.parentHash,
    totalDifficulty: header.difficulty,
    header: encodeHeader(header),
    body: encodeBody({ transactions: [], uncles: [], ...withdrawals }),
    receipts: encodeReceiptList({ bytes: new Uint8Array(0), lengths: new Uint32Array(0) }),
    transactionHashes: new Uint8Array(0),
  }
  store.begin(meta, block, writes, pages)
}

const writesOfGenesis = (state: MemoryState): StateWrites => {
  const accounts = state.dump()
  const hashes = new Set(Object.values(accounts).map(({ codeHash }) => codeHash))
  hashes.delete(EMPTY_CODE_HASH)
  return { ...writesOfDump(accounts), code: new Map([...hashes].map((hash) => [hash, state.code(hash)])) }
}

const checkGenesis = ({ folder }: Store, meta: StoreMeta, { config, header }: Genesis): void => {
  const other = (what: string, there: string, given: string): StoreError =>
    new StoreError(folder, 'chain', `holds another chain: ${what} ${there}, the genesis has ${given}`)
  const hash = headerHash(header)
  if (meta.chainId !== `${config.chainId}`) throw other('chain id', meta.chainId, `${config.chainId}`)
  if (meta.genesisHash !== hash) throw other('genesis', meta.genesisHash, hash)
  const given = configHash(config)
  if (meta.configHash !== given)
    throw other('rules (hash of the configuration)', meta.configHash, `${given}; forks or blob limits differ`)
}
