import { type EVM, EVMError, type EVMOpts, type EVMResult, type EVMRunCallOpts } from '@ethereumjs/evm'
import { Account, Address } from '@ethereumjs/util'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../../transpiler/layout/word.ts'
import { designatorOf, isDelegation } from '../../../../transpiler/spec/delegation.ts'
import { type Fork, isAtLeast, valueAt } from '../../../../transpiler/spec/forks.ts'
import {
  GAS_AUTHORIZATION,
  GAS_AUTHORIZATION_NEW_ACCOUNT,
  MAX_NONCE,
  MAX_REFUND_QUOTIENT_BY_FORK,
} from '../../../../transpiler/spec/gas.ts'
import type { CpuExecution, CpuOutcome } from '../../../batch/outcome.ts'
import {
  type Authorization,
  type TransactionBatch,
  type TransactionExtras,
  TYPE_DEPOSIT,
  transactionData,
} from '../../../chain/batch.ts'
import type { BlockEnvironment } from '../../../chain/environment.ts'
import type { Log } from '../../../chain/log.ts'
import { REJECTION, type Rejection } from '../../../chain/rejection.ts'
import type { TransactionRules } from '../../../chain/rules.ts'
import { commonOf } from '../../../precompiles/common.ts'
import { bytesToHex, hexToBytes } from '../../../primitives/hex.ts'
import { addressToBytes, quantityToBigInt, wordToBigInt, wordToBytes } from '../../../primitives/word.ts'
import type { SnapshotReads, SnapshotWrites, StateSnapshot } from '../../../state/snapshot.ts'
import { createLeanEvm } from './lean_evm.ts'
import { isBelow, moveBalance } from './seen_account.ts'
import { CpuState, NO_SNAPSHOT } from './state.ts'
import { createTracedEvm, type OnStep } from './traced_evm.ts'

/**
 * One transaction of a batch at its place in the order.
 * `gasAvailable` is what the transactions before it left of the block's gas limit; absent: not checked.
 */
export interface CpuRequest {
  readonly env: BlockEnvironment
  readonly batch: TransactionBatch
  readonly index: number
  /** `transactionRules` of the batch. */
  readonly rules: TransactionRules
  readonly snapshot: StateSnapshot
  readonly gasAvailable?: bigint
  /** A call that is only simulated: its sender may be a contract. */
  readonly anySender?: boolean
}

export interface CpuTierOptions {
  readonly fork: Fork
  readonly chainId: bigint
  /** Told of every step, by the stock loop of @ethereumjs/evm instead of ours: slow, for people. */
  readonly onStep?: OnStep
}

/** A call by the system to contract `to` (0x-hex) on the state that stands in front of or behind the transactions. */
export interface SystemCall {
  readonly env: BlockEnvironment
  readonly to: string
  readonly data: Uint8Array
  readonly snapshot: StateSnapshot
}

export interface SystemCallOutcome {
  readonly succeeded: boolean
  readonly output: Uint8Array
  readonly reads: SnapshotReads
  readonly writes: SnapshotWrites
}

/** The caller of system calls (EIP-4788). */
const SYSTEM_ADDRESS = '0xfffffffffffffffffffffffffffffffffffffffe'
const SYSTEM_CALL_GAS = 30_000_000n
const STOP = Uint8Array.of(0)

type EvmBlock = NonNullable<EVMRunCallOpts['block']>

export const createCpuTier = async (options: CpuTierOptions): Promise<CpuTier> => {
  const tier = new CpuTier(options)
  await tier.prepare()
  return tier
}

/**
 * Executes whole transactions with @ethereumjs/evm: the reference tier. What @ethereumjs/vm does around the EVM in `runTx`
 * is done here, for every type: buying gas and blob gas, authorizations, warm sets, refunds, the floor, fees, EIP-161 and
 * EIP-6780 clean-up; and what op-geth does around a deposit.
 *
 * One transaction at a time: `execute` must not be called before the one before it has ended.
 */
export class CpuTier {
  readonly #fork: Fork
  readonly #chainId: bigint
  readonly #onStep: OnStep | undefined
  readonly #state = new CpuState()
  readonly #blockHashes = new Set<bigint>()
  #snapshot: StateSnapshot | undefined
  #evm: EVM | undefined
  #block: { readonly env: BlockEnvironment; readonly block: EvmBlock } | undefined

