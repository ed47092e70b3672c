import { createBlock } from '@ethereumjs/block'
import type { Common, StateManagerInterface } from '@ethereumjs/common'
import type { EVMOpts } from '@ethereumjs/evm'
import {
  createAccessList2930Tx,
  createBlob4844Tx,
  createEOACode7702Tx,
  createFeeMarket1559Tx,
  createLegacyTx,
  type TypedTransaction,
} from '@ethereumjs/tx'
import { Account, Address, bytesToHex, hexToBytes } from '@ethereumjs/util'
import { createVM, type RunTxResult, runTx, type VM } from '@ethereumjs/vm'
import type { Authorization, TransactionBatch, TransactionObject } from '../host/chain/batch.ts'
import { decodeTransaction } from '../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../host/chain/environment.ts'
import { REJECTION, type Rejection, rejectionText } from '../host/chain/rejection.ts'
import { commonOf } from '../host/precompiles/common.ts'
import type { Receipt, Receipts } from '../host/receipts/receipts.ts'
import { type Allocation, MemoryState } from '../host/state/memory_state.ts'
import { type Fork, isAtLeast } from '../transpiler/spec/forks.ts'
import { SerialState } from './serial_state.ts'

export interface SerialRequest {
  readonly fork: Fork
  readonly chainId: bigint
  readonly env: BlockEnvironment
  /** Left as it is. */
  readonly state: MemoryState | Allocation
  readonly transactions: TransactionBatch | readonly TransactionObject[]
  /** Runs on this one, which must hold the same state; `SerialRun.state` then stays as it began. */
  readonly stateManager?: StateManagerInterface
  /** Rules and cryptography. Default: those of `fork` with the primitives that the product uses too (`commonOf`). */
  readonly common?: Common
  /** Told of the VM before the first transaction. */
  readonly watch?: (vm: VM) => void
}

export interface SerialRun {
  /** Undefined where the transaction was rejected: skipped, with no effect. */
  readonly receipts: readonly (Receipt | undefined)[]
  /** Why; of several reasons the one @ethereumjs/vm finds first. REJECTION.none where included. */
  readonly rejections: readonly (Rejection | 0)[]
  readonly state: SerialState
  readonly coinbase: string
  readonly totalGasUsed: bigint
  /** Time in `runTx` alone, of transactions already decoded and with known senders. */
  readonly elapsedMs: number
}

type Hex = `0x${string}`

/**
 * The reference: the transactions one after another through `runTx` of @ethereumjs/vm, without signatures. A
 * transaction that may not be included is skipped, as the executor does; the block's gas limit is kept.
 */
export const runSerial = async (request: SerialRequest): Promise<SerialRun> => {
  const { fork, chainId, env } = request
  const objects = 'count' in request.transactions ? objectsOf(request.transactions) : request.transactions
  const base = request.state instanceof MemoryState ? request.state : MemoryState.from(request.state)
  const common = request.common ?? commonOf(fork, chainId)
  const transactionCommon = sharedCommon(common)
  const state = new SerialState(base)
  const vm = await createVM({
    common,
    stateManager: request.stateManager ?? state,
    evmOpts: { customOpcodes: [blockHashOf(base)] },
  })
  request.watch?.(vm as VM)
  const block = blockOf(env, fork, common)
  const receipts: (Receipt | undefined)[] = []
  const rejections: (Rejection | 0)[] = []
  let cumulative = 0n
  let elapsedMs = 0
  for (const object of objects) {
    let rejection: Rejection | 0 = REJECTION.none
    let receipt: Receipt | undefined
    try {
      const tx = transactionOf(object, transactionCommon)
      if (cumulative + object.gasLimit > env.gasLimit) throw new GasLimitReached()
      const start = performance.now()
      const { deposit } = object
      const result =
        deposit === undefined
          ? await runTx(vm as VM, { tx, block, skipHardForkValidation: true })
          : await runDeposit(vm as VM, tx, deposit.mint, env, fork, common)
      elapsedMs += performance.now() - start
      cumulative += result.totalGasSpent
      receipt = receiptOf(object, result, cumulative)
    } catch (error) {
      rejection = rejectionOf(error as Error)
    }
    receipts.push(receipt)
    rejections.push(rejection)
  }
  return { receipts, rejections, state, coinbase: env.coinbase.toLowerCase(), totalGasUsed: cumulative, elapsedMs }
}

/**
 * An OP-stack deposit: its mint reaches the sender whatever becomes of it, it pays nothing, and its nonce is not
 * checked. `runTx` takes it as a legacy transaction of price zero in a block whose base fee is zero.
 */
