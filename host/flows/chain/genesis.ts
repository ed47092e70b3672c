import { type ChainConfig, forkAt, isMergedAfter, quantity, readChainConfig } from '../../chain/chain_config.ts'
import { genesisHeader } from '../../chain/genesis_header.ts'
import type { BlockHeader } from '../../chain/header.ts'
import { extraDataFault } from '../../chain/op/base_fee.ts'
import { type OpChain, opForkAt } from '../../chain/op/op_chain.ts'
import { isOpAtLeast } from '../../chain/op/op_forks.ts'
import { MESSAGE_PASSER } from '../../chain/op/predeploys.ts'
import { checkBytes, checkHex, checkObject, checkWord, InputError, refuse } from '../../primitives/input.ts'
import type { AllocatedAccount } from '../../state/allocation.ts'
import { MemoryState } from '../../state/memory_state.ts'
import { stateRootOf, storageRootOf } from '../../state/trie/trie.ts'

/**
 * The first block of a chain with its state, and the rules of the chain.
 *
 * Example: {@link parseGenesis}.
 */
export interface Genesis {
  readonly config: ChainConfig
  /** The `config` of the file as JSON, with all that is not known here. */
  readonly configText: string
  readonly header: BlockHeader
  readonly state: MemoryState
}

/**
 * Reads a genesis file as go-ethereum writes it: `config`, fields of the header, `alloc`. Throws InputError, with the
 * field and what it must be.
 *
 * @example
 * import { headerHash, parseGenesis } from 'wgevm'
 *
 * const { config, header } = parseGenesis(`{
 *   "config": { "chainId": 7, "homesteadBlock": 0 },
 *   "difficulty": "0x1", "gasLimit": "0x1c9c380",
 *   "alloc": { "00000000000000000000000000000000000a11ce": { "balance": "0xde0b6b3a7640000" } }
 * }`)
 * console.log(config.chainId, config.forks.length, headerHash(header).length) // 7n 2 66
 */
export const parseGenesis = (text: string): Genesis => {
  const file = checkObject(parseJson(text), 'genesis', 'JSON of an object')
  const config = readChainConfig(file['config'])
  const state = stateOf(file['alloc'])
  const header = headerOf(file, config, stateRootOf(state.dump()))
  return {
    config,
    configText: JSON.stringify(file['config']),
    header: config.op === undefined ? header : opGenesisHeader(header, config.op, state),
    state,
  }
}

/** From Isthmus on the header has the storage root of the contract of withdrawals. Throws InputError. */
const opGenesisHeader = (header: BlockHeader, op: OpChain, state: MemoryState): BlockHeader => {
  const fork = opForkAt(op, header.timestamp)
  // Before Holocene it says nothing, and chains have begun with text.
  const wrong = isOpAtLeast(fork, 'holocene') ? extraDataFault(header.extraData, fork) : undefined
  if (wrong !== undefined) refuse('extraData', header.extraData, wrong)
  if (!isOpAtLeast(fork, 'isthmus')) return header
  return { ...header, withdrawalsRoot: storageRootOf(state.dump()[MESSAGE_PASSER]?.storage ?? {}) }
}

/** Whole numbers of 16 digits and more become text: doubles cannot tell them apart. */
const parseJson = (text: string): unknown => {
  const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
  try {
    return JSON.parse(text.replace(tokens, (token) => (/^\d{16,}$/.test(token) ? `"${token}"` : token)))
  } catch (cause) {
    throw new InputError(`genesis is not JSON: ${(cause as Error).message}`, 'genesis')
  }
}

type Json = Readonly<Record<string, unknown>>

const headerOf = (file: Json, config: ChainConfig, stateRoot: string): BlockHeader => {
  const required = (name: string, bits: number): bigint =>
    quantity(file[name], name, bits) ?? refuse(name, file[name], 'a number')
  const zero = (name: string): void => {
    if ((quantity(file[name], name) ?? 0n) !== 0n) refuse(name, file[name], '0: a chain begins with block 0')
  }
  for (const name of ['number', 'gasUsed', 'parentHash', 'blobGasUsed']) zero(name)
  const timestamp = quantity(file['timestamp'], 'timestamp', 64) ?? 0n
  const isMerged = isMergedAfter(config, 0n)
  const baseFeePerGas = quantity(file['baseFeePerGas'], 'baseFeePerGas')
  const excessBlobGas = quantity(file['excessBlobGas'], 'excessBlobGas', 64)
  const nonce = quantity(file['nonce'], 'nonce', 64) ?? 0n
  const { extraData, mixHash = file['mixhash'], coinbase } = file
  return genesisHeader(forkAt(config, { number: 0n, timestamp, isMerged }), {
    stateRoot,
    timestamp,
    difficulty: required('difficulty', 256),
    gasLimit: required('gasLimit', 63),
    nonce: `0x${nonce.toString(16).padStart(16, '0')}`,
    ...(isNone(extraData) ? {} : { extraData: checkBytes(extraData, Infinity, 'extraData').toLowerCase() }),
    ...(isNone(mixHash) ? {} : { mixHash: checkHex(mixHash, 32, 'mixHash').toLowerCase() }),
    ...(isNone(coinbase) ? {} : { coinbase: checkHex(coinbase, 20, 'coinbase').toLowerCase() }),
    ...(baseFeePerGas === undefined ? {} : { baseFeePerGas }),
    ...(excessBlobGas === undefined ? {} : { excessBlobGas }),
  })
}

const isNone = (value: unknown): boolean => value === undefined || value === null

const stateOf = (alloc: unknown): MemoryState => {
  const accounts = new Map<string, AllocatedAccount>()
  for (const [name, value] of Object.entries(checkObject(alloc, 'alloc', 'accounts by address'))) {
    const address = name.startsWith('0x') ? name : `0x${name}`
    const field = `alloc.${name}`
    const account = checkObject(value, field, 'an account')
    const key = checkHex(address, 20, `the address ${field}`).toLowerCase()
    if (accounts.has(key)) throw new InputError(`alloc has the account ${key} twice`, 'alloc', key)
    const { code, storage } = account
    accounts.set(key, {
      balance: quantity(account['balance'], `${field}.balance`) ?? 0n,
      nonce: quantity(account['nonce'], `${field}.nonce`, 64) ?? 0n,
      ...(isNone(code) ? {} : { code: checkBytes(code, Infinity, `${field}.code`) }),
      ...(isNone(storage) ? {} : { storage: storageOf(storage, field) }),
    })
  }
  return MemoryState.from(Object.fromEntries(accounts))
}

const storageOf = (value: unknown, field: string): Record<string, bigint> =>
  Object.fromEntries(
    Object.entries(checkObject(value, `${field}.storage`)).map(([key, word]) => [
      `0x${checkWord(key.startsWith('0x') ? key : `0x${key}`, `${field}.storage key`).toString(16)}`,
      checkWord(typeof word === 'string' && !word.startsWith('0x') ? `0x${word}` : word, `${field}.storage.${key}`),
    ]),
  )