  constructor({ fork, chainId, onStep }: CpuTierOptions) {
    this.#fork = fork
    this.#chainId = chainId
    this.#onStep = onStep
  }

  /** Makes the EVM, so that the first transaction does not wait for it. */
  async prepare(): Promise<EVM> {
    if (this.#evm !== undefined) return this.#evm
    const options = {
      common: commonOf(this.#fork, this.#chainId),
      stateManager: this.#state,
      blockchain: {
        getBlock: (number) => this.#getBlock(BigInt(number)),
        putBlock: async () => {},
        shallowCopy() {
          return this
        },
      },
    } satisfies EVMOpts
    if (this.#onStep !== undefined) {
      this.#evm = createTracedEvm(options, this.#fork, this.#onStep)
      return this.#evm
    }
    const evm = createLeanEvm(options)
    // The first frame of an EVM runs in the stock loop, which reads a little more than ours: let it be nobody's.
    this.#state.begin(NO_SNAPSHOT)
    await evm.runCall({ to: new Address(new Uint8Array(20)), code: STOP, gasLimit: 1n, skipNonceIncrement: true })
    await evm.journal.cleanup()
    this.#evm = evm
    return evm
  }

  /**
   * Executes transaction `index` on the snapshot. Rejects only where the snapshot does; the next call starts clean.
   */
  execute(request: CpuRequest): Promise<CpuOutcome> {
    return this.#run(request.snapshot, (evm) => this.#transact(evm, request))
  }

  /**
   * Calls a contract as the system does around a block (EIP-4788, 2935, 7002, 7251): from SYSTEM_ADDRESS, with gas that
   * nobody pays, no value, and nothing of a transaction around it. Undefined where there is no code: nothing happens then.
   * What the call itself does to the account of SYSTEM_ADDRESS is left out.
   */
  async systemCall({ env, to, data, snapshot }: SystemCall): Promise<SystemCallOutcome | undefined> {
    return this.#run(snapshot, async (evm) => {
      const state = this.#state
      const callee = new Address(hexToBytes(to))
      if ((await state.getCode(callee)).length === 0) return undefined
      const block = this.#blockOf(env)
      const caller = new Address(hexToBytes(SYSTEM_ADDRESS))
      const gasLimit = SYSTEM_CALL_GAS
      const result = await evm.runCall({ block, caller, gasLimit, to: callee, data, skipNonceIncrement: true })
      await evm.journal.cleanup()
      const reads = state.reads([...this.#blockHashes])
      const writes = state.writes()
      return {
        succeeded: result.execResult.exceptionError === undefined,
        output: result.execResult.returnValue,
        reads: {
          ...reads,
          accounts: reads.accounts.filter((address) => address !== SYSTEM_ADDRESS),
          seen: reads.seen.filter((_, i) => reads.accounts[i] !== SYSTEM_ADDRESS),
        },
        writes: { ...writes, accounts: writes.accounts.filter(({ address }) => address !== SYSTEM_ADDRESS) },
      }
    })
  }

  async #run<Outcome>(snapshot: StateSnapshot, run: (evm: EVM) => Promise<Outcome>): Promise<Outcome> {
    const evm = await this.prepare()
    this.#state.begin(snapshot)
    this.#snapshot = snapshot
    this.#blockHashes.clear()
    try {
      return await run(evm)
    } catch (error) {
      this.#evm = undefined
      throw error
    }
  }

  async #transact(evm: EVM, request: CpuRequest): Promise<CpuOutcome> {
    const { env, batch, index, rules } = request
    const state = this.#state
    const extras = batch.extras.get(index) ?? NO_EXTRAS
    if (batch.type[index] === TYPE_DEPOSIT) return this.#deposit(evm, request, extras)
    const sender = addressAt(batch.from, index)
    const nonce = quantityToBigInt(batch.nonce, 2 * index)
    const gasLimit = quantityToBigInt(batch.gasLimit, 2 * index)
    const account = (await state.getAccount(sender)) ?? new Account()
    const rejected = await this.#rejection(request, account, nonce, gasLimit)
    if (rejected !== REJECTION.none) return { rejected, reads: state.reads([]) }

    const price = wordToBigInt(rules.price, LIMBS_PER_WORD * index)
    const blobFee = rules.blobFee.length === 0 ? 0n : wordToBigInt(rules.blobFee, LIMBS_PER_WORD * index)
    moveBalance(account, -(gasLimit * price + blobFee))
    account.nonce = nonce + 1n
    await evm.journal.putAccount(sender, account)
    const { coinbase } = this.#blockOf(env).header
    this.#warmParties(evm, request, sender, coinbase)
    const refund = await this.#authorize(evm, extras.authorizations)

    const intrinsic = BigInt(rules.intrinsic[index]!)
    const result = await this.#call(evm, request, extras, price, gasLimit - intrinsic)

    const gasUsed = this.#gasUsed(result, intrinsic, BigInt(rules.floor[index]!), refund)
    const payer = (await state.getAccount(sender)) ?? new Account()
    moveBalance(payer, (gasLimit - gasUsed) * price)
    await evm.journal.putAccount(sender, payer)
    const fee = gasUsed * wordToBigInt(rules.priority, LIMBS_PER_WORD * index)
    const coinbaseFee = await this.#payCoinbase(evm, coinbase, fee)
    return this.#finish(evm, result, gasUsed, coinbaseFee)
  }

