import type { ExecutionForm } from '../batch/executions.ts'
import { executionAt, type OpenBatch, OUTCOME_EXECUTED } from '../batch/open_batch.ts'
import type { ExitReasons } from '../batch/reason.ts'
import type { Log } from '../chain/log.ts'
import { REJECTION, rejectionText } from '../chain/rejection.ts'
import { revertReason } from '../chain/revert_reason.ts'
import type { DeviceTimes } from '../device/clock.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { Receipts } from '../receipts/receipts.ts'
import type { TierCounts } from './execution_result.ts'
import { executedReasons, isOnCpu, tierCounts } from './result.ts'

/**
 * An entry of an access list (EIP-2930): an address, and storage keys of it, 0x-hex.
 *
 * Example: {@link Simulation}.
 */
export interface AccessListEntry {
  readonly address: string
  readonly storageKeys: readonly string[]
}

/**
 * One call in object form. Hex is 0x and lower case.
 *
 * Example: {@link Simulation}.
 */
export interface SimulatedCall {
  /** 1 success, 0 revert or halt; undefined where the call could not start. */
  readonly status: 0 | 1 | undefined
  /** As a transaction pays it: with the intrinsic part, the refund taken off, no less than the floor. */
  readonly gasUsed: bigint
  readonly output: string
  readonly logs: readonly Log[]
  /** Text of Error(string) or Panic(uint256). */
  readonly revertReason?: string
  readonly createdAddress?: string
  /** Why the call could not start. */
  readonly rejection?: string
  readonly tier: SimulationTier
  /** Why the CPU tier executed it. */
  readonly exitReason?: string
}

/**
 * The tier that executed a simulated call: `path` in one of its three forms; `none` where it could not start.
 *
 * Example: {@link Simulation}.
 */
export type SimulationTier = 'path' | 'transfer' | 'none' | ExecutionForm

/**
 * Wall milliseconds by stage; their sum and compileMs are the whole call.
 *
 * Example: {@link Simulation}.
 */
export interface SimulationTimings {
  /** Static rules, callers and called accounts, tiers and path keys. */
  route: number
  /** Waiting for the device: what the host does beside it is not in here. */
  device: number
  /** Deciding for each lane whether its result stands. */
  judge: number
  cpu: number
}

/** What an access list is made with: the calls again on the CPU tier, while nothing was committed since. @internal */
export type AccessLists = (openBatch: OpenBatch, index: number) => Promise<readonly AccessListEntry[]>

/** @internal */
export interface SimulationParts {
  /** Calls in each open batch but the last. */
  readonly size: number
  /** Undefined where every call is a bundle of its own. */
  readonly bundleStart: Uint32Array | undefined
  readonly timings: SimulationTimings
  readonly compileMs: number
  readonly deviceTimes: DeviceTimes | undefined
  readonly faults: readonly string[]
  readonly accessLists: AccessLists
}

/**
 * The results of simulated calls as columns; logs, output and objects are made on demand. Call i:
 *
 * status         u8[n]   1 success, 0 revert or halt, 2 could not start
 * gasUsed        f64[n]  as a transaction pays it; 0 where it could not start; rounded from 2^53 on, `get` is exact
 *
 * @example
 * import { createExecutor, MemoryState } from 'wgevm'
 *
 * const vault = '0x0000000000000000000000000000000000005afe'
 * const code = '0x60005460005260206000f3' // returns slot 0
 * const state = MemoryState.from({ [vault]: { nonce: 1n, code, storage: { '0x0': 7n } } })
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const at = { number: 1n, timestamp: 1n, coinbase: vault, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n }
 * const simulation = await executor.simulate({ at, calls: [{ to: vault }] })
 * console.log(simulation.output(0).at(-1), (await simulation.accessList(0)).length) // 7 1
 * executor.close()
 */
