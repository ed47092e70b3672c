import { ACCOUNT_FLAG_EXISTS } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { EXIT_NONE, HINT_COLUMNS, MISSING } from '../../../transpiler/path_kernel.ts'
import type { Executions, Place, SlotColumns, TouchVisitor } from '../../batch/executions.ts'
import { executionAt, type OpenBatch, STATUS_FAILURE, STATUS_NONE, STATUS_SUCCESS } from '../../batch/open_batch.ts'
import type { ExitReasons } from '../../batch/reason.ts'
import type { Versions } from '../../batch/versions.ts'
import type { BloomSet } from '../../chain/bloom.ts'
import type { LaneRows } from '../../chain/lane_rows.ts'
import type { Log } from '../../chain/log.ts'
import { wordCompare, wordIsZero, wordSub } from '../../primitives/word.ts'
import {
  type AccountTable,
  HOST_LIMBS,
  HOST_MARKS,
  MARK_NEW_CODE,
  ROW_BALANCE,
  ROW_FLAGS,
  ROW_LIMBS,
  STATE_RETIRED,
} from '../../state/tables/account_table.ts'
import { credit } from '../../state/tables/balances.ts'
import type { CodeTable } from '../../state/tables/code_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { SlotTable } from '../../state/tables/slot_table.ts'
import type { PathGroup } from './columns.ts'
import { canPayAlone, InnerTransfers } from './inner_transfers.ts'
import { LaneLogs } from './lane_logs.ts'
import { laneReadHolds, laneReadsHold, laneSlot, laneStored, laneWord, storeLane } from './lanes.ts'
import { COLUMN_LIMBS, type PathPlan, USE_BALANCE, USE_CODE } from './plan.ts'
import { constantsBases, type DecodedLanes, PathDecoder } from './receipts.ts'

/** Codes of the reasons why a lane's execution does not stand. */
export interface PathReasons {
  readonly conflict: number
  readonly balance: number
  readonly code: number
  readonly own: number
  readonly empty: number
  readonly unlisted: number
}

export const pathReasons = (reasons: ExitReasons): PathReasons => ({
  conflict: reasons.code('conflict'),
  balance: reasons.code('balance conflict'),
  code: reasons.code('code conflict'),
  own: reasons.code('own balance'),
  empty: reasons.code('empty account'),
  unlisted: reasons.code('unlisted read'),
})

/** The executions of one dispatch of one path, on the tables that the batch runs on. */
export class PathExecutions implements Executions {
  readonly group: PathGroup
  readonly #batch: OpenBatch
  readonly #accounts: AccountTable
  readonly #slots: SlotTable
  readonly #codes: CodeTable
  readonly #reasons: PathReasons
  /** Where the path has constants of accounts in its receipts. */
  readonly #bases: Map<number, number> | undefined
  #decoder: PathDecoder | undefined
  #logs: LaneLogs | undefined
  #transfers: InnerTransfers | undefined
  #bloomIndices: Uint32Array | undefined
  /** Null where the path does more than its columns tell. */
  #columns: SlotColumns | null | undefined
  readonly hashed?: Promise<void>

  constructor(batch: OpenBatch, group: PathGroup, { accounts, slots, codes }: ResidentState, reasons: PathReasons) {
    this.#batch = batch
    this.group = group
    this.#accounts = accounts
    this.#slots = slots
    this.#codes = codes
    this.#reasons = reasons
    const { kernel, constantAccounts } = group.plan
    if (constantAccounts.length !== 0)
      this.#bases = constantsBases({ ...group, kernel }, constantAccounts, accounts.rows)
    if (group.bloomIndices !== undefined)
      this.hashed = group.bloomIndices.then((indices) => {
        this.#bloomIndices = indices
      })
  }

  get form(): 'pathKernel' | 'pathProgram' | 'pathHost' {
    const { isProgram, onHost } = this.group
    return isProgram ? 'pathProgram' : onHost ? 'pathHost' : 'pathKernel'
  }

  get movesWei(): boolean {
    return this.group.plan.transferColumns.length !== 0
  }

  get path(): string {
    return this.group.plan.kernel.id
  }

