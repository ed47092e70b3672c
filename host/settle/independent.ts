import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type Fork, valueAt } from '../../transpiler/spec/forks.ts'
import { MAX_REFUND_QUOTIENT_BY_FORK } from '../../transpiler/spec/gas.ts'
import type { Place } from '../batch/executions.ts'
import {
  type OpenBatch,
  OUTCOME_EXECUTED,
  OUTCOME_REJECTED,
  STATUS_NONE,
  STATUS_SUCCESS,
  TIER_LAST,
  TIER_NONE,
} from '../batch/open_batch.ts'
import type { ExitReasons } from '../batch/reason.ts'
import { REJECTION } from '../chain/rejection.ts'
import { wordCompare } from '../primitives/word.ts'
import { ROW_BALANCE, ROW_LIMBS } from '../state/tables/account_table.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'

export interface JudgeOptions {
  /** A caller that lacks what its call may cost is refused; else the call has no outcome and tier CPU. */
  readonly checkBalance: boolean
  /** 1 = not to be decided here. */
  readonly left: Uint8Array | undefined
}

/**
 * Decides calls that are independent of each other: each stands on the base values of the tables, so that an execution
 * which ended stands as it is, unless it looked at what its own caller pays. Nothing is written. What is left has no
 * outcome and tier CPU.
 */
export class CallJudge {
  readonly #openBatch: OpenBatch
  readonly #resident: ResidentState
  readonly #refundQuotient: number
  readonly #lent: number
  readonly #options: JudgeOptions

  constructor(fork: Fork, openBatch: OpenBatch, resident: ResidentState, reasons: ExitReasons, options: JudgeOptions) {
    this.#openBatch = openBatch
    this.#resident = resident
    this.#refundQuotient = valueAt(MAX_REFUND_QUOTIENT_BY_FORK, fork)
    this.#lent = reasons.code('lent balance')
    this.#options = options
  }

  /** The calls from `first` to `end`. Those of tier CPU are only looked at for what keeps them from starting. */
  judge(first: number, end: number): void {
    const openBatch = this.#openBatch
    const { rules, tier, outcome, status, gasUsed, rejections, fromIds, executionOf, laneOf } = openBatch
    const { cost, intrinsic, floor, rejection } = rules
    const { rows } = this.#resident.accounts
    const { checkBalance, left } = this.#options
    const place: Place = {
      transaction: 0,
      from: 0,
      to: 0,
      coinbase: openBatch.coinbaseId,
      vaults: openBatch.vaultIds,
      isRecorded: false,
      settleFees() {},
    }
    const reject = (i: number, code: number): void => {
      rejections[i] = code
      outcome[i] = OUTCOME_REJECTED
      status[i] = STATUS_NONE
    }
    for (let i = first; i < end; i++) {
      if (left?.[i] === 1) continue
      if (rejection[i] !== 0) {
        reject(i, rejection[i]!)
        continue
      }
      if (wordCompare(rows, fromIds[i]! * ROW_LIMBS + ROW_BALANCE, cost, LIMBS_PER_WORD * i) < 0) {
        if (checkBalance) reject(i, REJECTION.insufficientFunds)
        else this.#toCpu(i, this.#lent)
        continue
      }
      let gas = intrinsic[i]!
      if (tier[i] === TIER_NONE) status[i] = STATUS_SUCCESS
      else {
        if (status[i] === STATUS_NONE) {
          tier[i] = TIER_LAST
          continue
        }
        place.transaction = i
        place.from = fromIds[i]!
        place.to = openBatch.toIds[i]!
        const broken = openBatch.executions[executionOf[i]!]!.brokenAlone(laneOf[i]!, place)
        if (broken !== 0) {
          this.#toCpu(i, broken)
          continue
        }
        gas += openBatch.gas[i]!
        const refund = openBatch.refund[i]!
        if (refund !== 0) gas -= Math.min(refund, Math.floor(gas / this.#refundQuotient))
      }
      outcome[i] = OUTCOME_EXECUTED
      gasUsed[i] = Math.max(gas, floor[i]!)
    }
  }

  #toCpu(i: number, reason: number): void {
    this.#openBatch.tier[i] = TIER_LAST
    this.#openBatch.status[i] = STATUS_NONE
    this.#openBatch.reasons[i] = reason
  }
}
