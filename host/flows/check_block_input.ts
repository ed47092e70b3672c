import type { TransactionBatch } from '../chain/batch.ts'
import { checkEnvironment } from '../chain/check_environment.ts'
import { headerFields } from '../chain/header_fields.ts'
import { checkPacked, checkSigned, isPacked, type SignedTransactions, signedCount } from '../chain/packed.ts'
import { checkWithdrawals, type Withdrawal } from '../chain/withdrawals.ts'
import {
  checkArray,
  checkBytes,
  checkFlag,
  checkHex,
  checkNames,
  checkObject,
  checkSignal,
  checkUnsigned,
  type Names,
  refuse,
} from '../primitives/input.ts'
import { checkKnownSenders } from '../senders/known_senders.ts'
import type { BlockInput, BlockOptions, StreamOptions } from './block_input.ts'
import type { BlockReward } from './block_work.ts'
import type { BlockAttributes, BuildRequest } from './build_request.ts'
import type { TransitionRequest } from './transition.ts'

const BLOCK: Names<BlockInput> = {
  header: true,
  transactions: true,
  senders: true,
  signed: true,
  uncles: true,
  withdrawals: true,
  accessList: true,
}

const OPTIONS: Names<BlockOptions> = {
  parent: true,
  parentState: true,
  expectedState: true,
  blobSchedule: true,
  changes: true,
  accessList: true,
  signal: true,
}

const STREAM_OPTIONS: Names<StreamOptions> = {
  parent: true,
  parentState: true,
  blobSchedule: true,
  changes: true,
  accessList: true,
  signal: true,
  ahead: true,
}

/** Blocks wait with all that was decoded of them. */
const MOST_AHEAD = 16

const REQUEST: Names<BuildRequest> = {
  parent: true,
  attributes: true,
  pool: true,
  senders: true,
  decoded: true,
  parentState: true,
  blobSchedule: true,
  accessList: true,
  changes: true,
  signal: true,
}

const ATTRIBUTES: Names<BlockAttributes> = {
  timestamp: true,
  coinbase: true,
  prevRandao: true,
  gasLimit: true,
  extraData: true,
  withdrawals: true,
  parentBeaconBlockRoot: true,
  transactions: true,
  noTxPool: true,
  eip1559Params: true,
  minBaseFee: true,
}

const TRANSITION: Names<TransitionRequest> = {
  env: true,
  transactions: true,
  signed: true,
  parentHash: true,
  parentBeaconBlockRoot: true,
  withdrawals: true,
  reward: true,
  systemCalls: true,
  parentState: true,
  changes: true,
  signal: true,
}

const REWARD: Names<BlockReward> = { wei: true, uncles: true }

/** Blocks between an uncle and the block that pays it (YP 11.1); 8 pays nothing. */
const MOST_DISTANCE = 8n

const WITHDRAWAL: Names<Withdrawal> = { index: true, validatorIndex: true, address: true, amount: true }

const HEADER = Object.fromEntries(Object.keys(headerFields).map((name) => [name, true] as const))

const TEXT = new Set(['extraData'])

/**
 * Types, names and ranges of what `executeBlock` takes. Whether the block may stand is another question. Throws
 * InputError.
 */
export const checkBlockInput = (block: BlockInput, options: BlockOptions): void => {
  checkNames(checkObject(block, 'block'), BLOCK, 'field of block')
  checkHeader(block.header, 'header')
  const { transactions } = block
  if (!Array.isArray(transactions)) {
    checkObject(transactions, 'transactions', TRANSACTIONS)
    if (isPacked(transactions)) checkPacked(transactions, 'transactions')
  } else if (transactions[0] instanceof Uint8Array) checkSigned(transactions, 'transactions')
  if (block.signed !== undefined) checkSigned(block.signed, 'signed')
  checkSenders(block)
  checkBlockWithdrawals(block.withdrawals, 'withdrawals')
  for (const [n, uncle] of checkArray(block.uncles ?? [], 'uncles').entries()) checkHeader(uncle, `uncles[${n}]`)
  if (block.accessList !== undefined) checkArray(block.accessList, 'accessList')
  checkNames(checkObject(options, 'options'), OPTIONS, 'option')
  checkBlockOptions(options)
}

/** The same of `stream`; its blocks are checked when they come. */
export const checkStreamInput = (blocks: unknown, options: StreamOptions): void => {
  const isMany = typeof blocks === 'object' && blocks !== null
  if (!isMany || !(Symbol.asyncIterator in blocks || Symbol.iterator in blocks))
    refuse('blocks', blocks, 'blocks that can be iterated, one after another or as they come')
  checkNames(checkObject(options, 'options'), STREAM_OPTIONS, 'option')
  checkBlockOptions(options)
  const { ahead } = options
  if (ahead !== undefined && (!Number.isInteger(ahead) || ahead < 1 || ahead > MOST_AHEAD))
    refuse('ahead', ahead, `1 to ${MOST_AHEAD}`)
}

const checkBlockOptions = (options: BlockOptions): void => {
  if (options.parent !== undefined) checkHeader(options.parent, 'parent')
  if (options.parentState !== undefined) checkStateTrie(options.parentState)
  checkSignal(options.signal)
}

const TRANSACTIONS = 'an array of transactions, a TransactionBatch or PackedTransactions'

