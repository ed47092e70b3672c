import { ACCOUNT_FLAG_EXISTS } from '../../transpiler/layout/tables.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { type Fork, isAtLeast, valueAt } from '../../transpiler/spec/forks.ts'
import { MAX_REFUND_QUOTIENT_BY_FORK } from '../../transpiler/spec/gas.ts'
import type { Place } from '../batch/executions.ts'
import {
  type OpenBatch,
  OUTCOME_EXECUTED,
  OUTCOME_NONE,
  OUTCOME_REJECTED,
  type SimulatedTerms,
  STATUS_FAILURE,
  STATUS_NONE,
  STATUS_SUCCESS,
  TIER_LAST,
  TIER_NONE,
} from '../batch/open_batch.ts'
import type { ExitReasons } from '../batch/reason.ts'
import type { Rejection } from '../chain/rejection.ts'
import { wordIsZero, wordSub } from '../primitives/word.ts'
import {
  type AccountTable,
  HOST_CODE,
  HOST_LIMBS,
  HOST_MARKS,
  ROW_BALANCE,
  ROW_FLAGS,
  ROW_LIMBS,
} from '../state/tables/account_table.ts'
import { credit, debit } from '../state/tables/balances.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import { BlockGas } from './block_gas.ts'
import type { ChangeRecorder } from './change_recorder.ts'
import { type BlockTaken, ColumnSweep } from './column_sweep.ts'
import { FeeSum } from './fees.ts'
import { Refusals } from './refusals.ts'
import { VaultSums } from './vaults.ts'

/**
 * The last pass over a batch: every transaction in order, over the running values of the tables.
 *
 * At its place a transaction meets exactly the state that serial execution gives it, so here the conditions on nonce,
 * balance, code and block gas are decided, fees and values move, and the writes of a device execution enter the tables
 * when every value that it read still stands. `advance` stops at a transaction that it cannot finish: one meant for the
 * CPU tier, or a device execution that no longer holds. The caller runs that one on the CPU tier and goes on after it.
 *
 * Credits and debits (fees, values) are running sums here: they depend on nothing and make nothing depend on them but
 * conditions at their own place. Cost: see docs/benchmarks.md (stage `commit`).
 */
export class Sweep {
  readonly #openBatch: OpenBatch
  readonly #accounts: AccountTable
  /** Code of the reason that the called account has other code than at routing. */
  readonly #otherCode: number
  /** Code of the reason that an execution does not say what a simulation must tell. */
  readonly #unnamed: number
  readonly #refusals: Refusals
  /** Address's newer account id, by the id at routing; undefined until an account was made anew. */
  #renewed: Map<number, number> | undefined
  /** Notes what transactions do, where they are asked for. */
  recorder: ChangeRecorder | undefined
  /** Set once a code changed in this batch. */
  codeChanged = false
  #blobGasUsed = 0
  readonly #fees = new FeeSum()
  /** Undefined on Ethereum. */
  readonly #vaults: VaultSums | undefined
  /** A transaction has paid the vaults: an empty one that was touched is gone. */
  #touchedVaults = false
  #blockGas: BlockGas
  readonly #place: Place
  readonly refundQuotient: number
  readonly #touchMakes: boolean
  readonly #resident: ResidentState
  readonly #leastForColumns: number
  /** What settles plain transactions in bulk; undefined until a range is long enough. */
  #columns: ColumnSweep | undefined
  /** From here on the columns may be tried. */
  #columnsFrom = 0
  /** Transactions that the sweep takes itself after the columns came not far. */
  #alone = 1

  /** `columnsFrom`: transactions in a range from which they are settled in bulk. */
  constructor(
    fork: Fork,
    openBatch: OpenBatch,
    resident: ResidentState,
    reasons: ExitReasons,
    columnsFrom = LEAST_FOR_COLUMNS,
  ) {
    this.#leastForColumns = columnsFrom
    this.#openBatch = openBatch
    this.#resident = resident
    this.#accounts = resident.accounts
    this.#otherCode = reasons.code('code conflict')
    this.#unnamed = reasons.code('halt or transfer to be told')
    this.#refusals = new Refusals(fork, openBatch, resident)
    this.refundQuotient = valueAt(MAX_REFUND_QUOTIENT_BY_FORK, fork)
    this.#blockGas = new BlockGas(openBatch.simulated === undefined ? openBatch.env.gasLimit : ANY_GAS)
    this.#vaults = VaultSums.of(openBatch)
    this.#place = {
      transaction: 0,
      from: 0,
      to: 0,
      coinbase: 0,
      vaults: [],
      isRecorded: false,
      settleFees: () => this.#settleFees(),
    }
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
    if (this.#openBatch.coinbaseId === from) this.#openBatch.coinbaseId = to
    this.codeChanged = true
  }

