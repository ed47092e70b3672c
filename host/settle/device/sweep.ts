import {
  SETTLE_ENTRY_VECTORS,
  SETTLE_ITEMS,
  SETTLE_MOST_TRANSACTIONS,
  SETTLE_OVERLAY_VECTORS,
  SETTLE_PARTS_LANES,
  SETTLE_ROW_VECTORS,
  SETTLE_UNIFORM,
} from '../../../transpiler/layout/settle.ts'
import { ACCOUNT_FLAG_EXISTS } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { type OpenBatch, OUTCOME_EXECUTED, OUTCOME_NONE, STATUS_SUCCESS, TIER_NONE } from '../../batch/open_batch.ts'
import { ValidationError } from '../../device/fault.ts'
import { mostWaveBytes } from '../../device/limits.ts'
import { wordCopy, wordIsZero } from '../../primitives/word.ts'
import type { DeviceSession } from '../../session/device_session.ts'
import { HOST_LIMBS, HOST_NONCE, ROW_BALANCE, ROW_FLAGS, ROW_LIMBS } from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { BlockTaken } from '../column_sweep.ts'
import { putExecutions, putTransactions, type RangeExecutions } from './columns.ts'
import type { SettleKernels } from './kernels.ts'
import { appendRange, type RangeSizes } from './range.ts'
import type { Encoding } from './sort.ts'
import type { UploadWords } from './upload_words.ts'

const U32 = 2 ** 32
const VECTOR_BYTES = 16
const ROW_LIMBS_OUT = 4 * SETTLE_ROW_VECTORS
const OVERLAY_LIMBS = 4 * SETTLE_OVERLAY_VECTORS

/** What the host keeps from range to range for uploads. */
export interface SettleUploads {
  readonly columns: UploadWords
  readonly lanes: UploadWords
}

/** How far a range came: [first, stop) is settled; it was looked at up to `end`. */
export interface SettledRange {
  readonly stop: number
  readonly end: number
}

/**
 * The sweep as passes on a device, for the same transactions as ColumnSweep and with the same result: a log of what
 * they read and change is made, sorted by slot and account, and scanned, so that each entry is compared with the value
 * before it; the first transaction with an entry that does not hold ends the range. Those before it stand: values
 * before an entry depend on lower transactions only, so by induction they are the serial ones. Last writers come back
 * and enter the tables. One submission, one readback; nothing is entered before it has come.
 */
export class DeviceSweep {
  readonly #session: DeviceSession
  readonly #kernels: SettleKernels
  readonly #batch: OpenBatch
  readonly #resident: ResidentState
  readonly #refundQuotient: number
  readonly #uploads: SettleUploads
  /** Submissions so far. */
  submissions = 0
  /** It is not to be asked before this transaction. */
  from = 0
  /** Transactions that are left to the host after it came not far. */
  #alone = 1

  constructor(
    session: DeviceSession,
    kernels: SettleKernels,
    { batch, refundQuotient, uploads }: { batch: OpenBatch; refundQuotient: number; uploads: SettleUploads },
  ) {
    this.#session = session
    this.#kernels = kernels
    this.#batch = batch
    this.#resident = session.resident
    this.#refundQuotient = refundQuotient
    this.#uploads = uploads
  }

  /**
   * Settles transactions from `first` on; returns the first that it leaves, which Sweep.advance goes on with. Rejects
   * with a fault of the device: what is settled by then stands, and Sweep.advance passes over it. Where it comes not
   * far, again and again, it is to be asked less often (`from`).
   */
  async advance(first: number, end: number, taken: BlockTaken): Promise<number> {
    for (let i = first; i < end; ) {
      const range = await this.settle(i, end, taken)
      if (range.stop < range.end) {
        this.#alone = range.stop - i < FEW ? Math.min(2 * this.#alone, MOST_ALONE) : 1
        this.from = range.stop + this.#alone
        return range.stop
      }
      i = range.stop
    }
    return end
  }