export class Simulation {
  readonly count: number
  readonly status: Uint8Array
  readonly gasUsed: Float64Array
  readonly tiers: TierCounts
  /** Calls that the CPU tier executed, by why. */
  readonly exits: Readonly<Record<string, number>>
  readonly timings: SimulationTimings
  readonly compileMs: number
  /** By kernel, where the executor was told to time dispatches. */
  readonly deviceTimes: DeviceTimes | undefined
  readonly faults: readonly string[]
  readonly #openBatches: readonly OpenBatch[]
  readonly #size: number
  readonly #reasons: ExitReasons
  readonly #decoded: Receipts[] = []
  #refunds: Float64Array | undefined
  #bundleStart: Uint32Array | undefined
  readonly #accessLists: AccessLists

  /** @internal */
  constructor(count: number, openBatches: readonly OpenBatch[], reasons: ExitReasons, parts: SimulationParts) {
    this.count = count
    this.#openBatches = openBatches
    this.#size = parts.size
    this.#reasons = reasons
    this.#bundleStart = parts.bundleStart
    this.#accessLists = parts.accessLists
    this.timings = parts.timings
    this.compileMs = parts.compileMs
    this.deviceTimes = parts.deviceTimes
    this.faults = parts.faults
    this.status = joined(openBatches, (openBatch) => openBatch.status, new Uint8Array(count), parts.size)
    this.gasUsed = joined(openBatches, (openBatch) => openBatch.gasUsed, new Float64Array(count), parts.size)
    const tiers = { pathKernel: 0, pathProgram: 0, pathHost: 0, laneVm: 0, transfer: 0, cpu: 0 }
    for (const openBatch of openBatches) addCounts(tiers, tierCounts(openBatch))
    this.tiers = tiers
    this.exits = tiers.cpu === 0 ? {} : exitsOf(openBatches, reasons)
  }

  /** Refund counter at the end, before its cap: f64[n]. */
  get gasRefund(): Float64Array {
    this.#refunds ??= joined(this.#openBatches, ({ refund }) => refund, new Float64Array(this.count), this.#size)
    return this.#refunds
  }

  /** The calls of bundle b are bundleStart[b] .. bundleStart[b + 1], in order: u32[bundles + 1]. */
  get bundleStart(): Uint32Array {
    this.#bundleStart ??= Uint32Array.from({ length: this.count + 1 }, (_, i) => i)
    return this.#bundleStart
  }

  /** Call i in object form. */
  get(i: number): SimulatedCall {
    const output = this.output(i)
    const status = this.status[i]!
    const reason = this.revertReason(i)
    const createdAddress = this.createdAddress(i)
    const rejection = this.rejection(i)
    const exitReason = this.exitReason(i)
    return {
      status: status > 1 ? undefined : (status as 0 | 1),
      gasUsed: this.#gasUsedOf(i),
      output: bytesToHex(output),
      logs: this.logs(i),
      tier: this.tier(i),
      ...(reason === undefined ? {} : { revertReason: reason }),
      ...(createdAddress === undefined ? {} : { createdAddress }),
      ...(rejection === undefined ? {} : { rejection }),
      ...(exitReason === undefined ? {} : { exitReason }),
    }
  }

