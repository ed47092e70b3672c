// Declarations of @ethereumjs/evm use the namespace `debug`, and import it nowhere.
/// <reference types="debug" preserve="true" />
import type { Common } from '@ethereumjs/common'
import { createEVM, EVMError, type EVMOpts, type EVMResult, type EVMRunCallOpts } from '@ethereumjs/evm'
import type { Account, Address } from '@ethereumjs/util'
import { ethereumjsHardfork, FORKS, type Fork } from '../../../transpiler/spec/forks.ts'
import type { DeviceCosts } from '../../batch/cost.ts'
import type { ComputeDevice } from '../../device/compute_device.ts'
import { openDevice } from '../../device/device.ts'
import { deviceCosts } from '../../flows/device_costs.ts'
import { createExecutor } from '../../flows/executor.ts'
import type { Executor, ExecutorOptions } from '../../flows/executor_interface.ts'
import { wasmBn254 } from '../../precompiles/bn254.ts'
import { commonOf } from '../../precompiles/common.ts'
import { SpecifiedEvm } from '../../tiers/cpu/ethereumjs/specified_evm.ts'
import { BlockPreview, type DelegationReason, type PreviewedCall, type VmCall } from './block_preview.ts'
import { flushInBulk } from './bulk_flush.ts'
import { ManagedState } from './managed_state.ts'
import { TYPE_SET_CODE, type VmBlock, vmBlockOf } from './vm_block.ts'
import { forEveryVm, recognizeCall, warnOfUnknownVm } from './vm_call.ts'
import { fillCrypto } from './vm_crypto.ts'

/**
 * Options of `createGpuEvm`: those of `createEVM` of `@ethereumjs/evm`, and what is said here.
 *
 * @example
 * import type { GpuEvmOptions } from 'wgevm'
 *
 * const options: GpuEvmOptions = { device: 'none', leastTransactions: 64, bulkFlush: false, executor: { workers: 2 } }
 * console.log(options.leastTransactions) // 64
 */
export interface GpuEvmOptions extends EVMOpts {
  /**
   * `none`: everything runs on CPUs. Default: the best that answers, opened with the first block and closed by `close`.
   */
  readonly device?: ComputeDevice | 'none'
  /** Blocks with fewer transactions are left to the stock EVM. Default 16. */
  readonly leastTransactions?: number
  /**
   * A MerkleStateManager of @ethereumjs/statemanager that caches writes its tries in bulk from now on, to the same
   * roots; `false` leaves its `flush` as it is. Default true.
   */
  readonly bulkFlush?: boolean
  /** How the executor works (ExecutorOptions). Without `costs` it has those of `deviceCosts`. */
  readonly executor?: Partial<
    Pick<
      ExecutorOptions,
      | 'compile'
      | 'recordFrom'
      | 'range'
      | 'workers'
      | 'memory'
      | 'pathStore'
      | 'kernels'
      | 'programs'
      | 'paths'
      | 'laneVm'
      | 'costs'
    >
  >
}

/**
 * What became of the calls so far.
 *
 * Example: {@link GpuEvm}.
 */
export interface GpuEvmReport {
  /** Blocks that were executed ahead, whole or from some transaction on. */
  readonly blocks: number
  /** Calls of transactions whose results were there. */
  readonly served: number
  /** Calls that the stock EVM executed, by why. */
  readonly delegated: Readonly<Partial<Record<DelegationReason, number>>>
  /** Why blocks could not be executed ahead. */
  readonly faults: readonly string[]
}

const LEAST_TRANSACTIONS = 16