  /** Settles transactions of [first, end) from `first` on, as many as one submission takes. */
  async settle(first: number, end: number, taken: BlockTaken): Promise<SettledRange> {
    const open = this.#firstOpen(first, end)
    // Without fees so far, one that pays none touches the coinbase.
    if (open === end || (taken.fees.isZero && wordIsZero(this.#batch.rules.priority, LIMBS_PER_WORD * open)))
      return { stop: open, end }
    const { device, pool, tables } = this.#session
    const most = mostWaveBytes(device.limits)
    const limits = { mostEntries: Math.floor(most / (VECTOR_BYTES * SETTLE_ENTRY_VECTORS)), mostBytes: most }
    await tables.open()
    const asked = { first, end: Math.min(end, first + SETTLE_MOST_TRANSACTIONS) }
    const executions = putExecutions(this.#batch, asked, this.#uploads.lanes, limits)
    const mirror = tables.syncSettling()
    const lease = pool.lease()
    try {
      const sizes = this.#sizesOf(executions, first)
      const encoding = { device, kernels: this.#kernels, lease, commands: [] }
      const buffers = this.#upload(encoding, sizes, executions, first, taken)
      const reads = appendRange(encoding, sizes, { ...buffers, ...mirror })
      let stop = first
      this.submissions++
      await tables.run(encoding.commands, {
        reads,
        consume: ([stopAt, count, plans, rows]) => {
          stop =
            first +
            this.#enter(sizes, first, { stop: stopAt![0]!, count: count![0]!, plans: plans!, rows: rows! }, taken)
        },
      })
      lease.put()
      return { stop, end: executions.end }
    } catch (thrown) {
      lease.drop()
      throw thrown
    }
  }

  #firstOpen(first: number, end: number): number {
    let i = first
    while (i < end && this.#batch.outcome[i] !== OUTCOME_NONE) i++
    return i
  }

  #sizesOf({ end, capacity }: RangeExecutions, first: number): RangeSizes {
    const { slots, accounts } = this.#resident
    const transactions = end - first
    const cells = slots.count + accounts.count + 1
    const rows = Math.min(capacity + transactions, cells)
    return { transactions, capacity, slots: slots.count, accounts: accounts.count, rows }
  }

  #upload(
    { device, lease, commands }: Encoding,
    sizes: RangeSizes,
    { described, copies, uploadedAt, end }: RangeExecutions,
    first: number,
    { gas }: BlockTaken,
  ) {
    const { columns: into, lanes: laneWords } = this.#uploads
    const uniform = new Uint32Array(SETTLE_UNIFORM.length)
    const put = (field: (typeof SETTLE_UNIFORM)[number], value: number): void => {
      uniform[SETTLE_UNIFORM.indexOf(field)] = value
    }
    into.length = 0
    putTransactions(this.#batch, { first, end }, described, into, put)
    const { cells, values } = this.#overlays()
    put('overlayCellsAt', into.put(cells))
    put('transactions', sizes.transactions)
    put('capacity', sizes.capacity)
    put('slots', sizes.slots)
    put('accounts', sizes.accounts)
    put('overlays', cells.length)
    put('items', SETTLE_ITEMS)
    put('size', SETTLE_PARTS_LANES)
    put('refundQuotient', this.#refundQuotient)
    put('usedLow', gas.used % U32)
    put('usedHigh', Math.floor(gas.used / U32))
    put('sureLow', gas.sure % U32)
    put('sureHigh', Math.floor(gas.sure / U32))
    const range = lease.uniform(4 * SETTLE_UNIFORM.length)
    device.upload(range, 0, uniform)
    const uploaded = (words: Uint32Array): GPUBuffer => {
      const buffer = lease.input(words.byteLength)
      device.upload(buffer, 0, words)
      return buffer
    }
    const lanes = lease.storage(VECTOR_BYTES * uploadedAt + laneWords.used.byteLength)
    for (const { from, fromOffset, vector, sizeBytes } of copies)
      commands.push({ kind: 'copy', from, fromOffset, to: lanes, toOffset: VECTOR_BYTES * vector, sizeBytes })
    if (laneWords.length > 0)
      commands.push({
        ...{ kind: 'copy', from: uploaded(laneWords.used), fromOffset: 0 },
        ...{ to: lanes, toOffset: VECTOR_BYTES * uploadedAt, sizeBytes: laneWords.used.byteLength },
      })
    return {
      uniform: range,
      columns: uploaded(into.used),
      lanes,
      overlays: uploaded(values),
      overlayCount: cells.length,
    }
  }

  /** Present values of what the batch has written so far. */
  #overlays(): { readonly cells: Uint32Array; readonly values: Uint32Array } {
    const { slots, accounts } = this.#resident
    const count = slots.entries + accounts.entries
    const cells = new Uint32Array(count)
    const values = new Uint32Array(OVERLAY_LIMBS * Math.max(1, count))
    for (let n = 0; n < slots.entries; n++) {
      const id = slots.written[n]!
      cells[n] = id
      wordCopy(values, OVERLAY_LIMBS * n + 4, slots.values, LIMBS_PER_WORD * id)
    }
    for (let n = 0; n < accounts.entries; n++) {
      const id = accounts.written[n]!
      const at = OVERLAY_LIMBS * (slots.entries + n)
      cells[slots.entries + n] = slots.count + id
      // Nonce and code.
      for (let limb = 0; limb < 3; limb++) values[at + limb] = accounts.hosts[HOST_LIMBS * id + HOST_NONCE + limb]!
      values[at + 3] = accounts.rows[ROW_LIMBS * id + ROW_FLAGS]!
      wordCopy(values, at + 4, accounts.rows, ROW_LIMBS * id + ROW_BALANCE)
    }
    return { cells, values }
  }

  /** Enters what a range left. Gives the transactions that are settled. */
  #enter(
    sizes: RangeSizes,
    first: number,
    { stop, count, plans, rows }: { stop: number; count: number; plans: Uint32Array; rows: Uint32Array },
    { gas, fees }: BlockTaken,
  ): number {
    if (stop > sizes.transactions || count > sizes.rows)
      throw new ValidationError(`settling: ${stop} of ${sizes.transactions} transactions, ${count} rows`)
    const { slots, accounts } = this.#resident
    slots.reserveWritten(count)
    accounts.reserveWritten(count)
    const block = sizes.slots + sizes.accounts
    for (let at = 0; at < ROW_LIMBS_OUT * count; at += ROW_LIMBS_OUT) {
      const cell = rows[at]!
      if (cell < sizes.slots) {
        slots.write(cell)
        wordCopy(slots.values, LIMBS_PER_WORD * cell, rows, at + 4)
      } else if (cell < block) {
        const id = cell - sizes.slots
        accounts.write(id)
        accounts.hosts[HOST_LIMBS * id + HOST_NONCE] = rows[at + 1]!
        accounts.hosts[HOST_LIMBS * id + HOST_NONCE + 1] = rows[at + 2]!
        wordCopy(accounts.rows, ROW_LIMBS * id + ROW_BALANCE, rows, at + 4)
        const flags = ROW_LIMBS * id + ROW_FLAGS
        accounts.rows[flags] = accounts.rows[flags]! | ACCOUNT_FLAG_EXISTS
      } else {
        gas.used = rows[at + 10]! + U32 * rows[at + 11]!
        blockFees.set(rows.subarray(at + 4, at + 10))
        fees.addWord(blockFees, 0)
      }
    }
    const { outcome, status, gasUsed, tier } = this.#batch
    for (let n = 0; n < stop; n++) {
      const i = first + n
      if (outcome[i] !== OUTCOME_NONE) continue
      outcome[i] = OUTCOME_EXECUTED
      gasUsed[i] = plans[2 * n + 1]!
      if (tier[i] === TIER_NONE) status[i] = STATUS_SUCCESS
    }
    return stop
  }
}

/** Transactions below which a submission costs more than it saves. */
const FEW = 256
const MOST_ALONE = 256

/** The two highest limbs stay zero: in the block's cell they are the gas. */
const blockFees = new Uint32Array(LIMBS_PER_WORD)