  #gasUsedOf(i: number): bigint {
    const { receipts, at } = this.#receiptsOf(i)
    return receipts.gasUsedOf(at)
  }

  /** Return or revert data. */
  output(i: number): Uint8Array {
    const { receipts, at } = this.#receiptsOf(i)
    return receipts.output(at)
  }

  /** None where the call reverted. */
  logs(i: number): readonly Log[] {
    const { receipts, at } = this.#receiptsOf(i)
    return receipts.logs(at)
  }

  /** Text of Error(string) or Panic(uint256) where the call reverted with one. */
  revertReason(i: number): string | undefined {
    return this.status[i] === 0 ? revertReason(this.output(i)) : undefined
  }

  /** Of a creation that succeeded. */
  createdAddress(i: number): string | undefined {
    const { openBatch, at } = this.#placeOf(i)
    return executionAt(openBatch, at)?.contractAddress?.(openBatch.laneOf[at]!)
  }

  /** Why call i could not start, in words; undefined where it did. */
  rejection(i: number): string | undefined {
    const { receipts, at } = this.#receiptsOf(i)
    const rejection = receipts.rejection(at)
    return rejection === REJECTION.none ? undefined : rejectionText(rejection)
  }

  /** The tier that executed call i. */
  tier(i: number): SimulationTier {
    const { openBatch, at } = this.#placeOf(i)
    if (openBatch.outcome[at] !== OUTCOME_EXECUTED) return 'none'
    const execution = executionAt(openBatch, at)
    if (execution === undefined) return 'transfer'
    return execution.path === undefined ? execution.form : 'path'
  }

  /** Why the CPU tier executed call i; undefined where another tier did. */
  exitReason(i: number): string | undefined {
    const { openBatch, at } = this.#placeOf(i)
    return isOnCpu(openBatch, at) ? this.#reasons.text(openBatch.reasons[at]!) : undefined
  }

  /**
   * The accounts and slots that the call touched, as EIP-2930 lists them: without the caller, the precompiles, and the
   * called account where none of its slots was touched. A path keeps only what its outcome depends on, so the list is
   * made by executing the call once more on the CPU tier. Rejects where the state has moved on since.
   */
  accessList(i: number): Promise<readonly AccessListEntry[]> {
    const { openBatch, at } = this.#placeOf(i)
    return this.#accessLists(openBatch, at)
  }

  #placeOf(i: number): { readonly openBatch: OpenBatch; readonly at: number; readonly k: number } {
    if (i < 0 || i >= this.count) throw new RangeError(`no call ${i} among ${this.count}`)
    const k = Math.floor(i / this.#size)
    return { openBatch: this.#openBatches[k]!, at: i - k * this.#size, k }
  }

  #receiptsOf(i: number): { readonly receipts: Receipts; readonly at: number } {
    const { openBatch, at, k } = this.#placeOf(i)
    this.#decoded[k] ??= new Receipts(openBatch.batch, openBatch)
    return { receipts: this.#decoded[k], at }
  }
}

type Counts = { -readonly [Tier in keyof TierCounts]: number }

const addCounts = (sum: Counts, counts: TierCounts): void => {
  for (const tier of Object.keys(sum) as (keyof TierCounts)[]) sum[tier] += counts[tier]
}

/** The columns of all open batches one after the other, in `into`; the column itself where there is one open batch. */
const joined = <Column extends Uint8Array | Float64Array>(
  openBatches: readonly OpenBatch[],
  columnOf: (openBatch: OpenBatch) => Column,
  into: Column,
  size: number,
): Column => {
  if (openBatches.length === 1) return columnOf(openBatches[0]!)
  for (const [k, openBatch] of openBatches.entries()) into.set(columnOf(openBatch), k * size)
  return into
}

const exitsOf = (openBatches: readonly OpenBatch[], reasons: ExitReasons): Record<string, number> => {
  const all: Record<string, number> = {}
  for (const openBatch of openBatches)
    for (const [reason, count] of Object.entries(reasons.count(executedReasons(openBatch))))
      all[reason] = (all[reason] ?? 0) + count
  return all
}

/** The journal's access list (addresses and keys without 0x) in the form of EIP-2930. */
export const accessEntries = (
  journal: ReadonlyMap<string, ReadonlySet<string>>,
  excluded: ReadonlySet<string>,
  withoutSlots: string,
): AccessListEntry[] => {
  const entries: AccessListEntry[] = []
  for (const [bare, keys] of journal) {
    const address = `0x${bare}`
    if (excluded.has(address) || (address === withoutSlots && keys.size === 0)) continue
    entries.push({ address, storageKeys: [...keys].map((key) => `0x${key}`).sort() })
  }
  return entries.sort((a, b) => (a.address < b.address ? -1 : 1))
}
