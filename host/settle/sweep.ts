import { VM_EXITS } from '../../transpiler/layout/lane_vm.ts'
import { ACCOUNT_FLAG_EXISTS } from '../../transpiler/layout/tables.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { EXIT_NONE, MISSING } from '../../transpiler/path_kernel.ts'
import { type Fork, isAtLeast, valueAt } from '../../transpiler/spec/forks.ts'
import { MAX_REFUND_QUOTIENT_BY_FORK } from '../../transpiler/spec/gas.ts'
import {
  OUTCOME_CPU,
  OUTCOME_LANE,
  OUTCOME_NONE,
  OUTCOME_REJECTED,
  OUTCOME_TRANSFER,
  OUTCOME_VM,
  type Schedule,
  TIER_CPU,
  TIER_LANE,
  TIER_VM,
} from '../batch/open_batch.ts'
import type { ExitReasons } from '../batch/reason.ts'
import { TYPE_DEPOSIT } from '../chain/batch.ts'
import { REJECTION, type Rejection } from '../chain/rejection.ts'
import { quantityToBigInt, wordCompare, wordIsZero, wordSub } from '../primitives/word.ts'
import {
  type AccountTable,
  HOST_CODE,
  HOST_LIMBS,
  HOST_MARKS,
  MARK_NEW_CODE,
  ROW_BALANCE,
  ROW_FLAGS,
  ROW_LIMBS,
  STATE_RETIRED,
} from '../state/tables/account_table.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import type { SlotTable } from '../state/tables/slot_table.ts'
import { vmExit, vmGasLeft, vmRefund } from '../tiers/lane_vm/executions.ts'
import { VM_HOLDS, VmStore } from '../tiers/lane_vm/held.ts'
import type { LaneGroup } from '../tiers/path/columns.ts'
import { laneReadsHold, laneSlot, laneWord, storeLane } from '../tiers/path/executions.ts'
import { InnerTransfers } from '../tiers/path/inner_transfers.ts'
import { COLUMN_LIMBS, USE_BALANCE, USE_CODE } from '../tiers/path/plan.ts'
import { callsEmptyPrecompile } from '../tiers/path/precompile_accounts.ts'
import { BlockGas } from './block_gas.ts'
import type { ChangeRecorder } from './change_recorder.ts'
import { credit, debit, FeeSum } from './fees.ts'

/**
 * The last pass over a batch: every transaction in order, over the running values of the tables.
 *
 * At its place a transaction meets exactly the state that serial execution gives it, so here the conditions on nonce,
 * balance, code and block gas are decided, fees and values move, and the writes of a device execution enter the tables
 * when every value that it read still stands. `advance` stops at a transaction that it cannot finish: one meant for the
 * CPU tier, or a device execution that no longer holds. The caller runs that one on the CPU tier and goes on behind it.
 *
 * Credits and debits (fees, values) are running sums here: they depend on nothing and make nothing depend on them but
 * conditions at their own place. Cost: see docs/benchmarks.md (stage `commit`).
 */
export class Sweep {
  readonly #schedule: Schedule
  readonly #accounts: AccountTable
  readonly #slots: SlotTable
  readonly #reasons: SweepReasons
  /** Where accounts that run another one's code may send (EIP-7702): the codes by id; undefined before Prague. */
  readonly #delegations: ResidentState['codes'] | undefined
  /** Address's newer account id, by the id at routing; undefined until an account was made anew. */
  #renewed: Map<number, number> | undefined
  /** Notes what transactions do, where somebody asked for it. */
  recorder: ChangeRecorder | undefined
  /** Set once a code changed in this batch. */
  codeChanged = false
  #blobGasUsed = 0
  readonly #fees = new FeeSum()
  readonly #transfers: InnerTransfers
  readonly #vm: VmStore
  /** Reasons by what of a lane of the lane VM does not hold (held.ts). */
  readonly #vmReasons: readonly number[]
  readonly #blockGas: BlockGas
  readonly #refundQuotient: number
  readonly #touchMakes: boolean

