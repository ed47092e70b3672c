import { configHash, readChainConfig } from '../../chain/chain_config.ts'
import type { DecodedBlock } from '../../chain/decode_block.ts'
import { decodeOwnBlock } from '../../chain/encode_block.ts'
import {
  checkArray,
  checkCount,
  checkNames,
  checkObject,
  checkUnsigned,
  type Names,
  refuse,
} from '../../primitives/input.ts'
import { rootedOf } from '../../roots/rooted_transactions.ts'
import { MemoryState } from '../../state/memory_state.ts'
import { MOST_MAP_BYTES } from '../../state/store/map_size.ts'
import { checkBlockInput, checkHeader } from '../check_block_input.ts'
import { checkOptions, OPTIONS as EXECUTOR_OPTIONS } from '../check_requests.ts'
import type { ChainBuildRequest, HeadUpdate } from './block_tree.ts'
import type { ChainOptions } from './chain_interface.ts'
import type { Genesis } from './genesis.ts'

const OPTIONS: Names<ChainOptions> = {
  path: true,
  genesis: true,
  undoDepth: true,
  transactionLookup: true,
  blockMemory: true,
  trieMemory: true,
  mapBytes: true,
  onRepair: true,
  executor: true,
}

/** The chain's to say, or what its blocks settle. */
const GIVEN = { fork: true, chainId: true, chain: true, state: true, depositContract: true, invalid: true } as const

const EXECUTOR = Object.fromEntries(
  Object.keys(EXECUTOR_OPTIONS)
    .filter((name) => !Object.hasOwn(GIVEN, name))
    .map((name) => [name, true] as const),
)

/** Names and values of what `openChain` takes. Throws InputError. */
export const checkChainOptions = (options: ChainOptions): void => {
  checkNames(checkObject(options, 'options'), OPTIONS, 'option')
  const { path, genesis, undoDepth, transactionLookup, blockMemory, trieMemory, mapBytes, onRepair, executor } = options
  if (typeof path !== 'string') refuse('path', path, 'the name of a folder')
  if (undoDepth !== undefined) checkCount(undoDepth, 0, 'undoDepth')
  if (transactionLookup !== undefined && typeof transactionLookup !== 'boolean')
    refuse('transactionLookup', transactionLookup, 'true or false')
  if (blockMemory !== undefined) checkCount(blockMemory, 1, 'blockMemory')
  if (trieMemory !== undefined) checkCount(trieMemory, 1, 'trieMemory')
  if (mapBytes !== undefined) checkCount(mapBytes, 2 ** 20, 'mapBytes', MOST_MAP_BYTES)
  if (onRepair !== undefined && typeof onRepair !== 'function') refuse('onRepair', onRepair, 'a function')
  if (genesis !== undefined) checkGenesisInput(genesis)
  if (executor === undefined) return
  checkNames(checkObject(executor, 'executor'), EXECUTOR, 'option of the executor of a chain')
  checkOptions({ ...executor, fork: 'frontier', chainId: 0n, state: new MemoryState() })
}

const checkGenesisInput = (genesis: Genesis): void => {
  const { config, configText, header, state } = checkObject(genesis, 'genesis', 'what parseGenesis gives')
  checkObject(config, 'genesis.config', 'the config that parseGenesis gives')
  if (typeof configText !== 'string') refuse('genesis.configText', configText, 'the config as JSON')
  checkHeader(header, 'genesis.header')
  if (!(state instanceof MemoryState)) refuse('genesis.state', state, 'a MemoryState')
  if (hashOfText(genesis.configText) !== hashOfConfig(genesis))
    refuse('genesis.configText', configText, 'the rules of genesis.config as JSON')
}

const hashOfText = (configText: string): string => {
  try {
    return configHash(readChainConfig(JSON.parse(configText)))
  } catch {
    return refuse('genesis.configText', configText, 'the config as JSON')
  }
}

const hashOfConfig = ({ config }: Genesis): string => {
  try {
    return configHash(config)
  } catch {
    return refuse('genesis.config', config, 'the config that parseGenesis gives')
  }
}

/** A block to import, with no view of the bytes that were given. Throws InputError and BlockInputError. */
export const readImport = (block: Uint8Array | DecodedBlock): DecodedBlock => {
  if (block instanceof Uint8Array) return decodeOwnBlock(new Uint8Array(block))
  checkObject(block, 'block', 'the RLP of a block as bytes, or a decoded block')
  checkBlockInput(block, {})
  checkArray(block.uncles, 'uncles')
  // Its bytes are no caller's.
  if (rootedOf(block.transactions) !== undefined) return { ...block }
  for (const [n, bytes] of checkArray(block.transactions, 'transactions').entries())
    if (!(bytes instanceof Uint8Array)) refuse(`transactions[${n}]`, bytes, 'the bytes of a signed transaction')
  return { ...block, transactions: block.transactions.map((bytes) => new Uint8Array(bytes)) }
}

/** The name of a block: its number, or its hash, which comes back in lower case. Throws InputError. */
export const checkBlockName = (block: unknown): bigint | string => {
  if (typeof block === 'bigint') return block
  if (typeof block === 'string' && /^0x[0-9a-fA-F]{64}$/.test(block)) return block.toLowerCase()
  return refuse('block', block, 'the number of a block as a bigint, or its hash: 0x and 64 hex digits')
}

/** A hash as 0x-hex, which comes back in lower case. Throws InputError. */
export const checkBlockHash = (hash: unknown, field = 'block'): string =>
  typeof hash === 'string' && /^0x[0-9a-fA-F]{64}$/.test(hash)
    ? hash.toLowerCase()
    : refuse(field, hash, 'a hash: 0x and 64 hex digits')

const UPDATE: Names<HeadUpdate> = { head: true, safe: true, finalized: true }

/** The hashes of an update in lower case. Throws InputError. */
export const checkHeadUpdate = (update: HeadUpdate): HeadUpdate => {
  checkNames(checkObject(update, 'update', 'an object with a head'), UPDATE, 'field of the update')
  const { head, safe, finalized } = update
  return {
    head: checkBlockHash(head, 'head'),
    ...(safe === undefined ? {} : { safe: checkBlockHash(safe, 'safe') }),
    ...(finalized === undefined ? {} : { finalized: checkBlockHash(finalized, 'finalized') }),
  }
}

/** What of a request is not checked where it is built. Throws InputError. */
export const checkChainBuild = (request: ChainBuildRequest): void => {
  const { parent, attributes } = checkObject(request, 'request')
  if (parent !== undefined) checkBlockHash(parent, 'parent')
  for (const name of ['parentState', 'blobSchedule'])
    if (Object.hasOwn(request, name)) refuse(name, Reflect.get(request, name), 'absent: a chain knows it')
  checkUnsigned(checkObject(attributes, 'attributes')['timestamp'], 64, 'attributes.timestamp')
}
