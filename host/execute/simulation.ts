import { bytesToHex } from '../block/encode_batch.ts'
import { type Log, Receipts } from '../block/receipts.ts'
import { REJECTION, type Rejection, rejectionText } from '../block/rejection.ts'
import { revertReason } from '../block/revert_reason.ts'
import type { ResidentState } from '../state/resident_state.ts'
import type { TierCounts } from './executor.ts'
import type { ExitReasons } from './exit_reason.ts'
import { COLUMN_LIMBS } from './path_plan.ts'
import { OUTCOME_CPU, OUTCOME_LANE, OUTCOME_REJECTED, OUTCOME_TRANSFER, type Schedule } from './schedule.ts'

export interface AccessListEntry {
  readonly address: string
  readonly storageKeys: readonly string[]
}

/** One call in object form. Hex is 0x and lower case. */
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

export type SimulationTier = 'path' | 'transfer' | 'cpu' | 'none'

/** Wall milliseconds by stage; their sum and compileMs are the whole call. */
export interface SimulationTimings {
  /** Static rules, callers and called accounts, tiers and path keys. */
  route: number
  /** Waiting for the device: what the host does beside it is not in here. */
  device: number
  /** Deciding for each lane whether its result stands. */
  judge: number
  cpu: number
}

/** What an access list is made with: the calls again on the CPU tier, while nothing was committed since. */
export type AccessLists = (index: number) => Promise<readonly AccessListEntry[]>

export interface SimulationParts {
  readonly bundleStart: Uint32Array
  readonly timings: SimulationTimings
  readonly compileMs: number
  readonly faults: readonly string[]
  readonly accessLists: AccessLists
}

/**
 * The results of simulated calls as columns; logs, output and objects are made on demand. Call i:
 *
 * status         u8[n]   1 success, 0 revert or halt, 2 could not start
 * gasUsed        f64[n]  as a transaction pays it; 0 where it could not start
 * gasRefund      f64[n]  refund counter at the end, before its cap
 * bundleStart    u32[bundles + 1]   the calls of bundle b are bundleStart[b] .. bundleStart[b + 1], in order
 */
export class Simulation {
  readonly count: number
  readonly status: Uint8Array
  readonly gasUsed: Float64Array
  readonly gasRefund: Float64Array
  readonly bundleStart: Uint32Array
  readonly tiers: TierCounts
  /** Calls that the CPU tier executed, by why. */
  readonly exits: Readonly<Record<string, number>>
  readonly timings: SimulationTimings
  readonly compileMs: number
  readonly faults: readonly string[]
  readonly #schedule: Schedule
  readonly #reasons: ExitReasons
  readonly #receipts: Receipts
  readonly #accessLists: AccessLists

  constructor(schedule: Schedule, resident: ResidentState, reasons: ExitReasons, parts: SimulationParts) {
    const { batch, outcome } = schedule
    this.count = batch.count
    this.#schedule = schedule
    this.#reasons = reasons
    this.#receipts = receiptsOf(schedule, resident)
    this.#accessLists = parts.accessLists
    this.status = this.#receipts.status
    this.gasUsed = this.#receipts.gasUsed
    this.gasRefund = refundsOf(schedule)
    this.bundleStart = parts.bundleStart
    this.timings = parts.timings
    this.compileMs = parts.compileMs
    this.faults = parts.faults
    const counts = [0, 0, 0, 0, 0]
    for (let i = 0; i < outcome.length; i++) counts[outcome[i]!]!++
    this.tiers = {
      pathKernel: counts[OUTCOME_LANE]!,
      pathProgram: 0,
      laneVm: 0,
      transfer: counts[OUTCOME_TRANSFER]!,
      cpu: counts[OUTCOME_CPU]!,
    }
    this.exits = reasons.count(schedule.reasons.map((reason, i) => (outcome[i] === OUTCOME_CPU ? reason : 0)))
  }