/** The same for `build`. */
export const checkBuildRequest = (request: BuildRequest): void => {
  checkNames(checkObject(request, 'request'), REQUEST, 'field of the request')
  checkHeader(request.parent, 'parent')
  if (!Array.isArray(request.pool)) checkPacked(request.pool, 'pool')
  if (request.decoded !== undefined && !Array.isArray(request.decoded))
    checkObject(request.decoded, 'decoded', TRANSACTIONS)
  if (request.senders !== undefined) {
    if (request.decoded !== undefined) refuse('senders', request.senders, 'absent beside decoded transactions')
    checkKnownSenders(request.senders, signedCount(request.pool))
  }
  checkStateTrie(request.parentState)
  checkSignal(request.signal)
  const attributes = request.attributes
  checkNames(checkObject(attributes, 'attributes'), ATTRIBUTES, 'field of attributes')
  const { gasLimit, extraData, parentBeaconBlockRoot, minBaseFee } = attributes
  checkUnsigned(attributes.timestamp, 64, 'attributes.timestamp')
  checkHex(attributes.coinbase, 20, 'attributes.coinbase')
  checkHex(attributes.prevRandao, 32, 'attributes.prevRandao')
  if (gasLimit !== undefined) checkUnsigned(gasLimit, 64, 'attributes.gasLimit')
  if (extraData !== undefined) checkBytes(extraData, 32, 'attributes.extraData')
  if (minBaseFee !== undefined) checkUnsigned(minBaseFee, 64, 'attributes.minBaseFee')
  if (parentBeaconBlockRoot !== undefined) checkHex(parentBeaconBlockRoot, 32, 'attributes.parentBeaconBlockRoot')
  checkBlockWithdrawals(attributes.withdrawals, 'attributes.withdrawals')
  if (attributes.transactions !== undefined) checkSigned(attributes.transactions, 'attributes.transactions')
  checkFlag(attributes.noTxPool, 'attributes.noTxPool')
}

/** The same for `transition`; its transactions are read elsewhere. */
export const checkTransitionRequest = (request: TransitionRequest): void => {
  checkNames(checkObject(request, 'request'), TRANSITION, 'field of the request')
  checkEnvironment(request.env)
  const { transactions, signed, parentHash, parentBeaconBlockRoot, reward, systemCalls } = request
  if (signed !== undefined) {
    checkSigned(signed, 'signed')
    const count = Array.isArray(transactions) ? transactions.length : (transactions as TransactionBatch).count
    if (signedCount(signed) !== count) refuse('signed', signed, `as many as the transactions, ${count}`)
  }
  if (parentHash !== undefined) checkHex(parentHash, 32, 'parentHash')
  if (parentBeaconBlockRoot !== undefined) checkHex(parentBeaconBlockRoot, 32, 'parentBeaconBlockRoot')
  checkBlockWithdrawals(request.withdrawals, 'withdrawals')
  if (reward !== undefined) checkReward(reward)
  if (systemCalls !== undefined && systemCalls !== 'never') refuse('systemCalls', systemCalls, "'never' or absent")
  checkStateTrie(request.parentState)
  checkFlag(request.changes, 'changes')
  checkSignal(request.signal)
}

const checkReward = (reward: BlockReward): void => {
  checkNames(checkObject(reward, 'reward'), REWARD, 'field of reward')
  checkUnsigned(reward.wei, 256, 'reward.wei')
  for (const [n, uncle] of checkArray(reward.uncles, 'reward.uncles').entries()) {
    const { coinbase, distance } = checkObject(uncle, `reward.uncles[${n}]`)
    checkHex(coinbase, 20, `reward.uncles[${n}].coinbase`)
    if (checkUnsigned(distance, 64, `reward.uncles[${n}].distance`) > MOST_DISTANCE)
      refuse(`reward.uncles[${n}].distance`, distance, `at most ${MOST_DISTANCE}`)
  }
}

/** Known senders are of transactions over the wire: decoded ones have theirs. */
const checkSenders = ({ senders, transactions }: BlockInput): void => {
  if (senders === undefined) return
  const isWire = Array.isArray(transactions)
    ? transactions.length === 0 || transactions[0] instanceof Uint8Array
    : isPacked(transactions)
  if (!isWire) refuse('senders', senders, 'absent beside decoded transactions')
  checkKnownSenders(senders, signedCount(transactions as SignedTransactions))
}

const checkStateTrie = (trie: unknown): void => {
  const { root, apply, rewind } = checkObject(trie, 'parentState', 'a StateTrie')
  if (typeof root !== 'string' || typeof apply !== 'function' || typeof rewind !== 'function')
    refuse('parentState', trie, 'a StateTrie')
}

export const checkHeader = (value: unknown, field: string): void => {
  const header = checkObject(value, field, 'a block header')
  checkNames(header, HEADER, `field of ${field}`)
  for (const [name, { bytes, since }] of Object.entries(headerFields)) {
    const entry = header[name]
    const at = `${field}.${name}`
    if (entry === undefined && (since !== undefined || name === 'blockAccessListHash')) continue
    // Lengths and bounds are rules of a block: a header that breaks one is told as a BlockError.
    if (bytes === undefined && !TEXT.has(name)) checkUnsigned(entry, 256, at)
    else checkBytes(entry, Infinity, at)
  }
}

/** The withdrawals of a block, where there are any: with no other field than theirs. */
const checkBlockWithdrawals = (value: unknown, field: string): void => {
  if (value === undefined) return
  checkWithdrawals(value, field)
  for (const [n, entry] of checkArray(value, field).entries())
    checkNames(entry as object, WITHDRAWAL, `field of ${field}[${n}]`)
}