  /**
   * A deposit of the OP stack, as op-geth executes it from Regolith on: the mint stays whatever happens; no fee is paid and no
   * nonce checked. One that cannot even start (too little gas for its data, too little balance for its value) fails, uses
   * all its gas and counts the sender's nonce up. A system deposit (before Regolith) is recorded as using no gas.
   */
  async #deposit(evm: EVM, request: CpuRequest, { deposit }: TransactionExtras): Promise<CpuOutcome> {
    const { env, batch, index, rules, gasAvailable } = request
    const state = this.#state
    const { mint, isSystem } = deposit!
    const gasLimit = quantityToBigInt(batch.gasLimit, 2 * index)
    if (!isSystem && gasAvailable !== undefined && gasLimit > gasAvailable) {
      return { rejected: REJECTION.gasLimitReached, reads: state.reads([]) }
    }
    const sender = addressAt(batch.from, index)
    const account = (await state.getAccount(sender)) ?? new Account()
    const depositNonce = account.nonce
    moveBalance(account, mint)
    account.nonce += 1n
    await evm.journal.putAccount(sender, account)
    const intrinsic = BigInt(rules.intrinsic[index]!)
    const floor = BigInt(rules.floor[index]!)
    const starts =
      gasLimit >= intrinsic && gasLimit >= floor && !isBelow(account, wordToBigInt(batch.value, LIMBS_PER_WORD * index))
    let result = FAILED_DEPOSIT
    let gasUsed = gasLimit
    if (starts) {
      this.#warmParties(evm, request, sender, this.#blockOf(env).header.coinbase)
      result = await this.#call(evm, request, NO_EXTRAS, 0n, gasLimit - intrinsic)
      gasUsed = this.#gasUsed(result, intrinsic, floor, 0n)
    }
    return { ...(await this.#finish(evm, result, isSystem ? 0n : gasUsed, undefined)), depositNonce }
  }

  #call(
    evm: EVM,
    { env, batch, index }: CpuRequest,
    { blobVersionedHashes }: TransactionExtras,
    gasPrice: bigint,
    gasLimit: bigint,
  ): Promise<EVMResult> {
    return evm.runCall({
      block: this.#blockOf(env),
      gasPrice,
      caller: addressAt(batch.from, index),
      gasLimit,
      ...(batch.creates[index] === 1 ? {} : { to: addressAt(batch.to, index) }),
      value: wordToBigInt(batch.value, LIMBS_PER_WORD * index),
      data: transactionData(batch, index),
      skipNonceIncrement: true,
      ...(blobVersionedHashes === undefined ? {} : { blobVersionedHashes: blobVersionedHashes as `0x${string}`[] }),
    })
  }