const runDeposit = async (
  vm: VM,
  tx: TypedTransaction,
  mint: bigint,
  env: BlockEnvironment,
  fork: Fork,
  common: Common,
): Promise<RunTxResult> => {
  if (mint > 0n) {
    const sender = tx.getSenderAddress()
    const account = (await vm.stateManager.getAccount(sender)) ?? new Account()
    await vm.stateManager.modifyAccountFields(sender, { balance: account.balance + mint })
  }
  const block = blockOf({ ...env, baseFeePerGas: 0n }, fork, common)
  return runTx(vm, { tx, block, skipHardForkValidation: true, skipNonce: true })
}

/** What `compareWithSerial` compares with a serial run. `state` is the state after the batch. */
export interface ComparedRun {
  readonly receipts: Receipts
  readonly state?: MemoryState
}

export interface CompareOptions {
  /**
   * Which transactions of `ours` the serial run executed, where it executed a part. Cumulative gas is then not compared
   * unless they are a prefix.
   */
  readonly indices?: ArrayLike<number>
  /**
   * `whole`: both states are equal, account by account and slot by slot. `touched`: what the serial run wrote is so in
   * ours, the coinbase aside (for a part that nothing else interferes with). `none`: not compared.
   * Default: `whole`, or `none` where `state` is absent.
   */
  readonly state?: 'whole' | 'touched' | 'none'
}

/** The first difference as one line, or undefined where there is none. */
export const compareWithSerial = (
  ours: ComparedRun,
  serial: SerialRun,
  options: CompareOptions = {},
): string | undefined => {
  const { indices } = options
  const scope = options.state ?? (ours.state === undefined ? 'none' : 'whole')
  if (indices === undefined && ours.receipts.count !== serial.receipts.length) {
    return `${ours.receipts.count} transactions, serial ${serial.receipts.length}`
  }
  let isPrefix = true
  for (let k = 0; k < serial.receipts.length; k++) {
    const i = indices?.[k] ?? k
    isPrefix &&= i === k
    const difference = receiptDifference(ours.receipts, i, serial, k, isPrefix)
    if (difference !== undefined) return `transaction ${i}: ${difference}`
  }
  if (scope === 'none') return undefined
  if (ours.state === undefined) throw new RangeError(`a comparison of state '${scope}' needs the state`)
  return scope === 'whole'
    ? stateDifference(ours.state, serial.state.toMemoryState())
    : touchedDifference(ours.state, serial)
}

const receiptDifference = (
  receipts: Receipts,
  i: number,
  serial: SerialRun,
  k: number,
  cumulative: boolean,
): string | undefined => {
  const a = receipts.get(i)
  const b = serial.receipts[k]
  if (a === undefined || b === undefined) {
    if (a === b) return undefined
    if (b !== undefined) return `rejected (${rejectionText(receipts.rejection(i) as Rejection)}), serial included it`
    return `included, serial rejected it (${rejectionText(serial.rejections[k] as Rejection)})`
  }
  const fields: [string, unknown, unknown][] = [
    ['type', a.type, b.type],
    ['status', a.status, b.status],
    ['gasUsed', a.gasUsed, b.gasUsed],
    ['output', a.output, b.output],
    ['contractAddress', a.contractAddress, b.contractAddress],
    ['number of logs', a.logs.length, b.logs.length],
  ]
  for (let n = 0; n < Math.min(a.logs.length, b.logs.length); n++) {
    fields.push([`log ${n} address`, a.logs[n]!.address, b.logs[n]!.address])
    fields.push([`log ${n} topics`, a.logs[n]!.topics.join(' '), b.logs[n]!.topics.join(' ')])
    fields.push([`log ${n} data`, a.logs[n]!.data, b.logs[n]!.data])
  }
  fields.push(['logsBloom', a.logsBloom, b.logsBloom])
  if (cumulative) fields.push(['cumulativeGasUsed', a.cumulativeGasUsed, b.cumulativeGasUsed])
  return firstDifference(fields)
}

const firstDifference = (fields: readonly (readonly [string, unknown, unknown])[]): string | undefined => {
  for (const [name, a, b] of fields) if (a !== b) return `${name} ${String(a)}, serial ${String(b)}`
  return undefined
}

