import {
  ENTRY_BALANCE,
  ENTRY_EXISTS,
  ENTRY_READ,
  ENTRY_SEEN,
  RECORD_BEFORE_AT,
  RECORD_LEAST_AT,
  RECORD_PRESENT_AT,
  SLOT_READ,
  SLOT_VECTORS,
  VM_ACCOUNT_VECTORS,
} from '../../../transpiler/layout/lane_vm.ts'
import { ACCOUNT_FLAG_EXISTS } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { Place } from '../../batch/executions.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import { wordAdd, wordCompare, wordCopy, wordEquals, wordMulNumber, wordSub } from '../../primitives/word.ts'
import {
  type AccountTable,
  HOST_CODE,
  HOST_LIMBS,
  ROW_BALANCE,
  ROW_FLAGS,
  ROW_LIMBS,
  STATE_RETIRED,
} from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { SlotTable } from '../../state/tables/slot_table.ts'
import { type VmGroup, vmAccountCount, vmAccountsAt, vmNextRecord, vmSlotCount, vmSlotsAt } from './group.ts'

/** Limbs of the words of a record (transpiler/layout/lane_vm.ts). */
export const RECORD_BEFORE = 4 * RECORD_BEFORE_AT
export const RECORD_PRESENT = 4 * RECORD_PRESENT_AT
const RECORD_LEAST = 4 * RECORD_LEAST_AT

/** Whether a held slot has another value than before. */
export const slotIsChanged = (records: Uint32Array, at: number): boolean => records[at + 3] === SLOT_VECTORS
/** Whether a held account has its balances: those of others neither changed nor mattered. */
const accountIsWhole = (records: Uint32Array, at: number): boolean => records[at + 3] === VM_ACCOUNT_VECTORS

/** What of a lane's records does not hold. */
const VM_HOLDS = 0
export const VM_SLOT = 1
export const VM_BALANCE = 2
/** Code or existence of an account, or the account is another one by now. */
export const VM_CODE = 3
/** An account exists and is empty (EIP-161), which a lane does not see. */
export const VM_EMPTY = 4
export type VmBreak = 0 | 1 | 2 | 3 | 4

/** Of a pass in which fees are settled late. */
type OpenFees = Pick<Place, 'coinbase' | 'vaults' | 'settleFees'>

const paid = new Uint32Array(LIMBS_PER_WORD)
const now = new Uint32Array(LIMBS_PER_WORD)
const moved = new Uint32Array(LIMBS_PER_WORD)
const needed = new Uint32Array(LIMBS_PER_WORD)

/**
 * Holds the records of executions of the lane VM against the running values of the tables, and enters what they
 * changed.
 */
export class VmStore {
  readonly #openBatch: OpenBatch
  readonly #accounts: AccountTable
  readonly #slots: SlotTable

  constructor(openBatch: OpenBatch, { accounts, slots }: ResidentState) {
    this.#openBatch = openBatch
    this.#accounts = accounts
    this.#slots = slots
  }

  /**
   * What keeps a lane's execution of transaction i from standing on the running values, in which the fees so far are
   * settled, or are when `fees` is asked. `from`: the sender's present id.
   */
  broken(group: VmGroup, lane: number, i: number, from: number, fees?: OpenFees): VmBreak {
    return this.#brokenSlot(group, lane) || this.brokenAccount(group, lane, i, from, fees)
  }

  /**
   * Enters the slots and balances of a lane that succeeded. The value of the transaction is in them; what the sender
   * pays for gas is not.
   */
  store(group: VmGroup, lane: number): void {
    const { records } = group
    const slots = this.#slots
    let at = vmSlotsAt(group, lane)
    for (let n = vmSlotCount(group, lane); n > 0; n--, at = vmNextRecord(records, at)) {
      if (!slotIsChanged(records, at)) continue
      const slot = records[at]!
      slots.write(slot)
      wordCopy(slots.values, slot * LIMBS_PER_WORD, records, at + RECORD_PRESENT)
    }
    const accounts = this.#accounts
    for (let n = vmAccountCount(group, lane); n > 0; n--, at = vmNextRecord(records, at)) {
      if (!accountIsWhole(records, at) || wordEquals(records, at + RECORD_BEFORE, records, at + RECORD_PRESENT))
        continue
      const id = records[at]!
      const row = id * ROW_LIMBS
      accounts.write(id)
      wordSub(moved, 0, records, at + RECORD_PRESENT, records, at + RECORD_BEFORE)
      wordAdd(accounts.rows, row + ROW_BALANCE, accounts.rows, row + ROW_BALANCE, moved, 0)
      accounts.rows[row + ROW_FLAGS]! |= ACCOUNT_FLAG_EXISTS
    }
  }