/**
 * An EVM for `createVM({ evm, stateManager })`: with the first transaction of a block it executes the whole block
 * ahead, in parallel, against the state manager, which is only read. Each transaction's `runCall` then returns its
 * result and enters its writes, if all that it read is still so; else, and wherever a program listens to the EVM's
 * events, the stock EVM executes it.
 *
 * Transactions may be run in any order and more than once, and a block again after `setStateRoot`: results are taken as
 * long as the state is the one they were made for, and else made anew, in proportion to what is taken. Not executed
 * ahead, and exact all the same: `buildBlock`, whose blocks never hold the transaction that is being added; the EVM of
 * a `VM.shallowCopy`, which is the stock one (`shallowCopy` of this EVM serves); calls outside a block; a Common with
 * rules of its own.
 *
 * Give the VM the same state manager, Common and blockchain. `close` lets go of the device.
 *
 * All versions of @ethereumjs/vm in the package's peer range are served. One that calls in another way is left to the
 * stock EVM, with a warning (`WGEVM_UNKNOWN_VM`).
 *
 * @example
 * import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
 * import { MerkleStateManager } from '@ethereumjs/statemanager'
 * import { createVM } from '@ethereumjs/vm'
 * import { createGpuEvm } from 'wgevm'
 *
 * const common = new Common({ chain: Mainnet, hardfork: Hardfork.Prague })
 * const stateManager = new MerkleStateManager({ common })
 * const evm = await createGpuEvm({ common, stateManager })
 * const vm = await createVM({ common, stateManager, evm })
 * console.log(vm.evm === evm) // runBlock(vm, { block }) executes as before, in less time
 * await evm.close()
 */
export const createGpuEvm = async (options: GpuEvmOptions): Promise<GpuEvm> => {
  const { device, leastTransactions, executor, bulkFlush, ...stock } = options
  // Fills what is absent, as it does for every caller.
  const filled: EVMOpts = { bn254: wasmBn254, ...stock }
  const { common, stateManager, blockchain } = await createEVM(filled)
  fillCrypto(common)
  if (bulkFlush ?? true) flushInBulk(stateManager)
  return new GpuEvm({ ...filled, common, stateManager, blockchain }, { device, leastTransactions, executor, bulkFlush })
}

type OwnOptions = {
  [Name in 'device' | 'leastTransactions' | 'executor' | 'bulkFlush']: GpuEvmOptions[Name] | undefined
}

/** A block on its way through `runBlock`. */
interface OpenBlock {
  readonly block: VmBlock
  /** The transaction that is expected next. */
  next: number
  preview: BlockPreview | undefined
  /** No more tries in this block. */
  isLeft: boolean
  /** Transactions that may still be executed ahead; see BLOCKS_IN_VAIN. */
  credit: number
}

/** Different texts of faults that are told. */
const MOST_FAULTS = 100

/**
 * Whole blocks that may be executed ahead without a result being taken; each result that is taken pays for as many
 * transactions. So what is executed in vain, for a program that runs a block's transactions in an order of its own
 * against states of its own, stays in proportion.
 */
const BLOCKS_IN_VAIN = 4

/**
 * The executor as an EVM of `@ethereumjs/vm`, made by `createGpuEvm`. `report` tells what became of the calls so far.
 *
 * It has no constructor of its own to call; a call that it cannot serve goes to the stock EVM, so it throws only what
 * that throws.
 *
 * @example
 * import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
 * import { SimpleStateManager } from '@ethereumjs/statemanager'
 * import { createGpuEvm } from 'wgevm'
 *
 * const common = new Common({ chain: Mainnet, hardfork: Hardfork.Prague })
 * const evm = await createGpuEvm({ common, stateManager: new SimpleStateManager(), device: 'none' })
 * console.log(evm.report.served) // 0
 * await evm.close()
 */
export class GpuEvm extends SpecifiedEvm {
  readonly #options: OwnOptions
  readonly #state: ManagedState
  readonly #delegated: Partial<Record<DelegationReason, number>> = {}
  readonly #faults: string[] = []
  readonly #isCustom: boolean
  #blocks = 0
  #served = 0
  #open: OpenBlock | undefined
  readonly #blocksSeen = new WeakMap<VmBlock, OpenBlock>()
  #executor: { readonly fork: Fork; readonly chainId: bigint; readonly executor: Executor } | undefined
  #device: Promise<ComputeDevice | undefined> | undefined
  #rules: { readonly hardfork: string; readonly fork: Fork | undefined } | undefined