  async #finish(evm: EVM, result: EVMResult, gasUsed: bigint, coinbaseFee: bigint | undefined): Promise<CpuExecution> {
    const state = this.#state
    await this.#destroy(evm, result)
    await evm.journal.cleanup()
    const { execResult, createdAddress } = result
    const status = execResult.exceptionError === undefined ? 1 : 0
    return {
      status,
      gasUsed,
      gasRefund: execResult.gasRefund ?? 0n,
      executionGas: execResult.executionGasUsed,
      ...(execResult.exceptionError === undefined ? {} : { exception: execResult.exceptionError.error }),
      logs: (execResult.logs ?? []).map(logOf),
      output: execResult.returnValue,
      ...(status === 1 && createdAddress !== undefined ? { contractAddress: createdAddress.toString() } : {}),
      coinbaseFee,
      reads: state.reads([...this.#blockHashes]),
      writes: state.writes(),
    }
  }

  /**
   * Applies the authorizations in order (EIP-7702); one that does not hold is skipped. They stay whatever the call does.
   * Returns the refund for authorities that existed.
   */
  async #authorize(evm: EVM, authorizations: readonly Authorization[] = []): Promise<bigint> {
    const state = this.#state
    let refund = 0n
    for (const { chainId, address, nonce, authority } of authorizations) {
      if (authority === undefined || nonce >= MAX_NONCE || (chainId !== 0n && chainId !== this.#chainId)) continue
      const signer = new Address(hexToBytes(authority))
      evm.journal.addAlwaysWarmAddress(authority)
      const account = await state.getAccount(signer)
      if (account?.isContract() === true && !isDelegation(await state.getCode(signer))) continue
      if ((account?.nonce ?? 0n) !== nonce) continue
      if (account !== undefined) refund += BigInt(GAS_AUTHORIZATION_NEW_ACCOUNT - GAS_AUTHORIZATION)
      const authorized = account ?? new Account()
      authorized.nonce += 1n
      await evm.journal.putAccount(signer, authorized)
      const target = hexToBytes(address)
      const clears = target.every((byte) => byte === 0)
      await state.putCode(signer, clears ? new Uint8Array(0) : designatorOf(target))
    }
    return refund
  }

  /** The lowest REJECTION code that applies: the static one, or one that the state gives. */
  async #rejection(
    { batch, index, rules, gasAvailable, anySender = false }: CpuRequest,
    account: Account,
    nonce: bigint,
    gasLimit: bigint,
  ): Promise<Rejection | 0> {
    const fixed = rules.rejection[index]! as Rejection | 0
    let found: Rejection | 0 = REJECTION.none
    if (gasAvailable !== undefined && gasLimit > gasAvailable) found = REJECTION.gasLimitReached
    if (isBelow(account, wordToBigInt(rules.cost, LIMBS_PER_WORD * index))) found = REJECTION.insufficientFunds
    if (!anySender && account.isContract() && !(await this.#isDelegated(addressAt(batch.from, index))))
      found = REJECTION.senderNotEoa
    if (account.nonce > nonce) found = REJECTION.nonceTooLow
    if (account.nonce < nonce) found = REJECTION.nonceTooHigh
    if (fixed === REJECTION.none) return found
    return found === REJECTION.none || fixed < found ? fixed : found
  }

  /** EIP-3607 with EIP-7702: a sender may have code only where it is a delegation, from Prague on. */
  async #isDelegated(address: Address): Promise<boolean> {
    if (!isAtLeast(this.#fork, 'prague')) return false
    return isDelegation(await this.#state.getCode(address))
  }

  /**
   * EIP-2929, 2930 and 3651: what is warm before the first step. The EVM warms a created address, and the code that a called
   * delegation points to.
   */
  #warmParties(evm: EVM, { batch, index }: CpuRequest, sender: Address, coinbase: Address): void {
    if (!isAtLeast(this.#fork, 'berlin')) return
    const { journal } = evm
    for (const address of evm.precompiles.keys()) journal.addAlwaysWarmAddress(address)
    journal.addAlwaysWarmAddress(sender.toString())
    if (batch.creates[index] === 0) journal.addAlwaysWarmAddress(addressAt(batch.to, index).toString())
    if (isAtLeast(this.#fork, 'shanghai')) journal.addAlwaysWarmAddress(coinbase.toString())
    const key = new Uint8Array(32)
    for (let entry = batch.accessStart[index]!; entry < batch.accessStart[index + 1]!; entry++) {
      const address = addressAt(batch.accessAddress, entry).toString()
      journal.addAlwaysWarmAddress(address)
      for (let k = batch.accessKeyStart[entry]!; k < batch.accessKeyStart[entry + 1]!; k++) {
        wordToBytes(key, 0, batch.accessKey, LIMBS_PER_WORD * k)
        journal.addAlwaysWarmSlot(address, bytesToHex(key))
      }
    }
  }

  /** Refund capped (EIP-3529), then the floor (EIP-7623). */
  #gasUsed({ execResult }: EVMResult, intrinsic: bigint, floor: bigint, authorized: bigint): bigint {
    const spent = intrinsic + execResult.executionGasUsed
    const cap = spent / BigInt(valueAt(MAX_REFUND_QUOTIENT_BY_FORK, this.#fork))
    const refund = authorized + (execResult.gasRefund ?? 0n)
    const used = spent - (refund < cap ? refund : cap)
    return used < floor ? floor : used
  }

  /**
   * Gives the coinbase its fee and returns undefined, where the transaction has looked at the coinbase. Otherwise nothing
   * is read or written and the fee is returned. Before EIP-161 a fee of zero makes an account, so that it cannot wait.
   */
  async #payCoinbase(evm: EVM, coinbase: Address, fee: bigint): Promise<bigint | undefined> {
    if (!this.#state.has(coinbase) && isAtLeast(this.#fork, 'spuriousDragon')) return fee
    const account = (await this.#state.getAccount(coinbase)) ?? new Account()
    moveBalance(account, fee)
    await evm.journal.putAccount(coinbase, account)
    return undefined
  }

  /** SELFDESTRUCT takes effect; from EIP-6780 on (Cancun) only for contracts made in this transaction. */
  async #destroy(evm: EVM, { execResult }: EVMResult): Promise<void> {
    for (const hex of execResult.selfdestruct?.keys() ?? []) {
      if (isAtLeast(this.#fork, 'cancun') && execResult.createdAddresses?.has(hex) !== true) continue
      await evm.journal.deleteAccount(new Address(hexToBytes(hex)))
    }
  }

  #blockOf(env: BlockEnvironment): EvmBlock {
    if (this.#block?.env !== env) this.#block = { env, block: evmBlock(env) }
    return this.#block.block
  }

  async #getBlock(number: bigint): Promise<{ hash(): Uint8Array }> {
    this.#blockHashes.add(number)
    const hash = await this.#snapshot?.blockHash(number)
    return { hash: () => (hash === undefined ? new Uint8Array(32) : hexToBytes(hash)) }
  }
}

const NO_EXTRAS: TransactionExtras = {}

/** What is left of a deposit that could not start. */
const FAILED_DEPOSIT: EVMResult = {
  execResult: {
    executionGasUsed: 0n,
    returnValue: new Uint8Array(0),
    exceptionError: new EVMError(EVMError.errorMessages.OUT_OF_GAS),
  },
}

/** The block as EVM opcodes ask for it. An ancestor whose hash is unknown has hash zero. */
const evmBlock = (env: BlockEnvironment): EvmBlock => ({
  header: {
    number: env.number,
    coinbase: new Address(hexToBytes(env.coinbase)),
    timestamp: env.timestamp,
    difficulty: env.prevRandao,
    prevRandao: hexToBytes(`0x${env.prevRandao.toString(16).padStart(64, '0')}`),
    gasLimit: env.gasLimit,
    baseFeePerGas: env.baseFeePerGas,
    getBlobGasPrice: () => env.blobBaseFee ?? 1n,
  },
})

const addressAt = (addresses: Uint32Array, n: number): Address => {
  const bytes = new Uint8Array(20)
  addressToBytes(bytes, 0, addresses, LIMBS_PER_ADDRESS * n)
  return new Address(bytes)
}

const logOf = ([address, topics, data]: readonly [Uint8Array, Uint8Array[], Uint8Array]): Log => ({
  address: bytesToHex(address),
  topics: topics.map(bytesToHex),
  data: bytesToHex(data),
})
