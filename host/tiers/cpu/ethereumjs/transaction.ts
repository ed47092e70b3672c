import type { EVM, EVMOpts } from '@ethereumjs/evm'
import { Account, Address } from '@ethereumjs/util'
import { LIMBS_PER_WORD } from '../../../../transpiler/layout/word.ts'
import type { Fork } from '../../../../transpiler/spec/forks.ts'
import type { CpuOutcome } from '../../../batch/outcome.ts'
import { type TransactionExtras, TYPE_DEPOSIT } from '../../../chain/batch.ts'
import type { BlockEnvironment } from '../../../chain/environment.ts'
import type { OpRules } from '../../../chain/op/op_chain.ts'
import { REJECTION } from '../../../chain/rejection.ts'
import { commonOf } from '../../../precompiles/common.ts'
import { hexToBytes } from '../../../primitives/hex.ts'
import { quantityToBigInt, wordToBigInt } from '../../../primitives/word.ts'
import type { SnapshotReads, SnapshotWrites, StateSnapshot } from '../../../state/snapshot.ts'
import { createHookedEvm, type HookTerms } from './hooked_evm.ts'
import { createLeanEvm } from './lean_evm.ts'
import {
  addressAt,
  buyGas,
  type CpuRequest,
  call,
  deposit,
  type EvmBlock,
  prepare,
  settle,
  type Transacting,
  validate,
} from './phases.ts'
import { CpuState, NO_SNAPSHOT } from './state.ts'
import { createTracedEvm, type OnStep, type TraceTerms } from './traced_evm.ts'
import { TransferEvm } from './transfer_evm.ts'

export interface CpuTierOptions {
  readonly fork: Fork
  readonly chainId: bigint
  /** On a chain of the OP stack. */
  readonly chain?: OpRules | undefined
  /** Told of every step, by the stock loop of @ethereumjs/evm instead of ours: slow, for people. */
  readonly onStep?: OnStep
  /** `always`: steps come with the memory before them. */
  readonly stepMemory?: 'always' | undefined
  /** `log`: transfers of wei are among the logs (`CpuExecution.transfers` says which). */
  readonly transfers?: 'log' | undefined
  /** Told of opcodes and frames as go-ethereum's tracers are, which is slower still. */
  readonly hooked?: Omit<HookTerms, 'fork'> | undefined
}

/** A call by the system to contract `to` (0x-hex) on the state that stands before or after the transactions. */
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
/** More than this is not remembered, whatever the budget is. */
const MOST_CODE_BYTES = 1 << 25
const SYSTEM_CALL_GAS = 30_000_000n
const STOP = Uint8Array.of(0)

export const createCpuTier = async (options: CpuTierOptions): Promise<CpuTier> => {
  const tier = new CpuTier(options)
  await tier.prepare()
  return tier
}

/**
 * Executes whole transactions with @ethereumjs/evm: the reference tier. What @ethereumjs/vm does around the EVM in
 * `runTx` is done here, for every type: buying gas and blob gas, authorizations, warm sets, refunds, the floor, fees,
 * EIP-161 and EIP-6780 clean-up; and what op-geth does around a deposit.
 *
 * One transaction at a time: `execute` must not be called before the one before it has ended.
 */
export class CpuTier {
  readonly #fork: Fork
  readonly #chainId: bigint
  readonly #chain: OpRules | undefined
  readonly #trace: TraceTerms | undefined
  readonly #transfers: 'log' | undefined
  readonly #hooked: HookTerms | undefined
  readonly #state = new CpuState()
  readonly #blockHashes = new Set<bigint>()
  #snapshot: StateSnapshot | undefined
  #evm: EVM | undefined
  #precompiles: readonly string[] = []
  #block: { readonly env: BlockEnvironment; readonly block: EvmBlock } | undefined

  constructor({ fork, chainId, chain, onStep, stepMemory, transfers, hooked }: CpuTierOptions) {
    this.#hooked = hooked === undefined ? undefined : { ...hooked, fork }
    this.#transfers = transfers
    this.#chain = chain
    this.#fork = fork
    this.#chainId = chainId
    this.#trace = onStep === undefined ? undefined : { fork, onStep, memory: stepMemory === 'always' }
  }

  /** Bytes of code that may stay from transaction to transaction, and that do. */
  set codeBudget(bytes: number) {
    this.#state.codeBudget = Math.min(bytes, MOST_CODE_BYTES)
  }

  get codeBytes(): number {
    return this.#state.codeBytes
  }

  /** Makes the EVM, so the first transaction does not wait for it. */
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
    if (this.#trace !== undefined || this.#hooked !== undefined) {
      const opFork = this.#chain?.fork
      this.#evm =
        this.#hooked === undefined
          ? createTracedEvm(options, this.#trace!, opFork)
          : createHookedEvm(options, this.#hooked, opFork)
      this.#precompiles = [...this.#evm.precompiles.keys()]
      return this.#evm
    }
    const evm = createLeanEvm(options, this.#transfers === 'log' ? TransferEvm : undefined, this.#chain?.fork)
    // The first frame of an EVM runs in the stock loop, which reads a little more than ours: it is not counted.
    this.#state.begin(NO_SNAPSHOT)
    await evm.runCall({ to: new Address(new Uint8Array(20)), code: STOP, gasLimit: 1n, skipNonceIncrement: true })
    await evm.journal.cleanup()
    this.#precompiles = [...evm.precompiles.keys()]
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
   * no one pays, no value, and nothing of a transaction around it. Undefined where there is no code: nothing happens
   * then. What the call itself does to the account of SYSTEM_ADDRESS is left out.
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

  /** The phases of a transaction in their order (phases.ts). */
  async #transact(evm: EVM, request: CpuRequest): Promise<CpuOutcome> {
    const tx = await this.#transacting(evm, request)
    if (tx.deposit !== undefined) return deposit(tx, tx.deposit)
    const rejected = await validate(tx)
    if (rejected !== REJECTION.none) return { rejected, reads: this.#state.reads([]) }
    await buyGas(tx)
    const refund = await prepare(tx)
    return settle(tx, await call(tx), refund)
  }

  async #transacting(evm: EVM, request: CpuRequest): Promise<Transacting> {
    const { env, batch, index, rules } = request
    const sender = addressAt(batch.from, index)
    const { deposit: minted, ...extras } = batch.extras.get(index) ?? NO_EXTRAS
    return {
      evm,
      request,
      extras,
      deposit: batch.type[index] === TYPE_DEPOSIT ? minted : undefined,
      fork: this.#fork,
      opFork: this.#chain?.fork,
      chainId: this.#chainId,
      state: this.#state,
      blockHashes: this.#blockHashes,
      precompiles: this.#precompiles,
      block: this.#blockOf(env),
      sender,
      account: (await this.#state.getAccount(sender)) ?? new Account(),
      nonce: quantityToBigInt(batch.nonce, 2 * index),
      gasLimit: quantityToBigInt(batch.gasLimit, 2 * index),
      price: wordToBigInt(rules.price, LIMBS_PER_WORD * index),
      intrinsic: BigInt(rules.intrinsic[index]!),
      floor: BigInt(rules.floor[index]!),
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
