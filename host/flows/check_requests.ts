import { FORKS } from '../../transpiler/spec/forks.ts'
import type { TransactionBatch, TransactionObject } from '../chain/batch.ts'
import { checkBatch } from '../chain/check_batch.ts'
import { checkEnvironment } from '../chain/check_environment.ts'
import { encodeBatch } from '../chain/encode_batch.ts'
import { checkOpRules } from '../chain/op/op_chain.ts'
import { evmForkOf } from '../chain/op/op_forks.ts'
import { checkSigned } from '../chain/packed.ts'
import {
  checkArray,
  checkCount,
  checkFlag,
  checkHex,
  checkNames,
  checkObject,
  checkOneOf,
  checkSignal,
  checkUnsigned,
  InputError,
  type Names,
  refuse,
} from '../primitives/input.ts'
import { SenderCache } from '../senders/sender_cache.ts'
import type { ExecuteRequest, ExecutorOptions } from './executor_interface.ts'
import type { MemoryBudget } from './memory.ts'
import type { CallBundle, SimulateRequest } from './simulate_request.ts'

export const OPTIONS: Names<ExecutorOptions> = {
  fork: true,
  chainId: true,
  state: true,
  depositContract: true,
  chain: true,
  device: true,
  lostDevice: true,
  deviceTimes: true,
  compile: true,
  kernels: true,
  programs: true,
  paths: true,
  laneVm: true,
  waves: true,
  settle: true,
  costs: true,
  recordFrom: true,
  pathStore: true,
  range: true,
  workers: true,
  senders: true,
  senderCache: true,
  memory: true,
  workerEntry: true,
  invalid: true,
}

const CHOICES: Partial<Record<keyof ExecutorOptions, readonly string[]>> = {
  lostDevice: ['reopen', 'leave'],
  compile: ['background', 'wait', 'never'],
  kernels: ['never'],
  programs: ['never'],
  paths: ['never'],
  laneVm: ['never', 'always'],
  waves: ['always'],
  settle: ['device', 'host'],
  senders: ['auto', 'device', 'workers', 'thread'],
  invalid: ['skip', 'throw'],
}

const STATE_METHODS = ['readAccounts', 'readSlots', 'readCode', 'blockHash', 'commit'] as const

/** The options of an executor: names, choices, ranges. Throws InputError. */
export const checkOptions = (value: unknown): ExecutorOptions => {
  const options = checkObject(value, 'options', 'the options of an executor') as Partial<ExecutorOptions>
  checkNames(options, OPTIONS, 'option')
  checkOneOf(options.fork, FORKS, 'fork')
  checkUnsigned(options.chainId, 256, 'chainId')
  checkState(options.state)
  for (const [name, choices] of Object.entries(CHOICES)) {
    const choice = options[name as keyof ExecutorOptions]
    if (choice !== undefined) checkOneOf(choice, choices, name)
  }
  const { recordFrom, range, workers, pathStore, workerEntry, depositContract } = options
  if (recordFrom !== undefined && recordFrom !== Infinity) checkCount(recordFrom, 1, 'recordFrom')
  if (range !== undefined) checkCount(range, 1, 'range')
  if (workers !== undefined) checkCount(workers, 0, 'workers')
  if (depositContract !== undefined) checkHex(depositContract, 20, 'depositContract')
  if (pathStore !== undefined && pathStore !== false) checkObject(pathStore, 'pathStore', 'a PathStore or false')
  if (workerEntry !== undefined && !(workerEntry instanceof URL)) refuse('workerEntry', workerEntry, 'a URL')
  checkChain(options)
  checkMemory(options.memory)
  checkDevice(options.device)
  checkSenders(options)
  checkFlag(options.deviceTimes, 'deviceTimes')
  return value as ExecutorOptions
}

const checkChain = ({ chain, fork }: Partial<ExecutorOptions>): void => {
  if (chain === undefined) return
  const wanted = evmForkOf(checkOpRules(chain, 'chain').fork)
  if (fork !== wanted) refuse('fork', fork, `${wanted}, which ${chain.fork} has`)
}

