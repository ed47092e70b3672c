import { VM_EXITS } from '../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { EXIT_NONE, MISSING } from '../../transpiler/path_kernel.ts'
import { type Fork, valueAt } from '../../transpiler/spec/forks.ts'
import { MAX_REFUND_QUOTIENT_BY_FORK } from '../../transpiler/spec/gas.ts'
import {
  OUTCOME_LANE,
  OUTCOME_REJECTED,
  OUTCOME_TRANSFER,
  OUTCOME_VM,
  type Schedule,
  TIER_CPU,
  TIER_LANE,
  TIER_TRANSFER,
  TIER_VM,
} from '../batch/open_batch.ts'
import type { ExitReasons } from '../batch/reason.ts'
import { REJECTION } from '../chain/rejection.ts'
import { wordAdd, wordCompare, wordCopy, wordSub } from '../primitives/word.ts'
import { ROW_BALANCE, ROW_LIMBS } from '../state/tables/account_table.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import { vmExit, vmGasLeft, vmRefund } from '../tiers/lane_vm/executions.ts'
import { VM_BALANCE, VM_EMPTY, VM_HOLDS, VmStore } from '../tiers/lane_vm/held.ts'
import type { LaneGroup } from '../tiers/path/columns.ts'
import { laneWord } from '../tiers/path/executions.ts'
import { COLUMN_LIMBS, USE_BALANCE } from '../tiers/path/plan.ts'

const amount = new Uint32Array(LIMBS_PER_WORD)
const held = new Uint32Array(LIMBS_PER_WORD)

export interface JudgeOptions {
  /** A caller that lacks what its call may cost is refused; else the call has no outcome and tier CPU. */
  readonly checkBalance: boolean
  /** 1 = not to be decided here. */
  readonly left: Uint8Array | undefined
}

/**
 * Decides calls that are independent of each other: each stands on the base values of the tables, so that a lane which ended
 * on its path stands as it is, unless it looked at what its own caller pays. Nothing is written. What is left has no outcome and
 * tier CPU.
 */
export class LaneJudge {
  readonly #schedule: Schedule
  readonly #resident: ResidentState
  readonly #refundQuotient: number
  readonly #own: number
  readonly #empty: number
  readonly #balance: number
  readonly #lent: number
  readonly #conflict: number
  readonly #options: JudgeOptions
  readonly #vm: VmStore

  constructor(fork: Fork, schedule: Schedule, resident: ResidentState, reasons: ExitReasons, options: JudgeOptions) {
    this.#schedule = schedule
    this.#resident = resident
    this.#refundQuotient = valueAt(MAX_REFUND_QUOTIENT_BY_FORK, fork)
    this.#own = reasons.code('own balance')
    this.#empty = reasons.code('empty account')
    this.#balance = reasons.code('balance conflict')
    this.#lent = reasons.code('lent balance')
    this.#conflict = reasons.code('conflict')
    this.#options = options
    this.#vm = new VmStore(schedule, resident)
  }