  /** @internal */
  constructor(options: EVMOpts, own: OwnOptions) {
    super(options)
    this.#options = own
    this.#state = new ManagedState(this.stateManager, this.blockchain, () => !this.common.isActivatedEIP(6780))
    this.#isCustom =
      options.customOpcodes !== undefined ||
      options.customPrecompiles !== undefined ||
      options.params !== undefined ||
      options.allowUnlimitedContractSize === true ||
      options.allowUnlimitedInitCodeSize === true ||
      options.profiler?.enabled === true
  }

  get report(): GpuEvmReport {
    return {
      blocks: this.#blocks,
      served: this.#served,
      delegated: { ...this.#delegated },
      faults: [...this.#faults],
    }
  }

  /** Lets go of the device that it opened, and of what it holds on the one that it was given. It can still be used. */
  async close(): Promise<void> {
    this.#executor?.executor.close()
    this.#executor = undefined
    const opened = this.#device
    this.#device = undefined
    const device = await opened
    device?.destroy()
  }

  /**
   * A GpuEvm with the same options on a shallow copy of the state manager. It opens a device of its own where none was
   * given, and has a `close` of its own. `VM.shallowCopy` does not ask for it: the EVM of such a copy is the stock one.
   */
  override shallowCopy(): GpuEvm {
    const { common, stateManager } = super.shallowCopy()
    if (this.#options.bulkFlush ?? true) flushInBulk(stateManager)
    return new GpuEvm({ ...this._optsCached, common, stateManager }, this.#options)
  }

  override async runCall(opts: EVMRunCallOpts): Promise<EVMResult> {
    // An inner call of the stock EVM.
    if (opts.message !== undefined) return super.runCall(opts)
    const found = await this.#previewed(opts)
    if (typeof found === 'string') {
      this.#delegated[found] = (this.#delegated[found] ?? 0) + 1
      return forEveryVm(await super.runCall(opts), opts)
    }
    this.#served++
    return resultOf(found, opts.gasLimit!)
  }

  async #previewed(opts: EVMRunCallOpts): Promise<PreviewedCall | DelegationReason> {
    const block = vmBlockOf(opts.block)
    if (block === undefined) return 'outside a block'
    if (block.transactions.length < (this.#options.leastTransactions ?? LEAST_TRANSACTIONS)) return 'few transactions'
    const fork = this.#forkNow()
    if (fork === undefined) return 'rules'
    if (this.#isObserved()) return 'observed'
    const open = this.#openBlock(block)
    const found = recognizeCall(block, opts, open.next)
    if (found === undefined) return 'not of the block'
    if ('unknown' in found) {
      warnOfUnknownVm(found)
      return 'unknown VM'
    }
    // Before every call runTx warms its sender: without it this is a call from elsewhere.
    if (this.common.isActivatedEIP(2929) && !this.journal.isWarmedAddress(opts.caller!.bytes)) return 'outside a block'
    const { i } = found
    open.next = i + 1
    if (block.transactions[i]!.type === TYPE_SET_CODE) return 'authorizations'
    if (open.isLeft) return 'fault'
    const call = {
      ...found,
      putAccount: (address: Address, account: Account) => this.journal.putAccount(address, account),
    }
    return this.#take(open, call, fork)
  }

  /** From the preview that there is; from a new one where there is none, or where a jump finds another state. */
  async #take(open: OpenBlock, call: VmCall, fork: Fork): Promise<PreviewedCall | DelegationReason> {
    const { preview } = open
    if (preview?.covers(call.i) === true) {
      const isNext = preview.isNext(call.i)
      const taken = await preview.take(call)
      const isStale = taken === 'state differs' || taken === 'not included'
      if (isNext || !isStale) return earned(open, taken)
    }
    const rest = open.block.transactions.length - call.i
    if (open.credit < rest) return 'previews used up'
    const made = await this.#preview(open, call, fork)
    if (made === undefined) return open.isLeft ? 'fault' : 'state differs'
    open.preview = made
    open.credit -= rest
    return earned(open, await made.take(call))
  }

  /** The block as far as it came. Of one block at a time the results are kept. */
  #openBlock(block: VmBlock): OpenBlock {
    if (this.#open?.block === block) return this.#open
    if (this.#open !== undefined) this.#open.preview = undefined
    let open = this.#blocksSeen.get(block)
    if (open === undefined) {
      open = { block, next: 0, preview: undefined, isLeft: false, credit: BLOCKS_IN_VAIN * block.transactions.length }
      this.#blocksSeen.set(block, open)
    }
    this.#open = open
    return open
  }

  /** Executes the block ahead from the call's transaction on. */
  async #preview(open: OpenBlock, call: VmCall, fork: Fork): Promise<BlockPreview | undefined> {
    try {
      const executor = await this.#executorAt(fork)
      const parts = { common: this.common, manager: this.stateManager, state: this.#state, executor }
      const made = await BlockPreview.make(open.block, call, parts)
      if (made !== undefined) this.#blocks++
      return made
    } catch (thrown) {
      this.#fault(thrown)
      open.preview = undefined
      open.isLeft = true
      return undefined
    }
  }

  /** Each text once, however many blocks meet it. */
  #fault(thrown: unknown): void {
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    if (this.#faults.length < MOST_FAULTS && !this.#faults.includes(text)) this.#faults.push(text)
  }

  async #executorAt(fork: Fork): Promise<Executor> {
    const chainId = this.common.chainId()
    if (this.#executor?.fork === fork && this.#executor.chainId === chainId) return this.#executor.executor
    this.#executor?.executor.close()
    const device = await this.#openDevice()
    const executor = createExecutor({
      fork,
      chainId,
      state: this.#state,
      ...(device === undefined ? {} : { device, costs: await this.#costsOf(device) }),
      ...this.#options.executor,
    })
    this.#executor = { fork, chainId, executor }
    return executor
  }

  async #costsOf(device: ComputeDevice): Promise<DeviceCosts> {
    return this.#options.executor?.costs ?? deviceCosts(device)
  }

  async #openDevice(): Promise<ComputeDevice | undefined> {
    const { device } = this.#options
    if (device === 'none') return undefined
    if (device !== undefined) return device
    this.#device ??= openDevice().catch((thrown: unknown) => {
      this.#fault(thrown)
      return undefined
    })
    return this.#device
  }

  /** A program watches what the stock EVM does on its way, or has it report what it touches. */
  #isObserved(): boolean {
    const { events, journal } = this
    return (
      events.eventNames().length > 0 ||
      journal.accessList !== undefined ||
      journal.preimages !== undefined ||
      this.DEBUG
    )
  }

  /** The fork in force, where all rules are those of the fork and the program has not changed them. */
  #forkNow(): Fork | undefined {
    const hardfork = this.common.hardfork()
    if (this.#rules?.hardfork !== hardfork)
      this.#rules = { hardfork, fork: this.#isCustom ? undefined : plainForkOf(this.common) }
    return this.#rules.fork
  }
}

/** A result that was there pays for executing ahead again. */
const earned = (open: OpenBlock, taken: PreviewedCall | DelegationReason): PreviewedCall | DelegationReason => {
  if (typeof taken !== 'string') open.credit += BLOCKS_IN_VAIN
  return taken
}

/** Undefined for a fork that is not known here, or a Common with EIPs or numbers of its own. */
const plainForkOf = (common: Common): Fork | undefined => {
  const fork = FORKS.find((name) => ethereumjsHardfork(name) === common.hardfork())
  if (fork === undefined || common.eips().length > 0 || common.consensusType() === 'poa') return undefined
  const plain = commonOf(fork, common.chainId())
  for (let eip = 1; eip <= LAST_EIP; eip++)
    if (common.isActivatedEIP(eip) !== plain.isActivatedEIP(eip)) return undefined
  return fork
}

const LAST_EIP = 9999

const resultOf = (call: PreviewedCall, gasLimit: bigint): EVMResult => ({
  execResult: {
    returnValue: call.output,
    executionGasUsed: call.executionGas,
    gas: gasLimit - call.executionGas,
    gasRefund: call.gasRefund,
    logs: call.logs.map(([address, topics, data]) => [address, topics, data]),
    selfdestruct: new Map(),
    createdAddresses: new Set(),
    ...(call.exception === undefined ? {} : { exceptionError: new EVMError(call.exception as EVMError['error']) }),
  },
})