  /** Goes on after a sweep that has executed the first deposits of the same batch, under rules without charges. */
  followDeposits({ codeChanged, blockGas }: Pick<Sweep, 'codeChanged' | 'blockGas'>): void {
    this.codeChanged = codeChanged
    this.#blockGas = blockGas
  }

  /** What is left of the block's gas. @internal */
  get blockGas(): BlockGas {
    return this.#blockGas
  }

  /** Finishes transactions from `first` on; returns the first that it cannot finish, or `end`. */
  advance(first: number, end: number): number {
    let i = first
    for (let last = first; i === last && i < end; ) {
      const columns = this.#columnsOver(end - i)
      if (columns !== undefined && i >= this.#columnsFrom) i = this.#advanceColumns(columns, i, end)
      last = columns === undefined ? end : Math.min(end, this.#columnsFrom)
      i = this.#advanceInOrder(i, last)
    }
    this.#settleFees()
    return i
  }

  /** What a device that settles adds to; undefined where none may. */
  get takenOnDevice(): BlockTaken | undefined {
    if (!this.#settlesInBulk || this.#vaults !== undefined || this.#openBatch.simulated !== undefined) return undefined
    return { gas: this.#blockGas, fees: this.#fees, vaults: undefined, blobGas: 0 }
  }

  get #settlesInBulk(): boolean {
    if (this.#touchMakes || this.recorder !== undefined) return false
    return this.#renewed === undefined && !this.#accounts.renewed
  }

  /** What may settle `count` transactions in bulk. */
  #columnsOver(count: number): ColumnSweep | undefined {
    if (!this.#settlesInBulk) return undefined
    if (this.#openBatch.simulated?.transfers === true && this.#movesValue()) return undefined
    if (this.#columns === undefined && count >= this.#leastForColumns)
      this.#columns = ColumnSweep.over(this.#openBatch, this.#resident, this.refundQuotient)
    return this.#columns
  }

  /** Whether a call of the batch has a value. */
  #movesValue(): boolean {
    const { value, count } = this.#openBatch.batch
    for (let at = 0; at < LIMBS_PER_WORD * count; at++) if (value[at] !== 0) return true
    return false
  }

  /** Has the columns settle what they can; where that is little, again and again, they are asked less often. */
  #advanceColumns(columns: ColumnSweep, first: number, end: number): number {
    const taken = { gas: this.#blockGas, fees: this.#fees, vaults: this.#vaults, blobGas: this.#blobGasUsed }
    const usedBefore = this.#blockGas.used
    const stop = columns.advance(first, end, taken)
    this.#blobGasUsed = taken.blobGas
    // Not where it only passed over deposits, which pay nothing.
    if (this.#blockGas.used > usedBefore) this.#touchVaults()
    this.#alone = stop - first < FEW_IN_COLUMNS ? Math.min(2 * this.#alone, MOST_ALONE) : 1
    this.#columnsFrom = stop + this.#alone
    return stop
  }

  #advanceInOrder(first: number, end: number): number {
    const openBatch = this.#openBatch
    const { hosts } = this.#accounts
    const { tier, outcome, status, gasUsed, fromIds, toIds, toCodes } = openBatch
    const { priority, intrinsic, floor } = openBatch.rules
    const moved = this.#renewed !== undefined
    const fees = this.#fees
    const block = this.#blockGas
    const refusals = this.#refusals
    const place = this.#place
    const coinbase = this.current(openBatch.coinbaseId)
    place.coinbase = coinbase
    const vaults = moved ? openBatch.vaultIds.map((id) => this.current(id)) : openBatch.vaultIds
    place.vaults = vaults
    place.isRecorded = this.recorder !== undefined
    let i = first
    for (; i < end; i++) {
      if (outcome[i] !== OUTCOME_NONE) continue
      const from = moved ? this.current(fromIds[i]!) : fromIds[i]!
      if (from === coinbase || vaults.includes(from)) this.#settleFees()
      const refusal = refusals.of(i, from, block, this.#blobGasUsed)
      if (refusal !== 0) {
        this.reject(i, refusal)
        continue
      }
      if (openBatch.simulated !== undefined && this.#isToBeNamed(i, openBatch.simulated)) {
        tier[i] = TIER_LAST
        openBatch.reasons[i] = this.#unnamed
        break
      }
      const isTransfer = tier[i] === TIER_NONE
      if (!isTransfer && status[i] === STATUS_NONE) break
      const to = moved ? this.current(toIds[i]!) : toIds[i]!
      if (this.codeChanged && hosts[to * HOST_LIMBS + HOST_CODE] !== toCodes[i]) {
        openBatch.reasons[i] = this.#otherCode
        break
      }
      let gas = intrinsic[i]!
      place.transaction = i
      place.from = from
      place.to = to
      if (isTransfer) {
        this.#openRecord(place)
        status[i] = STATUS_SUCCESS
      } else {
        const broken = this.#enter(i, place)
        if (broken !== 0) {
          openBatch.reasons[i] = broken
          break
        }
        gas += openBatch.gas[i]!
        const refund = openBatch.refund[i]!
        if (refund !== 0) gas -= Math.min(refund, Math.floor(gas / this.refundQuotient))
      }
      if (gas < floor[i]!) gas = floor[i]!
      outcome[i] = OUTCOME_EXECUTED
      gasUsed[i] = gas
      block.used += gas
      this.#pay(place, gas, isTransfer)
      this.#touchVaults()
      fees.add(priority, i * LIMBS_PER_WORD, gas)
      if (fees.isZero) this.#touch(coinbase)
      if (this.recorder !== undefined) {
        this.#settleFees()
        this.recorder.close(i)
      }
    }
    return i
  }

  /** Whether transaction i is to be executed for words that its execution does not have. */
  #isToBeNamed(i: number, { transfers }: SimulatedTerms): boolean {
    const { batch, tier, status, executionOf, laneOf, executions } = this.#openBatch
    if (tier[i] === TIER_LAST) return false
    if (transfers && !wordIsZero(batch.value, LIMBS_PER_WORD * i)) return true
    if (tier[i] === TIER_NONE || status[i] === STATUS_NONE) return false
    const execution = executions[executionOf[i]!]!
    if (transfers && execution.movesWei !== false) return true
    return status[i] === STATUS_FAILURE && execution.exception(laneOf[i]!) === undefined
  }

  /** Why deposit i may not be included at this place (REJECTION); 0 where it may. */
  depositRefusal(i: number): Rejection | 0 {
    return this.#refusals.ofDeposit(i, this.#blockGas)
  }

  /**
   * The sender pays its gas, and its nonce goes up; a plain transfer moves its value, which an execution has done
   * itself.
   */
  #pay({ transaction: i, from, to }: Place, gas: number, isTransfer: boolean): void {
    const accounts = this.#accounts
    const { rows, hosts } = accounts
    const { value } = this.#openBatch.batch
    const { price, blobGas, charges } = this.#openBatch.rules
    const account = from * HOST_LIMBS
    const sender = from * ROW_LIMBS
    const at = i * LIMBS_PER_WORD
    if (hosts[account + HOST_MARKS] === 0) accounts.write(from)
    debit(rows, sender + ROW_BALANCE, price, at, gas, isTransfer ? value : nothing, isTransfer ? at : 0)
    if (blobGas.length !== 0) this.#blobGasUsed += blobGas[i]!
    if (charges !== undefined) this.#vaults!.charge(i, gas, rows, sender + ROW_BALANCE)
    else if (blobGas.length !== 0) this.#payBlobs(i, sender + ROW_BALANCE)
    const nextNonce = hosts[account]! + 1
    hosts[account] = nextNonce
    if (nextNonce > 0xffff_ffff) hosts[account + 1] = hosts[account + 1]! + 1
    rows[sender + ROW_FLAGS] = rows[sender + ROW_FLAGS]! | ACCOUNT_FLAG_EXISTS
    if (!isTransfer) return
    if (!wordIsZero(value, at)) {
      const target = to * ROW_LIMBS
      if (hosts[to * HOST_LIMBS + HOST_MARKS] === 0) accounts.write(to)
      credit(rows, target + ROW_BALANCE, value, at)
      rows[target + ROW_FLAGS] = rows[target + ROW_FLAGS]! | ACCOUNT_FLAG_EXISTS
    } else if (hosts[to * HOST_LIMBS + HOST_CODE] === 0) this.#touch(to)
  }

  /** Blob gas is burnt, beside the gas (EIP-4844). */
  #payBlobs(i: number, balance: number): void {
    const { rows } = this.#accounts
    wordSub(rows, balance, rows, balance, this.#openBatch.rules.extraFee, i * LIMBS_PER_WORD)
  }

  /** Transaction i was executed whole at its place, and all its writes are entered. */
  finish(i: number, gasUsed: bigint): void {
    const { blobGas } = this.#openBatch.rules
    if (blobGas.length !== 0) this.#blobGasUsed += blobGas[i]!
    this.#openBatch.outcome[i] = OUTCOME_EXECUTED
    this.#openBatch.gasUsed[i] = Number(gasUsed)
    this.#blockGas.add(gasUsed)
  }

  reject(i: number, rejection: Rejection): void {
    this.#openBatch.outcome[i] = OUTCOME_REJECTED
    this.#openBatch.status[i] = STATUS_NONE
    this.#openBatch.rejections[i] = rejection
  }

  /** Credits the coinbase; even a credit of zero touches it (EIP-161). */
  payCoinbase(amount: Uint32Array, at: number): void {
    this.#fees.addWord(amount, at)
    if (this.#fees.isZero) this.#touch(this.current(this.#openBatch.coinbaseId))
    else this.#settleFees()
  }

  /** Credits vault `n` of VAULTS. */
  payVault(n: number, amount: Uint32Array, at: number): void {
    this.#vaults!.add(n, amount, at)
    this.#touchVaults()
    this.#settleFees()
  }

  /** What the transactions so far take of the block's blob gas, or of its room for data on the OP stack. */
  get blobGasUsed(): number {
    return this.#blobGasUsed
  }

  #settleFees(): void {
    const { rows } = this.#accounts
    if (!this.#fees.isZero) {
      const id = this.#paid(this.#openBatch.coinbaseId)
      this.#fees.settle(rows, id * ROW_LIMBS + ROW_BALANCE)
    }
    if (this.#vaults === undefined) return
    for (const [n, vault] of this.#openBatch.vaultIds.entries()) {
      if (this.#vaults.isZero(n)) continue
      this.#vaults.settle(n, rows, this.#paid(vault) * ROW_LIMBS + ROW_BALANCE)
    }
  }

  /** The present id of an account that is about to be paid. */
  #paid(idAtRouting: number): number {
    const id = this.current(idAtRouting)
    const { rows } = this.#accounts
    this.#accounts.write(id)
    rows[id * ROW_LIMBS + ROW_FLAGS] = rows[id * ROW_LIMBS + ROW_FLAGS]! | ACCOUNT_FLAG_EXISTS
    return id
  }

  /** EIP-161: an empty vault that is paid nothing ceases to exist. */
  #touchVaults(): void {
    if (this.#vaults === undefined || this.#touchedVaults) return
    this.#touchedVaults = true
    for (let n = 0; n < this.#vaults.touched; n++)
      if (this.#vaults.isZero(n)) this.#touch(this.current(this.#openBatch.vaultIds[n]!))
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

  #openRecord({ from, to, coinbase, vaults }: Place): void {
    const { recorder } = this
    recorder?.open(from, to, coinbase)
    for (const vault of vaults) recorder?.account(vault)
  }

  /**
   * Enters what the execution of transaction i changed, and has what it touched noted with the values before it. The
   * code of the reason why it does not stand; 0 where it does.
   */
  #enter(i: number, place: Place): number {
    const { executions, executionOf, laneOf } = this.#openBatch
    const execution = executions[executionOf[i]!]!
    const lane = laneOf[i]!
    const broken = execution.broken(lane, place)
    const { recorder } = this
    if (broken !== 0 || recorder === undefined) return broken || execution.enter(lane, place)
    this.#openRecord(place)
    execution.touched(lane, recorder)
    const unpaid = execution.enter(lane, place)
    if (unpaid !== 0) recorder.take()
    return unpaid
  }
}

/** A range from which bringing its columns to the tables pays. */
export const LEAST_FOR_COLUMNS = 256
/** Transactions below which the columns cost more than they save. */
const FEW_IN_COLUMNS = 16
const MOST_ALONE = 256

/** No block of simulated calls comes near it. */
const ANY_GAS = 1n << 200n

const nothing = new Uint32Array(LIMBS_PER_WORD)