  /** The calls from `first` to `end`. Those of tier CPU are only looked at for what keeps them from starting. */
  judge(first: number, end: number): void {
    const schedule = this.#schedule
    const { rules, tier, outcome, gasUsed, rejections, fromIds, groups, lanes, laneGroups } = schedule
    const { cost, intrinsic, floor, rejection } = rules
    const { rows } = this.#resident.accounts
    const { checkBalance, left } = this.#options
    for (let i = first; i < end; i++) {
      if (left?.[i] === 1) continue
      if (rejection[i] !== 0) {
        rejections[i] = rejection[i]!
        outcome[i] = OUTCOME_REJECTED
        continue
      }
      if (wordCompare(rows, fromIds[i]! * ROW_LIMBS + ROW_BALANCE, cost, LIMBS_PER_WORD * i) < 0) {
        if (checkBalance) {
          rejections[i] = REJECTION.insufficientFunds
          outcome[i] = OUTCOME_REJECTED
        } else this.#toCpu(i, this.#lent)
        continue
      }
      const kind = tier[i]
      if (kind === TIER_CPU) continue
      let gas = intrinsic[i]!
      if (kind === TIER_LANE) {
        const group = laneGroups[groups[i]!]
        const lane = lanes[i]!
        if (group === undefined || group.lanesOut[lane * COLUMN_LIMBS] !== EXIT_NONE) {
          this.#toCpu(i, schedule.reasons[i]!)
          continue
        }
        const broken = this.#brokenRead(group, lane, i)
        if (broken !== 0) {
          this.#toCpu(i, broken)
          continue
        }
        gas += group.lanesOut[lane * COLUMN_LIMBS + 1]!
        const refund = group.lanesOut[lane * COLUMN_LIMBS + 2]!
        if (refund !== 0) gas -= Math.min(refund, Math.floor(gas / this.#refundQuotient))
        outcome[i] = OUTCOME_LANE
      } else if (kind === TIER_VM) {
        const executed = this.#vmGas(i)
        if (executed === undefined) continue
        gas += executed
        outcome[i] = OUTCOME_VM
      } else if (kind === TIER_TRANSFER) outcome[i] = OUTCOME_TRANSFER
      gasUsed[i] = Math.max(gas, floor[i]!)
    }
  }

  /** Gas of a lane of the lane VM, its refund taken off; undefined where it does not stand and the CPU tier has the call. */
  #vmGas(i: number): number | undefined {
    const { vmGroups, groups, lanes, fromIds, executionGas, rules, reasons } = this.#schedule
    const group = vmGroups[groups[i]!]
    const lane = lanes[i]!
    if (group === undefined) {
      this.#toCpu(i, reasons[i]!)
      return undefined
    }
    const broken = this.#vm.broken(group, lane, i, fromIds[i]!)
    if (broken !== VM_HOLDS) {
      this.#toCpu(i, broken === VM_EMPTY ? this.#empty : broken === VM_BALANCE ? this.#balance : this.#conflict)
      return undefined
    }
    const exit = vmExit(group, lane)
    const gas = executionGas[i]! - (exit === VM_EXITS.halted ? 0 : vmGasLeft(group, lane))
    if (exit !== VM_EXITS.succeeded) return gas
    return gas - Math.min(vmRefund(group, lane), Math.floor((rules.intrinsic[i]! + gas) / this.#refundQuotient))
  }

  #toCpu(i: number, reason: number): void {
    this.#schedule.tier[i] = TIER_CPU
    this.#schedule.reasons[i] = reason
  }

  /** Why the lane's execution does not stand, 0 where it does. */
  #brokenRead(group: LaneGroup, lane: number, i: number): number {
    const { plan, lanesOut, laneCount } = group
    const from = this.#schedule.fromIds[i]!
    const to = this.#schedule.toIds[i]!
    if (plan.kernel.readsEntryBalance && from === to) return this.#own
    const { accounts } = this.#resident
    const { columns, components, count } = plan.accounts
    for (let k = 0; k < count; k++) {
      const id = lanesOut[(columns[k]! * laneCount + lane) * COLUMN_LIMBS + components[k]!]!
      if (id === MISSING) return this.#empty
      if (id === from && (plan.accountUse[k]! & USE_BALANCE) !== 0) return this.#own
      if (accounts.isEmpty(id)) return this.#empty
    }
    if (plan.transferColumns.length === 0) return 0
    if (from === to) return this.#own
    return this.#canPay(group, lane, to, i) ? 0 : this.#balance
  }

  /** Whether every payer of an inner transfer holds the amount at its place in the order, after the value of the call. None is the caller (recorder). */
  #canPay(group: LaneGroup, lane: number, to: number, i: number): boolean {
    const { transferFrom, transferColumns, transferBack } = group.plan
    for (let k = 0; k < transferColumns.length; k++) {
      if (transferBack[k] === 1) continue
      const payer = partyOf(group, lane, transferFrom[k]!, to)
      if (!this.#balanceBefore(group, lane, k, payer, to, i)) return false
      laneWord(group, lane, transferColumns[k]!, amount)
      if (wordCompare(held, 0, amount, 0) < 0) return false
    }
    return true
  }

  /**
   * Leaves in `held` what `payer` has before transfer `k`, all those before having been covered. False where a sum on the
   * way there passes a word.
   */
  #balanceBefore(group: LaneGroup, lane: number, k: number, payer: number, to: number, i: number): boolean {
    const { transferFrom, transferTo, transferColumns } = group.plan
    wordCopy(held, 0, this.#resident.accounts.rows, payer * ROW_LIMBS + ROW_BALANCE)
    if (payer === to && wordAdd(held, 0, held, 0, this.#schedule.batch.value, LIMBS_PER_WORD * i) !== 0) return false
    for (let j = 0; j < k; j++) {
      const pays = partyOf(group, lane, transferFrom[j]!, to) === payer
      const isPaid = partyOf(group, lane, transferTo[j]!, to) === payer
      if (pays === isPaid) continue
      laneWord(group, lane, transferColumns[j]!, amount)
      if (pays) wordSub(held, 0, held, 0, amount, 0)
      else if (wordAdd(held, 0, held, 0, amount, 0) !== 0) return false
    }
    return true
  }
}

/** Account id of account look-up `k` of a lane; -1 is the entry account. */
const partyOf = ({ plan, lanesOut, laneCount }: LaneGroup, lane: number, k: number, entry: number): number => {
  if (k < 0) return entry
  const { columns, components } = plan.accounts
  return lanesOut[(columns[k]! * laneCount + lane) * COLUMN_LIMBS + components[k]!]!
}
