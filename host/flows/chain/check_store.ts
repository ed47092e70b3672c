import { type ChainConfig, configHash, readChainConfig } from '../../chain/chain_config.ts'
import { type DecodedBlock, decodeBlock, decodeHeader } from '../../chain/decode_block.ts'
import { joinBlock } from '../../chain/encode_block.ts'
import { uncleHashOf } from '../../chain/header.ts'
import { isOpActive, type OpChain } from '../../chain/op/op_chain.ts'
import { decodeReceiptList } from '../../chain/receipt_list.ts'
import { keccak256Hex } from '../../primitives/keccak.ts'
import { indexedRoot, transactionsRoot, withdrawalsRoot } from '../../roots/roots.ts'
import type { StateCounts } from '../../state/store/check_nodes.ts'
import type { Store, StoreMeta } from '../../state/store/store.ts'
import { lineOf, readFault, StoreError } from '../../state/store/store_error.ts'

/**
 * Checks that every account and slot on disk is what the trie has, and no more, and that the trie has the root that the
 * head's header names. Gives the counts. Throws StoreError.
 */
export const checkState = (store: Store): StateCounts => {
  checkHead(store)
  return store.checkTrie()
}

/** Checks that the head is a canonical block whose header names the state's root. Throws StoreError. */
export const checkHead = (store: Store): void => {
  const { hash, number, stateRoot } = store.head
  const header = store.header(hash)
  const isHead = header !== undefined && keccak256Hex(header) === hash && store.canonical(number)?.hash === hash
  if (!isHead) throw damaged(store, `the header of the head, block ${number}`)
  const named = decodeHeader(header).stateRoot
  if (named !== stateRoot) throw damaged(store, `the state has root ${stateRoot}, block ${number} has ${named}`)
}

/** The rules of the chain, checked against their hash, the chain id and the genesis. Throws StoreError. */
export const checkRules = (
  store: Store,
  { chainId, configText, configHash: hash, genesisHash }: StoreMeta,
): ChainConfig => {
  const config = storedConfig(store, configText)
  if (configHash(config) !== hash)
    throw damaged(store, `the rules (configText) have hash ${configHash(config)}, configHash is ${hash}`)
  if (`${config.chainId}` !== chainId)
    throw damaged(store, `the rules (configText) are of chain ${config.chainId}, chainId is ${chainId}`)
  const first = store.canonical(0n)?.hash
  if (first !== genesisHash) throw damaged(store, `block 0 is ${first ?? 'not there'}, genesisHash is ${genesisHash}`)
  const header = store.header(first)
  if (header === undefined || keccak256Hex(header) !== first)
    throw damaged(store, `the header of block 0 is ${header === undefined ? 'not there' : 'another'}`)
  return config
}

const storedConfig = (store: Store, configText: string): ChainConfig => {
  try {
    return readChainConfig(JSON.parse(configText))
  } catch (thrown) {
    throw damaged(store, `the rules (configText) cannot be read: ${lineOf(thrown)}`, thrown)
  }
}

/** Checks every block against its header, and every header against the one before it. Throws StoreError. */
export const checkBlocks = (store: Store): void => {
  const { number: last } = store.head
  const op = store.meta === undefined ? undefined : storedConfig(store, store.meta.configText).op
  let parent: Parent = { hash: undefined, totalDifficulty: 0n }
  try {
    for (let number = 0n; number <= last; number++) {
      const fault = blockFault(store, number, parent, op)
      if (fault !== undefined) throw damaged(store, `block ${number}: ${fault}`)
      parent = store.canonical(number)!
    }
  } catch (thrown) {
    throw readFault(store.folder, thrown)
  }
}

/** The genesis has none. */
interface Parent {
  readonly hash: string | undefined
  readonly totalDifficulty: bigint
}

const blockFault = (store: Store, number: bigint, parent: Parent, op: OpChain | undefined): string | undefined => {
  const { hash, totalDifficulty } = store.canonical(number) ?? {}
  const header = hash === undefined ? undefined : store.header(hash)
  if (hash === undefined || header === undefined) return 'is not there'
  if (keccak256Hex(header) !== hash) return 'its header has another hash'
  const body = store.body(hash)
  const receipts = store.receipts(hash)
  if (body === undefined || receipts === undefined) return 'its body is not there'
  try {
    const block = decodeBlock(joinBlock(header, body))
    const { number: named, parentHash, difficulty, receiptsRoot } = block.header
    if (named !== number) return `its header is that of block ${named}`
    if (parent.hash !== undefined && parentHash !== parent.hash) return 'its parent is another block'
    if (totalDifficulty !== parent.totalDifficulty + difficulty) return 'its total difficulty is another'
    if (indexedRoot(decodeReceiptList(receipts)) !== receiptsRoot) return 'its receipts are others'
    return bodyFault(block, op)
  } catch (thrown) {
    return `cannot be read: ${(thrown as Error).message}`
  }
}

const bodyFault = (
  { header, transactions, uncles, withdrawals }: DecodedBlock,
  op: OpChain | undefined,
): string | undefined => {
  if (transactionsRoot(transactions) !== header.transactionsRoot) return 'its transactions are others'
  if (uncleHashOf(uncles) !== header.uncleHash) return 'its uncles are others'
  // From Isthmus on a part of the state has this root.
  if (op !== undefined && withdrawals?.length === 0 && isOpActive(op, 'isthmus', header.timestamp)) return undefined
  const root = withdrawals === undefined ? undefined : withdrawalsRoot(withdrawals)
  return root === header.withdrawalsRoot ? undefined : 'its withdrawals are others'
}

const damaged = (store: Store, what: string, cause?: unknown): StoreError =>
  new StoreError(store.folder, 'damaged', `the store is damaged: ${what}`, cause)