  get(i: number): SimulatedCall {
    const output = this.output(i)
    const status = this.status[i]!
    const reason = this.revertReason(i)
    const createdAddress = this.createdAddress(i)
    const rejection = this.rejection(i)
    const exitReason = this.exitReason(i)
    return {
      status: status > 1 ? undefined : (status as 0 | 1),
      gasUsed: BigInt(this.gasUsed[i]!),
      output: bytesToHex(output),
      logs: this.logs(i),
      tier: this.tier(i),
      ...(reason === undefined ? {} : { revertReason: reason }),
      ...(createdAddress === undefined ? {} : { createdAddress }),
      ...(rejection === undefined ? {} : { rejection }),
      ...(exitReason === undefined ? {} : { exitReason }),
    }
  }

  /** Return or revert data. */
  output(i: number): Uint8Array {
    return this.#receipts.output(this.#checked(i))
  }

  /** None where the call reverted. */
  logs(i: number): readonly Log[] {
    return this.#receipts.logs(this.#checked(i))
  }

  revertReason(i: number): string | undefined {
    return this.status[this.#checked(i)] === 0 ? revertReason(this.output(i)) : undefined
  }

  /** Of a creation that succeeded. */
  createdAddress(i: number): string | undefined {
    return this.#schedule.cpuResults.get(this.#checked(i))?.contractAddress
  }

  rejection(i: number): string | undefined {
    const rejection = this.#receipts.rejection(this.#checked(i))
    return rejection === REJECTION.none ? undefined : rejectionText(rejection)
  }

  tier(i: number): SimulationTier {
    return TIERS[this.#schedule.outcome[this.#checked(i)]!]!
  }

  exitReason(i: number): string | undefined {
    return this.tier(i) === 'cpu' ? this.#reasons.text(this.#schedule.reasons[i]!) : undefined
  }

  /**
   * The accounts and slots that the call touched, as EIP-2930 lists them: without the caller, the precompiles, and the called
   * account where none of its slots was touched. A path keeps only what its outcome depends on, so that the list is made
   * by executing the call once more on the CPU tier. Rejects where the state has moved on since.
   */
  accessList(i: number): Promise<readonly AccessListEntry[]> {
    return this.#accessLists(this.#checked(i))
  }

  #checked(i: number): number {
    if (i < 0 || i >= this.count) throw new RangeError(`no call ${i} among ${this.count}`)
    return i
  }
}

const TIERS: readonly SimulationTier[] = ['none', 'transfer', 'path', 'cpu', 'none']

const receiptsOf = (schedule: Schedule, resident: ResidentState): Receipts => {
  const { batch, outcome, gasUsed, groups, lanes, laneGroups } = schedule
  const receipts = new Receipts(batch)
  const tables = { accountRows: resident.accounts.rows, constants: resident.codes.constants }
  for (const { plan, laneCount, lanesIn, lanesOut } of laneGroups)
    receipts.addGroup({ kernel: plan.kernel, laneCount, lanesIn, lanesOut, tables })
  for (let i = 0; i < batch.count; i++) {
    const what = outcome[i]
    if (what === OUTCOME_LANE) receipts.setLane(i, groups[i]!, lanes[i]!, gasUsed[i]!)
    else if (what === OUTCOME_TRANSFER) receipts.setTransfer(i, gasUsed[i]!)
    else if (what === OUTCOME_CPU) receipts.setCpu(i, schedule.cpuResults.get(i)!)
    else if (what === OUTCOME_REJECTED) receipts.setRejected(i, schedule.rejections[i] as Rejection)
  }
  return receipts
}

const refundsOf = ({ batch, outcome, groups, lanes, laneGroups, cpuResults }: Schedule): Float64Array => {
  const refunds = new Float64Array(batch.count)
  for (let i = 0; i < batch.count; i++) {
    if (outcome[i] === OUTCOME_LANE) refunds[i] = laneGroups[groups[i]!]!.lanesOut[lanes[i]! * COLUMN_LIMBS + 2]!
    else if (outcome[i] === OUTCOME_CPU) refunds[i] = Number(cpuResults.get(i)!.gasRefund ?? 0n)
  }
  return refunds
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