  constructor(fork: Fork, schedule: Schedule, resident: ResidentState, reasons: ExitReasons) {
    this.#schedule = schedule
    this.#accounts = resident.accounts
    this.#slots = resident.slots
    this.#transfers = new InnerTransfers(resident.accounts)
    this.#vm = new VmStore(schedule, resident)
    this.#reasons = {
      conflict: reasons.code('conflict'),
      balance: reasons.code('balance conflict'),
      code: reasons.code('code conflict'),
      own: reasons.code('own balance'),
      empty: reasons.code('empty account'),
      unlisted: reasons.code('unlisted read'),
    }
    const { conflict, balance, code, empty } = this.#reasons
    this.#vmReasons = [0, conflict, balance, code, empty]
    this.#delegations = isAtLeast(fork, 'prague') ? resident.codes : undefined
    this.#refundQuotient = valueAt(MAX_REFUND_QUOTIENT_BY_FORK, fork)
    this.#blockGas = new BlockGas(schedule.env.gasLimit)
    this.#touchMakes = !isAtLeast(fork, 'spuriousDragon')
  }

  /** The present id of the account that had `id` at routing. */
  current(id: number): number {
    if (this.#renewed === undefined) return id
    let at = id
    for (let next = this.#renewed.get(at); next !== undefined; next = this.#renewed.get(at)) at = next
    return at
  }

  renew(from: number, to: number): void {
    this.#renewed ??= new Map()
    this.#renewed.set(from, to)
    this.codeChanged = true
  }

  /** Finishes transactions from `first` on; returns the first that it cannot finish, or `end`. */
  advance(first: number, end: number): number {
    const schedule = this.#schedule
    const accounts = this.#accounts
    const { batch, rules, tier, outcome, gasUsed, rejections, lanes, groups, laneGroups, vmGroups } = schedule
    const { rows, hosts } = accounts
    const { nonce, value } = batch
    const { gasLimit, cost, price, priority, intrinsic, floor, rejection, blobGas } = rules
    const hasBlobs = blobGas.length !== 0
    const moved = this.#renewed !== undefined
    const delegations = this.#delegations
    const fees = this.#fees
    const coinbase = this.current(schedule.coinbaseId)
    const openFees = { coinbase, settle: () => this.#settleFees() }
    const block = this.#blockGas
    let i = first
    for (; i < end; i++) {
      if (outcome[i] !== OUTCOME_NONE) continue
      const from = moved ? this.current(schedule.fromIds[i]!) : schedule.fromIds[i]!
      const sender = from * ROW_LIMBS
      const account = from * HOST_LIMBS
      const at = i * LIMBS_PER_WORD
      if (from === coinbase) this.#settleFees()

      let refusal = 0
      if (batch.type[i] === TYPE_DEPOSIT) {
        const { deposit } = batch.extras.get(i)!
        if (!deposit!.isSystem && block.used + gasLimit[i]! > block.sure && !this.#fits(i))
          refusal = REJECTION.gasLimitReached
      } else if (hasBlobs && this.#blobGasUsed + blobGas[i]! > rules.maxBlobGas) refusal = REJECTION.blobGasReached
      else if (hosts[account] !== nonce[2 * i] || hosts[account + 1] !== nonce[2 * i + 1])
        refusal = nonceRefusal(hosts, account, nonce, 2 * i)
      else if (
        hosts[account + HOST_CODE] !== 0 &&
        (delegations === undefined || !delegations.codes[hosts[account + HOST_CODE]!]!.delegation)
      )
        refusal = REJECTION.senderNotEoa
      else if (wordCompare(rows, sender + ROW_BALANCE, cost, at) < 0) refusal = REJECTION.insufficientFunds
      else if (block.used + gasLimit[i]! > block.sure && !this.#fits(i)) refusal = REJECTION.gasLimitReached
      const fixed = rejection[i]!
      if (refusal !== 0 || fixed !== 0) {
        rejections[i] = refusal === 0 || (fixed !== 0 && fixed < refusal) ? fixed : refusal
        outcome[i] = OUTCOME_REJECTED
        continue
      }
      const kind = tier[i]
      if (kind === TIER_CPU) break

      const to = moved ? this.current(schedule.toIds[i]!) : schedule.toIds[i]!
      if (this.codeChanged && hosts[to * HOST_LIMBS + HOST_CODE] !== schedule.toCodes[i]) {
        schedule.reasons[i] = this.#reasons.code
        break
      }
      let gas = intrinsic[i]!
      let credited = true
      let paid = false
      if (kind === TIER_LANE) {
        const group = laneGroups[groups[i]!]!
        const lane = lanes[i]!
        const out = group.lanesOut
        const head = lane * COLUMN_LIMBS
        if (out[head] !== EXIT_NONE) break
        if (this.recorder !== undefined && group.plan.kernel.looseLookups === true) {
          tier[i] = TIER_CPU
          schedule.reasons[i] = this.#reasons.unlisted
          break
        }
        const broken = this.#brokenRead(group, lane, from, to)
        if (broken !== 0) {
          schedule.reasons[i] = broken
          break
        }
        credited = group.plan.succeeds
        gas += out[head + 1]!
        const refund = out[head + 2]!
        if (refund !== 0) gas -= Math.min(refund, Math.floor(gas / this.#refundQuotient))
        if (this.recorder !== undefined) this.recorder.open(from, to, coinbase, group, lane)
        const pays = group.plan.transferColumns.length !== 0
        if (pays && !this.#payInside(group, lane, from, to, at)) {
          schedule.reasons[i] = this.#reasons.balance
          this.recorder?.take()
          break
        }
        paid = pays && credited
        if (credited) storeLane(group, lane, this.#slots)
        outcome[i] = OUTCOME_LANE
      } else if (kind === TIER_VM) {
        const group = vmGroups[groups[i]!]!
        const lane = lanes[i]!
        const broken = this.#vm.broken(group, lane, i, from, openFees)
        if (broken !== VM_HOLDS) {
          schedule.reasons[i] = this.#vmReasons[broken]!
          break
        }
        const exit = vmExit(group, lane)
        gas += schedule.executionGas[i]! - (exit === VM_EXITS.halted ? 0 : vmGasLeft(group, lane))
        this.recorder?.openVm(from, to, coinbase, group, lane)
        if (exit === VM_EXITS.succeeded) {
          gas -= Math.min(vmRefund(group, lane), Math.floor(gas / this.#refundQuotient))
          this.#vm.store(group, lane)
        }
        // Its value is in what it stored.
        credited = false
        outcome[i] = OUTCOME_VM
      } else {
        if (this.recorder !== undefined) this.recorder.open(from, to, coinbase)
        outcome[i] = OUTCOME_TRANSFER
      }
      if (gas < floor[i]!) gas = floor[i]!
      gasUsed[i] = gas
      block.used += gas

      if (hosts[account + HOST_MARKS] === 0) accounts.write(from)
      debit(rows, sender + ROW_BALANCE, price, at, gas, credited ? value : nothing, credited ? at : 0)
      if (hasBlobs) this.#payBlobs(i, sender + ROW_BALANCE)
      const nextNonce = hosts[account]! + 1
      hosts[account] = nextNonce
      if (nextNonce > 0xffff_ffff) hosts[account + 1] = hosts[account + 1]! + 1
      rows[sender + ROW_FLAGS] = rows[sender + ROW_FLAGS]! | ACCOUNT_FLAG_EXISTS
      if (credited && !paid) {
        if (!wordIsZero(value, at)) {
          const target = to * ROW_LIMBS
          if (hosts[to * HOST_LIMBS + HOST_MARKS] === 0) accounts.write(to)
          credit(rows, target + ROW_BALANCE, value, at)
          rows[target + ROW_FLAGS] = rows[target + ROW_FLAGS]! | ACCOUNT_FLAG_EXISTS
        } else if (hosts[to * HOST_LIMBS + HOST_CODE] === 0) this.#touch(to)
      }
      fees.add(priority, at, gas)
      if (fees.isZero) this.#touch(coinbase)
      if (this.recorder !== undefined) {
        this.#settleFees()
        this.recorder.close(i)
      }
    }
    this.#settleFees()
    return i
  }

  /** Whether transaction i fits into the block where doubles do not say so. */
  #fits(i: number): boolean {
    return this.#blockGas.fits(quantityToBigInt(this.#schedule.batch.gasLimit, 2 * i))
  }

  /** Blob gas is burnt, beside the gas (EIP-4844). */
  #payBlobs(i: number, balance: number): void {
    const { blobGas, blobFee } = this.#schedule.rules
    const { rows } = this.#accounts
    wordSub(rows, balance, rows, balance, blobFee, i * LIMBS_PER_WORD)
    this.#blobGasUsed += blobGas[i]!
  }

  /** Transaction i was executed by the CPU tier and its writes are entered. */
  finish(i: number, gasUsed: bigint): void {
    const { blobGas } = this.#schedule.rules
    if (blobGas.length !== 0) this.#blobGasUsed += blobGas[i]!
    this.#schedule.outcome[i] = OUTCOME_CPU
    this.#schedule.gasUsed[i] = Number(gasUsed)
    this.#blockGas.add(gasUsed)
  }

  reject(i: number, rejection: Rejection): void {
    this.#schedule.outcome[i] = OUTCOME_REJECTED
    this.#schedule.rejections[i] = rejection
  }

  /** Credits the coinbase; even a credit of zero touches it (EIP-161). */
  payCoinbase(amount: Uint32Array, at: number): void {
    this.#fees.addWord(amount, at)
    if (this.#fees.isZero) this.#touch(this.current(this.#schedule.coinbaseId))
    else this.#settleFees()
  }

  #settleFees(): void {
    if (this.#fees.isZero) return
    const id = this.current(this.#schedule.coinbaseId)
    const { rows } = this.#accounts
    this.#accounts.write(id)
    this.#fees.settle(rows, id * ROW_LIMBS + ROW_BALANCE)
    rows[id * ROW_LIMBS + ROW_FLAGS] = rows[id * ROW_LIMBS + ROW_FLAGS]! | ACCOUNT_FLAG_EXISTS
  }

  /** EIP-161: an empty account that is touched ceases to exist; before that, one that is touched comes into being. */
  #touch(id: number): void {
    const accounts = this.#accounts
    if (this.#touchMakes) {
      if (accounts.exists(id)) return
      accounts.write(id)
      accounts.setExists(id, true)
      return
    }
    if (!accounts.isEmpty(id)) return
    accounts.write(id)
    accounts.setExists(id, false)
  }

  /** Moves the value of the transaction and of its calls; false, with nothing moved, where a payer lacks its amount. */
  #payInside(group: LaneGroup, lane: number, from: number, to: number, at: number): boolean {
    // An account that calls itself pays and is paid in one: the CPU tier knows in which order.
    if (from === to) return false
    this.#settleFees()
    return this.#transfers.apply(group, lane, to, this.#schedule.batch.value, at)
  }

  /** The reason why the lane's execution does not hold at this place, 0 where it does. */
  #brokenRead(group: LaneGroup, lane: number, from: number, to: number): number {
    const { plan } = group
    if (!laneReadsHold(group, lane, this.#slots)) return this.#reasons.conflict
    if (this.#renewed !== undefined && this.#readsRetired(group, lane)) return this.#reasons.code
    if (plan.precompiles.length !== 0 && callsEmptyPrecompile(plan, this.#accounts)) return this.#reasons.empty
    if (plan.kernel.readsEntryBalance || plan.accounts.count !== 0) {
      this.#settleFees()
      if (!this.#balanceHolds(group, lane, plan.entryBalanceColumn, to)) return this.#reasons.balance
      return this.#brokenAccount(group, lane, from)
    }
    return 0
  }

  #brokenAccount(group: LaneGroup, lane: number, from: number): number {
    const { plan, lanesOut, laneCount } = group
    const accounts = this.#accounts
    const { columns, components, count } = plan.accounts
    for (let k = 0; k < count; k++) {
      const id = lanesOut[(columns[k]! * laneCount + lane) * COLUMN_LIMBS + components[k]!]!
      if (id === MISSING) return this.#reasons.code
      const use = plan.accountUse[k]!
      // That the sender exists no path asks: its nonce has made it exist.
      if (id === from && (use & USE_BALANCE) !== 0) return this.#reasons.own
      if (accounts.isEmpty(id)) return this.#reasons.empty
      const expected = plan.accountExists[k]!
      if (expected >= 0 && accounts.exists(id) !== (expected === 1)) return this.#reasons.code
      if (!accounts.isWritten(id)) continue
      if ((accounts.states[id]! & STATE_RETIRED) !== 0) return this.#reasons.code
      if ((use & USE_CODE) !== 0 && (accounts.hosts[id * HOST_LIMBS + HOST_MARKS]! & MARK_NEW_CODE) !== 0)
        return this.#reasons.code
      if (!this.#balanceHolds(group, lane, plan.balanceColumns[k]!, id)) return this.#reasons.balance
    }
    return 0
  }

  /** Whether the balance that a lane read of account `id`, a word at `column`, is the present one; -1: it read none. */
  #balanceHolds(group: LaneGroup, lane: number, column: number, id: number): boolean {
    if (column < 0 || !this.#accounts.isWritten(id)) return true
    laneWord(group, lane, column, balance)
    return wordCompare(this.#accounts.rows, id * ROW_LIMBS + ROW_BALANCE, balance, 0) === 0
  }

  /** Whether a slot of the lane belongs to an account that was made anew in this batch. */
  #readsRetired(group: LaneGroup, lane: number): boolean {
    for (let k = 0; k < group.plan.slots.count; k++) {
      const owner = this.#slots.owners[laneSlot(group, lane, k)]!
      if ((this.#accounts.states[owner]! & STATE_RETIRED) !== 0) return true
    }
    return false
  }
}

interface SweepReasons {
  readonly conflict: number
  readonly balance: number
  readonly code: number
  readonly own: number
  readonly empty: number
  readonly unlisted: number
}

const nothing = new Uint32Array(LIMBS_PER_WORD)
const balance = new Uint32Array(LIMBS_PER_WORD)

const nonceRefusal = (have: Uint32Array, hi: number, given: Uint32Array, gi: number): number => {
  const high = given[gi + 1]! - have[hi + 1]!
  return (high !== 0 ? high : given[gi]! - have[hi]!) < 0 ? REJECTION.nonceTooLow : REJECTION.nonceTooHigh
}