  get columns(): SlotColumns | undefined {
    if (this.#columns === undefined) this.#columns = slotColumns(this.group) ?? null
    return this.#columns ?? undefined
  }

  /** A lane has ended after these executions were made. */
  noteEnded(lane: number): void {
    if (this.#bases === undefined) return
    const { group } = this
    const { kernel, constantAccounts } = group.plan
    constantsBases({ ...group, kernel }, constantAccounts, this.#accounts.rows, lane, lane + 1, this.#bases)
  }

  broken(lane: number, place: Place): number {
    const { group } = this
    const { plan } = group
    if (place.isRecorded && plan.kernel.looseLookups === true) return this.#reasons.unlisted
    if (!laneReadsHold(group, lane, this.#slots)) return this.#reasons.conflict
    if (this.#accounts.renewed && this.#readsRetired(lane)) return this.#reasons.code
    if (plan.precompiles.length !== 0 && callsEmptyPrecompile(plan, this.#accounts)) return this.#reasons.empty
    if (plan.kernel.readsEntryBalance || plan.accounts.count !== 0) {
      // An account that calls itself has paid for the gas, and its value is its own: no path says so.
      if (plan.kernel.readsEntryBalance && place.from === place.to) return this.#reasons.own
      place.settleFees()
      if (!this.#balanceHolds(lane, plan.entryBalanceColumn, place.to)) return this.#reasons.balance
      return this.#brokenAccount(lane, place.from)
    }
    return 0
  }

  brokenAlone(lane: number, { transaction, from, to }: Place): number {
    const { plan } = this.group
    if (plan.kernel.readsEntryBalance && from === to) return this.#reasons.own
    for (let k = 0; k < plan.accounts.count; k++) {
      const id = this.#accountId(lane, k)
      if (id === MISSING) return this.#reasons.empty
      if (id === from && (plan.accountUse[k]! & USE_BALANCE) !== 0) return this.#reasons.own
      if (this.#accounts.isEmpty(id)) return this.#reasons.empty
    }
    if (plan.transferColumns.length === 0) return 0
    if (from === to) return this.#reasons.own
    const { value } = this.#batch.batch
    const pays = canPayAlone(this.group, lane, to, this.#accounts.rows, value, LIMBS_PER_WORD * transaction)
    return pays ? 0 : this.#reasons.balance
  }

  enter(lane: number, place: Place): number {
    const { group } = this
    const { plan } = group
    const { from, to } = place
    const accounts = this.#accounts
    const { value } = this.#batch.batch
    const at = place.transaction * LIMBS_PER_WORD
    if (plan.transferColumns.length !== 0) {
      // An account that calls itself pays and is paid in one: the CPU tier knows in which order.
      if (from === to) return this.#reasons.balance
      place.settleFees()
      this.#transfers ??= new InnerTransfers(accounts)
      if (!this.#transfers.apply(group, lane, to, value, at)) return this.#reasons.balance
    }
    if (!plan.succeeds) return 0
    storeLane(group, lane, this.#slots)
    if (wordIsZero(value, at)) return 0
    const { rows } = accounts
    accounts.write(from)
    wordSub(rows, from * ROW_LIMBS + ROW_BALANCE, rows, from * ROW_LIMBS + ROW_BALANCE, value, at)
    if (plan.transferColumns.length === 0) {
      accounts.write(to)
      credit(rows, to * ROW_LIMBS + ROW_BALANCE, value, at)
      rows[to * ROW_LIMBS + ROW_FLAGS]! |= ACCOUNT_FLAG_EXISTS
    }
    return 0
  }

  touched(lane: number, visit: TouchVisitor): void {
    const { plan } = this.group
    for (let k = 0; k < plan.accounts.count; k++) {
      const id = this.#accountId(lane, k)
      if (id !== MISSING) visit.account(id)
    }
    for (let k = 0; k < plan.slots.count; k++)
      if (plan.memos[k] === undefined) visit.slot(laneSlot(this.group, lane, k))
    for (const low of plan.kernel.precompiles ?? []) visit.precompile(low)
  }

  roundOn(lane: number, versions: Versions): number {
    const { group } = this
    let round = 0
    for (let k = 0; k < group.slotAt.length; k++) {
      const slot = laneSlot(group, lane, k)
      versions.find(slot)
      if (!group.hinted && !versions.isChanged) continue
      if (laneReadHolds(group, lane, k, slot, this.#slots, versions.words, versions.at)) continue
      round = Math.max(round, 1 + versions.round)
    }
    return round
  }

  writeTo(lane: number, versions: Versions): void {
    const { group } = this
    const { storeSlots, storeSigns } = group.plan
    for (let store = 0; store < storeSlots.length; store++) {
      const slot = laneSlot(group, lane, storeSlots[store]!)
      versions.find(slot)
      const { words, at } = versions
      const entry = versions.write(slot, storeSigns[store] !== 0)
      laneStored(group, lane, store, words, at, versions.values, entry)
    }
  }

  logs(lane: number): readonly Log[] {
    return this.#reader().logs(lane, this.#batch.batch.to, this.group.transactions[lane]!)
  }

  addBlooms(rows: LaneRows, blooms: BloomSet): void {
    this.#laneLogs().addBlooms(rows, blooms, this.#bloomIndices)
  }

  markEmitting(rows: LaneRows, address: Uint32Array, marks: Uint8Array): void {
    this.#laneLogs().markEmitting(rows, address, marks)
  }

  logsLengths(rows: LaneRows, lengths: Uint32Array): void {
    this.#laneLogs().lengths(rows, lengths)
  }

  writeLogs(rows: LaneRows, to: Uint8Array, at: Uint32Array): void {
    this.#laneLogs().write(rows, to, at)
  }

  output(lane: number): Uint8Array {
    return this.#reader().output(lane)
  }

  /** A halt has no more than its status. */
  exception(_lane: number): string | undefined {
    return this.group.plan.kernel.status === 'revert' ? 'revert' : undefined
  }

  #reader(): PathDecoder {
    this.#decoder ??= new PathDecoder(this.#decodedLanes())
    return this.#decoder
  }

  #laneLogs(): LaneLogs {
    this.#logs ??= new LaneLogs(this.#decodedLanes(), this.#batch.batch.to)
    return this.#logs
  }

  #decodedLanes(): DecodedLanes {
    const { plan, laneCount, lanesIn, lanesOut } = this.group
    const tables = { accountRows: this.#accounts.rows, constants: this.#codes.constants }
    return { kernel: plan.kernel, laneCount, lanesIn, lanesOut, tables, bases: this.#bases }
  }

  #accountId(lane: number, k: number): number {
    const { plan, lanesOut, laneCount } = this.group
    const { columns, components } = plan.accounts
    return lanesOut[(columns[k]! * laneCount + lane) * COLUMN_LIMBS + components[k]!]!
  }

  #brokenAccount(lane: number, from: number): number {
    const { plan } = this.group
    const accounts = this.#accounts
    for (let k = 0; k < plan.accounts.count; k++) {
      const id = this.#accountId(lane, k)
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
      if (!this.#balanceHolds(lane, plan.balanceColumns[k]!, id)) return this.#reasons.balance
    }
    return 0
  }

  /** Whether the balance that a lane read of account `id`, a word at `column`, is the present one; -1: it read none. */
  #balanceHolds(lane: number, column: number, id: number): boolean {
    if (column < 0 || !this.#accounts.isWritten(id)) return true
    laneWord(this.group, lane, column, balance)
    return wordCompare(this.#accounts.rows, id * ROW_LIMBS + ROW_BALANCE, balance, 0) === 0
  }

  /** Whether a slot of the lane belongs to an account that was made anew in this batch. */
  #readsRetired(lane: number): boolean {
    for (let k = 0; k < this.group.plan.slots.count; k++) {
      const owner = this.#slots.owners[laneSlot(this.group, lane, k)]!
      if ((this.#accounts.states[owner]! & STATE_RETIRED) !== 0) return true
    }
    return false
  }
}

const balance = new Uint32Array(LIMBS_PER_WORD)

/** Undefined where lanes of the path look at accounts, move ether, or call precompiles. */
const slotColumns = (group: PathGroup): SlotColumns | undefined => {
  const { plan, laneCount, lanesIn, lanesOut, onDevice, slotAt, storeAt, hinted } = group
  const { kernel, accounts, transferColumns, precompiles } = plan
  if (kernel.readsEntryBalance || accounts.count + transferColumns.length + precompiles.length !== 0) return undefined
  const { storeSlots, storeSigns, storeConditions, deltaStores, succeeds } = plan
  const hintAt = hinted
    ? slotAt.map((_, k) => (kernel.hintColumn + HINT_COLUMNS * k) * laneCount * COLUMN_LIMBS)
    : undefined
  const stores = { storeAt, storeSlots, storeSigns, storeConditions, deltaStores }
  return { laneCount, lanesIn, lanesOut, onDevice, slotAt, hintAt, ...stores, succeeds }
}

/** Whether an account that the path touches as a precompile exists and is empty. All of them are resident. */
const callsEmptyPrecompile = ({ precompiles }: PathPlan, accounts: AccountTable): boolean => {
  for (let at = 0; at < precompiles.length; at += LIMBS_PER_ADDRESS)
    if (accounts.isEmpty(accounts.find(precompiles, at))) return true
  return false
}

/**
 * Makes lanes [first, end) of `executions[number]` the present executions of their transactions. Returns how many of
 * them ended on their path.
 */
export const adoptLanes = (
  { executionOf, laneOf, status, gas, refund }: OpenBatch,
  number: number,
  { group: { transactions, lanesOut, plan } }: PathExecutions,
  first: number,
  end: number,
): number => {
  const { succeeds } = plan
  const endedAs = succeeds ? STATUS_SUCCESS : STATUS_FAILURE
  let ended = 0
  for (let lane = first; lane < end; lane++) {
    const i = transactions[lane]!
    const head = lane * COLUMN_LIMBS
    executionOf[i] = number
    laneOf[i] = lane
    if (lanesOut[head] !== EXIT_NONE) {
      status[i] = STATUS_NONE
      continue
    }
    status[i] = endedAs
    gas[i] = lanesOut[head + 1]!
    refund[i] = succeeds ? lanesOut[head + 2]! : 0
    ended++
  }
  return ended
}

/** The same of one lane. Whether it ended on its path. */
export const adoptLane = (batch: OpenBatch, number: number, executions: PathExecutions, lane: number): boolean =>
  adoptLanes(batch, number, executions, lane, lane + 1) === 1

/**
 * The dispatch of a path in which transaction i stands, whether it ended there or left; undefined where another tier
 * has it.
 */
export const pathGroup = (batch: OpenBatch, i: number): PathGroup | undefined => {
  const found = executionAt(batch, i)
  return found instanceof PathExecutions ? found.group : undefined
}