  #brokenSlot(group: VmGroup, lane: number): VmBreak {
    const { records } = group
    const { values, owners } = this.#slots
    const { states, renewed } = this.#accounts
    let at = vmSlotsAt(group, lane)
    for (let n = vmSlotCount(group, lane); n > 0; n--, at = vmNextRecord(records, at)) {
      if ((records[at + 1]! & SLOT_READ) === 0) continue
      const slot = records[at]!
      if (!wordEquals(records, at + RECORD_BEFORE, values, slot * LIMBS_PER_WORD)) return VM_SLOT
      if (renewed && (states[owners[slot]!]! & STATE_RETIRED) !== 0) return VM_CODE
    }
    return VM_HOLDS
  }

  /** The same for its accounts alone. */
  brokenAccount(group: VmGroup, lane: number, i: number, from: number, fees?: OpenFees): VmBreak {
    const { records } = group
    const accounts = this.#accounts
    const { hosts, states, renewed } = accounts
    let at = vmAccountsAt(group, lane)
    for (let n = vmAccountCount(group, lane); n > 0; n--, at = vmNextRecord(records, at)) {
      const id = records[at]!
      const flags = records[at + 1]!
      if (fees !== undefined && (flags & ENTRY_SEEN) !== 0 && (id === fees.coinbase || fees.vaults.includes(id)))
        fees.settleFees()
      if (renewed && (states[id]! & STATE_RETIRED) !== 0) return VM_CODE
      if ((flags & ENTRY_READ) !== 0 && hosts[id * HOST_LIMBS + HOST_CODE] !== records[at + 2]) return VM_CODE
      // At its execution the sender has a nonce, so it exists and is not empty.
      if (id !== from) {
        const exists = accounts.exists(id)
        if ((flags & ENTRY_READ) !== 0 && exists !== ((flags & ENTRY_EXISTS) !== 0)) return VM_CODE
        if ((flags & ENTRY_SEEN) !== 0 && accounts.isEmpty(id)) return VM_EMPTY
      }
      if (accountIsWhole(records, at) && !this.#balanceHolds(records, at, i, from)) return VM_BALANCE
    }
    return VM_HOLDS
  }

  /**
   * Whether the lane would have gone the same way on the present balance of the account whose record is at
   * `records[at]`.
   */
  #balanceHolds(records: Uint32Array, at: number, i: number, from: number): boolean {
    const { rows } = this.#accounts
    const { batch } = this.#openBatch
    const id = records[at]!
    const balance = id * ROW_LIMBS + ROW_BALANCE
    if (id === from) {
      upfrontCost(this.#openBatch, i, paid, 0)
      wordSub(now, 0, rows, balance, paid, 0)
    } else wordCopy(now, 0, rows, balance)
    if (wordEquals(now, 0, records, at + RECORD_BEFORE)) return true
    if ((records[at + 1]! & ENTRY_BALANCE) !== 0) return false
    // The value is paid unseen. Where the lane lacked it, the balance passed zero and its least says nothing.
    if (id === from && wordCompare(records, at + RECORD_BEFORE, batch.value, i * LIMBS_PER_WORD) < 0) return false
    wordSub(needed, 0, records, at + RECORD_BEFORE, records, at + RECORD_LEAST)
    return wordCompare(now, 0, needed, 0) >= 0
  }
}

/**
 * dst = wei that the sender of transaction i pays before its first step: gas limit * effective price, and what is paid
 * beside it. The gas limit is below 2^32.
 */
const upfrontCost = ({ rules }: Pick<OpenBatch, 'rules'>, i: number, dst: Uint32Array, di: number): void => {
  const { price, gasLimit, extraFee } = rules
  wordMulNumber(dst, di, price, i * LIMBS_PER_WORD, gasLimit[i]!)
  if (extraFee.length !== 0) wordAdd(dst, di, dst, di, extraFee, i * LIMBS_PER_WORD)
}