const BUDGETS: Names<MemoryBudget> = { tables: true, codes: true, paths: true }

const checkMemory = (memory: unknown): void => {
  if (memory === undefined) return
  if (typeof memory !== 'object') {
    checkCount(memory, 1, 'memory')
    return
  }
  const budgets = checkObject(memory, 'memory', 'bytes, or an object of them')
  checkNames(budgets, BUDGETS, 'budget of memory')
  for (const [name, bytes] of Object.entries(budgets)) if (bytes !== undefined) checkCount(bytes, 1, `memory.${name}`)
}

const checkState = (state: unknown): void => {
  const methods = checkObject(state, 'state', 'a State')
  for (const name of STATE_METHODS)
    if (typeof methods[name] !== 'function') refuse(`state.${name}`, methods[name], 'a function')
  if (methods['hasStorage'] !== undefined && typeof methods['hasStorage'] !== 'function')
    refuse('state.hasStorage', methods['hasStorage'], 'a function or absent')
}

const checkDevice = (device: ExecutorOptions['device']): void => {
  if (device === undefined || device === 'auto' || typeof device === 'function') return
  const expected = "a ComputeDevice, 'auto', or a function that opens one"
  if (typeof device !== 'object' || device === null) throw refuse('device', device, expected)
  for (const name of ['storage', 'upload', 'kernel', 'run'] as const)
    if (typeof device[name] !== 'function') refuse('device', device, expected)
}

const checkSenders = ({ senders, senderCache, device, compile }: Partial<ExecutorOptions>): void => {
  if (senders === 'device' && (device === undefined || compile === 'never'))
    throw new InputError("senders: 'device' needs a device and a compile mode other than 'never'", 'senders', senders)
  if (senderCache !== undefined && senderCache !== false && !(senderCache instanceof SenderCache))
    refuse('senderCache', senderCache, 'a SenderCache or false')
}

const REQUEST: Names<ExecuteRequest> = {
  env: true,
  transactions: true,
  signed: true,
  explain: true,
  changes: true,
  signal: true,
}

/**
 * What `execute` takes, its transactions in columns. Throws InputError; TransactionInputError for one of the objects.
 */
export const readRequest = (request: ExecuteRequest): TransactionBatch => {
  checkNames(checkObject(request, 'request'), REQUEST, 'field of the request')
  checkEnvironment(request.env)
  checkFlag(request.explain, 'explain')
  checkFlag(request.changes, 'changes')
  checkSignal(request.signal)
  if (request.signed !== undefined) checkSigned(request.signed, 'signed')
  return readTransactions(request.transactions)
}

/** Objects or columns, to columns that fit each other. */
export const readTransactions = (transactions: TransactionBatch | readonly TransactionObject[]): TransactionBatch =>
  Array.isArray(transactions) ? encodeBatch(transactions) : checkBatch(transactions)

const SIMULATE: Names<SimulateRequest> = {
  at: true,
  calls: true,
  bundles: true,
  overrides: true,
  checkBalance: true,
  signal: true,
}

const BUNDLE: Names<CallBundle> = { calls: true, overrides: true }

/** Names and kinds of what `simulate` takes; calls and overrides are read elsewhere. Throws InputError. */
export const checkSimulateRequest = (request: SimulateRequest): void => {
  checkNames(checkObject(request, 'request'), SIMULATE, 'field of the request')
  const { calls, bundles } = request
  if ((calls === undefined) === (bundles === undefined)) {
    const given = calls === undefined ? 'neither' : 'both'
    throw new InputError(`simulate takes either calls or bundles; got ${given}`, 'calls', calls)
  }
  checkEnvironment(request.at, 'at')
  checkFlag(request.checkBalance, 'checkBalance')
  checkSignal(request.signal)
  if (bundles === undefined) return
  for (const [b, bundle] of checkArray(bundles, 'bundles', 'an array of bundles').entries()) {
    checkNames(checkObject(bundle, `bundles[${b}]`), BUNDLE, `field of bundles[${b}]`)
    checkArray((bundle as CallBundle).calls, `bundles[${b}].calls`, 'an array of calls')
  }
}