/** The first difference of two states, account by account and slot by slot. */
export const stateDifference = (ours: MemoryState, serial: MemoryState): string | undefined => {
  const a = ours.dump()
  const b = serial.dump()
  for (const address of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const x = a[address]
    const y = b[address]
    if (x === undefined) return `account ${address}: absent, serial has it`
    if (y === undefined) return `account ${address}: exists, serial has none`
    const fields: [string, unknown, unknown][] = [
      ['nonce', x.nonce, y.nonce],
      ['balance', x.balance, y.balance],
      ['codeHash', x.codeHash, y.codeHash],
    ]
    for (const key of new Set([...Object.keys(x.storage), ...Object.keys(y.storage)])) {
      fields.push([`slot ${key}`, x.storage[key] ?? 'zero', y.storage[key] ?? 'zero'])
    }
    const difference = firstDifference(fields)
    if (difference !== undefined) return `account ${address}: ${difference}`
  }
  return undefined
}

const touchedDifference = (ours: MemoryState, { state, coinbase }: SerialRun): string | undefined => {
  const serial = state.toMemoryState()
  for (const address of state.touchedAccounts) {
    if (address === coinbase) continue
    const x = ours.account(address)
    const y = serial.account(address)
    const fields: [string, unknown, unknown][] = [
      ['exists', x !== undefined, y !== undefined],
      ['nonce', x?.nonce, y?.nonce],
      ['balance', x?.balance, y?.balance],
      ['codeHash', x?.codeHash, y?.codeHash],
    ]
    for (const key of state.touchedSlots(address)) {
      fields.push([`slot ${key}`, ours.storage(address, BigInt(key)), serial.storage(address, BigInt(key))])
    }
    const difference = firstDifference(fields)
    if (difference !== undefined) return `account ${address}: ${difference}`
  }
  return undefined
}

class GasLimitReached extends Error {}

const objectsOf = (batch: TransactionBatch): TransactionObject[] =>
  Array.from({ length: batch.count }, (_, i) => decodeTransaction(batch, i))

/**
 * A Common for many transactions. Each constructor of @ethereumjs/tx copies the Common it is given and merges the same
 * parameters into the copy, which takes a third of the time of a whole serial run; this one is its own copy and merges
 * once.
 */
const sharedCommon = (common: Common): Common => {
  const shared = common.copy()
  const update = shared.updateParams.bind(shared)
  const merged = new Set<unknown>()
  shared.copy = () => shared
  shared.updateParams = (params) => {
    if (merged.has(params)) return
    merged.add(params)
    update(params)
  }
  return shared
}

/** A transaction object of @ethereumjs/tx that says who sent it, in place of a signature. */
const transactionOf = (object: TransactionObject, common: Common): TypedTransaction => {
  const { nonce, gasLimit } = object
  const fields = {
    nonce,
    gasLimit,
    value: object.value ?? 0n,
    data: (object.data ?? '0x') as Hex,
    ...(object.to === undefined ? {} : { to: object.to as Hex }),
  }
  const accessList = (object.accessList ?? []).map(({ address, storageKeys }) => ({
    address: address as Hex,
    storageKeys: storageKeys as Hex[],
  }))
  const options = { common, freeze: false }
  const gasPrice = object.gasPrice ?? 0n
  const chainId = common.chainId()
  const caps = {
    ...fields,
    chainId,
    accessList,
    maxFeePerGas: object.maxFeePerGas ?? 0n,
    maxPriorityFeePerGas: object.maxPriorityFeePerGas ?? 0n,
  }
  const make = (): TypedTransaction => {
    switch (object.type) {
      case 1:
        return createAccessList2930Tx({ ...fields, chainId, accessList, gasPrice }, options)
      case 2:
        return createFeeMarket1559Tx(caps, options)
      case 3: {
        const { maxFeePerBlobGas = 0n, blobVersionedHashes = [], to } = object
        if (to === undefined) throw new Error('blob transaction of type create')
        const blobs = { maxFeePerBlobGas, blobVersionedHashes: blobVersionedHashes as Hex[] }
        return createBlob4844Tx({ ...caps, ...blobs, to: to as Hex }, options)
      }
      case 4: {
        const { authorizations = [], to } = object
        if (to === undefined) throw new Error('EIP-7702 transaction cannot be used to create contract')
        return createEOACode7702Tx(
          { ...caps, to: to as Hex, authorizationList: authorizations.map(authorizationOf) },
          options,
        )
      }
      default:
        return createLegacyTx({ ...fields, gasPrice }, options)
    }
  }
  const tx = make()
  const sender = new Address(hexToBytes(object.from as Hex))
  Object.defineProperty(tx, 'getSenderAddress', { value: () => sender })
  return tx
}

/**
 * As signed. A bad signature stays bad: r is zero. The authority alone is not enough, as @ethereumjs/vm recovers it.
 */
const authorizationOf = (authorization: Authorization) => {
  const { chainId, address, nonce, authority, signature } = authorization
  if (signature === undefined && authority !== undefined) {
    throw new Error('the serial reference needs the signature of an authorization')
  }
  const { yParity, r, s } = signature ?? { yParity: 0n, r: 0n, s: 0n }
  const hex = (value: bigint): Hex => `0x${value.toString(16)}`
  return {
    chainId: hex(chainId),
    address: address as Hex,
    nonce: hex(nonce),
    yParity: hex(yParity),
    r: hex(r),
    s: hex(s),
  }
}

const blockOf = (env: BlockEnvironment, fork: Fork, common: Common) => {
  const merged = isAtLeast(fork, 'paris')
  const randao = `0x${env.prevRandao.toString(16).padStart(64, '0')}` as Hex
  const block = createBlock(
    {
      header: {
        number: env.number,
        timestamp: env.timestamp,
        coinbase: env.coinbase as Hex,
        gasLimit: env.gasLimit,
        ...(isAtLeast(fork, 'london') ? { baseFeePerGas: env.baseFeePerGas } : {}),
        ...(merged ? { mixHash: randao } : { difficulty: env.prevRandao }),
      },
    },
    { common, freeze: false, skipConsensusFormatValidation: true },
  )
  Object.defineProperty(block.header, 'getBlobGasPrice', { value: () => env.blobBaseFee ?? 1n })
  return block
}

/**
 * BLOCKHASH as the yellow paper has it (H.2, 0x40), zero where the hash is unknown: that of @ethereumjs/evm asks for
 * blocks by numbers in doubles, which from 2^53 on are those of others.
 */
const blockHashOf = (state: MemoryState): NonNullable<EVMOpts['customOpcodes']>[number] => ({
  opcode: 0x40,
  opcodeName: 'BLOCKHASH',
  baseFee: 20,
  logicFunction: ({ stack, env }) => {
    const number = stack.pop()
    const distance = env.block.header.number - number
    stack.push(distance >= 1n && distance <= 256n ? BigInt(state.blockHash(number) ?? 0) : 0n)
  },
})

const receiptOf = (object: TransactionObject, result: RunTxResult, cumulativeGasUsed: bigint): Receipt => {
  const { execResult, createdAddress } = result
  const status = execResult.exceptionError === undefined ? 1 : 0
  return {
    type: object.type ?? 0,
    status,
    gasUsed: result.totalGasSpent,
    cumulativeGasUsed,
    logs: (execResult.logs ?? []).map(([address, topics, data]) => ({
      address: bytesToHex(address),
      topics: topics.map((topic) => bytesToHex(topic)),
      data: bytesToHex(data),
    })),
    logsBloom: bytesToHex(result.bloom.bitvector),
    output: bytesToHex(execResult.returnValue),
    ...(status === 1 && createdAddress !== undefined ? { contractAddress: createdAddress.toString() } : {}),
  }
}

/** What @ethereumjs says where it refuses a transaction, and what that means. Anything else is a fault of ours. */
const REFUSALS: readonly (readonly [RegExp, Rejection])[] = [
  [/EIP-?\s?(2718|2930|1559) (not enabled|is not activated)/, REJECTION.typeNotSupported],
  [/nonce cannot equal or exceed/, REJECTION.nonceMax],
  [/exceeds the maximum allowed by EIP-7825/, REJECTION.gasLimitTooHigh],
  [/address is not EOA/, REJECTION.senderNotEoa],
  [/maxFeePerGas cannot be less than maxPriorityFeePerGas/, REJECTION.tipAboveFeeCap],
  [/is less than the block's baseFeePerGas/, REJECTION.feeCapBelowBaseFee],
  [/maxFeePerBlobGas \S+ is less than block blobGasPrice/, REJECTION.blobFeeCapTooLow],
  [/doesn't have enough funds|gas[lL]imit \* (gasPrice|maxFeePerGas) cannot exceed/, REJECTION.insufficientFunds],
  [/higher gas limit than the block/, REJECTION.gasLimitReached],
  [/INTRINSIC_GAS_TOO_LOW/, REJECTION.intrinsicGas],
  [/initcode size of this transaction is too large/, REJECTION.initcodeSize],
]

const rejectionOf = (error: Error): Rejection => {
  if (error instanceof GasLimitReached) return REJECTION.gasLimitReached
  const nonces = /account has nonce of: (\d+) tx has nonce of: (\d+)/.exec(error.message)
  if (nonces !== null) return BigInt(nonces[1]!) > BigInt(nonces[2]!) ? REJECTION.nonceTooLow : REJECTION.nonceTooHigh
  for (const [text, rejection] of REFUSALS) if (text.test(error.message)) return rejection
  throw error
}
