import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { SlotColumns } from '../batch/executions.ts'
import type { OpenBatch } from '../batch/open_batch.ts'
import type { ColumnMemory } from '../primitives/column_memory.ts'
import { CHUNK_AT } from '../primitives/column_request.ts'
import { type WasmModule, wasm } from '../primitives/web_assembly.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import type { BlockGas } from './block_gas.ts'
import type { FeeSum } from './fees.ts'
import { SWEEP_MODULE } from './sweep_module.generated.ts'
import { EXECUTION_BYTES, READ_BYTES, STORE_BYTES, SWEEP_REQUEST } from './sweep_request.ts'

/** Transactions whose columns lie in the memory at a time: they stay in the second-level cache. */
const CHUNK = 1024
const LEAST_REACH = 32
/** u32 of a lane in a column. */
const COLUMN_LIMBS = 4
/** What the module takes of the memory of the tables: mostly columns of lanes. */
const OWN_BYTES = 2 << 20
const ALIGN_BYTES = 32
/** The execution of a transaction that no pass over columns knows. */
const OTHER = 0

let compiled: WasmModule | undefined

const sweepModule = (): WasmModule => {
  compiled ??= new wasm.Module(Buffer.from(SWEEP_MODULE, 'base64'))
  return compiled
}

/** The columns of a chunk, at addresses. */
interface ChunkColumns {
  readonly tier: Uint8Array
  readonly outcome: Uint8Array
  readonly status: Uint8Array
  readonly type: Uint8Array
  readonly rejection: Uint8Array
  readonly fromIds: Int32Array
  readonly toIds: Int32Array
  readonly toCodes: Uint32Array
  readonly executionOf: Int32Array
  readonly laneOf: Int32Array
  readonly nonce: Uint32Array
  readonly value: Uint32Array
  readonly cost: Uint32Array
  readonly price: Uint32Array
  readonly priority: Uint32Array
  readonly intrinsic: Float64Array
  readonly floor: Float64Array
  readonly gasLimit: Float64Array
  readonly gas: Float64Array
  readonly refund: Float64Array
  readonly gasUsed: Float64Array
}

/** The lanes of one dispatch that belong to a chunk. */
interface ChunkLanes {
  first: number
  last: number
  /** Its number in the memory. */
  number: number
}

/**
 * The sweep (Sweep) as a pass of WebAssembly over columns, for transactions of the plain kinds: plain transfers, and
 * executions that read and write slots and nothing else. It decides what the sweep decides, in the same order and on
 * the same running values, and stops before a transaction that is of another kind or does not stand: that one is the
 * sweep's.
 *
 * The tables lie in the memory of the module. Columns of the batch and of lanes are brought there a chunk at a time.
 */
export class ColumnSweep {
  readonly #batch: OpenBatch
  readonly #resident: ResidentState
  readonly #refundQuotient: number
  readonly #memory: ColumnMemory
  readonly #advance: (first: number, end: number) => number
  readonly #bytes: ArrayBufferLike
  readonly #request: Uint32Array
  readonly #numbers: Float64Array
  readonly #columns: ChunkColumns
  /** By number: the address of what is known of an execution. */
  readonly #places: Uint32Array
  #executionCount = 0
  #mostStores = 0
  readonly #lanesFrom: number
  /** The chunk that lies there. */
  #first = 0
  #end = 0
  #lanesAt = 0
  /** Transactions brought up to date at a time: fewer where it stops often. */
  #reach = CHUNK
  readonly #lanes = new Map<number, ChunkLanes>()

  /** Undefined where the platform has no such memory, or the tables do not fit. */
  static over(batch: OpenBatch, resident: ResidentState, refundQuotient: number): ColumnSweep | undefined {
    const memory = resident.columns(OWN_BYTES)
    return memory === undefined ? undefined : new ColumnSweep(batch, resident, refundQuotient, memory)
  }

  private constructor(batch: OpenBatch, resident: ResidentState, refundQuotient: number, memory: ColumnMemory) {
    this.#batch = batch
    this.#resident = resident
    this.#refundQuotient = refundQuotient
    this.#memory = memory
    this.#advance = memory.exportsOf(sweepModule())['advance'] as (first: number, end: number) => number
    this.#bytes = memory.memory.buffer
    this.#request = new Uint32Array(this.#bytes, 0, CHUNK_AT / 4)
    this.#numbers = new Float64Array(this.#bytes, 0, CHUNK_AT / 8)
    let at = CHUNK_AT
    const take = (bytes: number): number => {
      const from = at
      at += Math.ceil((bytes * CHUNK) / ALIGN_BYTES) * ALIGN_BYTES
      return from
    }
    const u8 = (): Uint8Array => new Uint8Array(this.#bytes, take(1), CHUNK)
    const i32 = (): Int32Array => new Int32Array(this.#bytes, take(4), CHUNK)
    const u32 = (limbs: number): Uint32Array => new Uint32Array(this.#bytes, take(4 * limbs), limbs * CHUNK)
    const f64 = (): Float64Array => new Float64Array(this.#bytes, take(8), CHUNK)
    this.#columns = {
      tier: u8(),
      outcome: u8(),
      status: u8(),
      type: u8(),
      rejection: u8(),
      fromIds: i32(),
      toIds: i32(),
      toCodes: u32(1),
      executionOf: i32(),
      laneOf: i32(),
      nonce: u32(2),
      value: u32(LIMBS_PER_WORD),
      cost: u32(LIMBS_PER_WORD),
      price: u32(LIMBS_PER_WORD),
      priority: u32(LIMBS_PER_WORD),
      intrinsic: f64(),
      floor: f64(),
      gasLimit: f64(),
      gas: f64(),
      refund: f64(),
      gasUsed: f64(),
    }
    this.#places = u32(1)
    this.#places[OTHER] = 0
    this.#lanesFrom = at
  }

  /**
   * Settles transactions from `first` on. Returns the first that it leaves, or `end`. The fees of what it settled are
   * in `fees`, its gas in `block`.
   */
  advance(first: number, end: number, block: BlockGas, fees: FeeSum): number {
    let i = first
    while (i < end) {
      if (i < this.#first || i >= this.#end) this.#bring(i)
      const last = Math.min(end, this.#end, i + this.#reach)
      this.#refresh(i, last)
      const stop = this.#settle(i, last, block, fees)
      if (stop < last) {
        this.#reach = Math.max(LEAST_REACH, 2 * (stop - i))
        return stop
      }
      this.#reach = Math.min(CHUNK, 2 * this.#reach)
      i = last
    }
    return end
  }

  /** Brings the columns of the chunk of transaction i that stay as they are. */
  #bring(i: number): void {
    const { batch, rules, fromIds, toIds, toCodes } = this.#batch
    const first = i - (i % CHUNK)
    const end = Math.min(batch.count, first + CHUNK)
    this.#first = first
    this.#end = end
    this.#lanes.clear()
    this.#executionCount = OTHER + 1
    this.#mostStores = 0
    this.#lanesAt = this.#lanesFrom
    const to = this.#columns
    to.type.set(batch.type.subarray(first, end))
    to.rejection.set(rules.rejection.subarray(first, end))
    to.fromIds.set(fromIds.subarray(first, end))
    to.toIds.set(toIds.subarray(first, end))
    to.toCodes.set(toCodes.subarray(first, end))
    to.nonce.set(batch.nonce.subarray(2 * first, 2 * end))
    to.intrinsic.set(rules.intrinsic.subarray(first, end))
    to.floor.set(rules.floor.subarray(first, end))
    to.gasLimit.set(rules.gasLimit.subarray(first, end))
    const words: readonly [Uint32Array, Uint32Array][] = [
      [to.value, batch.value],
      [to.cost, rules.cost],
      [to.price, rules.price],
      [to.priority, rules.priority],
    ]
    for (const [column, from] of words) column.set(from.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
  }

  /** Brings what may have changed of [first, end), and the lanes of executions that are not there. */
  #refresh(first: number, end: number): void {
    const { tier, outcome, status, gas, refund, executionOf, laneOf } = this.#batch
    const to = this.#columns
    const at = first - this.#first
    to.tier.set(tier.subarray(first, end), at)
    to.outcome.set(outcome.subarray(first, end), at)
    to.status.set(status.subarray(first, end), at)
    to.gas.set(gas.subarray(first, end), at)
    to.refund.set(refund.subarray(first, end), at)
    const lanes = this.#lanes
    let lastNumber = -1
    let entry: ChunkLanes | undefined
    for (let i = first; i < end; i++) {
      const number = executionOf[i]!
      if (number < 0) continue
      const lane = laneOf[i]!
      if (number !== lastNumber) {
        lastNumber = number
        entry = lanes.get(number)
        if (entry === undefined) {
          entry = { first: lane, last: lane, number: -1 }
          lanes.set(number, entry)
        }
      }
      // Of an execution that is there already, other lanes would be new ones.
      if (lane < entry!.first) {
        entry!.first = lane
        entry!.number = -1
      } else if (lane > entry!.last) {
        entry!.last = lane
        entry!.number = -1
      }
    }
    this.#bringLanes()
    lastNumber = -1
    for (let i = first; i < end; i++) {
      const number = executionOf[i]!
      if (number < 0) to.executionOf[i - this.#first] = -1
      else {
        if (number !== lastNumber) {
          lastNumber = number
          entry = lanes.get(number)
        }
        to.executionOf[i - this.#first] = entry!.number
        to.laneOf[i - this.#first] = laneOf[i]! - entry!.first
      }
    }
  }

  #bringLanes(): void {
    for (const [number, lanes] of this.#lanes) {
      if (lanes.number >= 0) continue
      const { columns } = this.#batch.executions[number]!
      const at = columns === undefined || this.#executionCount === CHUNK ? 0 : this.#place(columns, lanes)
      lanes.number = at === 0 ? OTHER : this.#executionCount++
      if (at === 0) continue
      this.#places[lanes.number] = at
      this.#mostStores = Math.max(this.#mostStores, columns!.storeAt.length)
    }
  }

  /** Brings the lanes of a dispatch. Returns the address of its description; 0 where they do not fit. */
  #place(columns: SlotColumns, { first, last }: ChunkLanes): number {
    const { slotAt, storeAt, hintAt, deltaStores, storeSlots, storeSigns, storeConditions } = columns
    const laneCount = last - first + 1
    const laneBytes = 4 * COLUMN_LIMBS * laneCount
    const columnCount = slotAt.length * (hintAt === undefined ? 1 : 4) + 2 * storeAt.length
    const at = this.#lanesAt
    const head = EXECUTION_BYTES + READ_BYTES * slotAt.length + STORE_BYTES * storeAt.length
    let next = Math.ceil((at + head) / ALIGN_BYTES) * ALIGN_BYTES
    if (next + columnCount * laneBytes > OWN_BYTES) return 0
    const bringOne = (column: Uint32Array, from: number): number => {
      const to = next
      next += laneBytes
      const begin = from + COLUMN_LIMBS * first
      new Uint32Array(this.#bytes, to, COLUMN_LIMBS * laneCount).set(
        column.subarray(begin, begin + COLUMN_LIMBS * laneCount),
      )
      return to
    }
    const bring = (column: Uint32Array, from: number, count: number): number => {
      const to = next
      for (let n = 0; n < count; n++) bringOne(column, from + n * COLUMN_LIMBS * columns.laneCount)
      return to
    }
    const words = new Uint32Array(this.#bytes, at, head / 4)
    words.set([laneCount, columns.succeeds ? 1 : 0, slotAt.length, storeAt.length])
    let field = EXECUTION_BYTES / 4
    for (let k = 0; k < slotAt.length; k++) {
      // The slot stands in one limb of a column.
      const limb = slotAt[k]! % COLUMN_LIMBS
      words[field++] = bring(columns.lanesOut, slotAt[k]! - limb, 1) + 4 * limb
      words[field++] = hintAt === undefined ? 0 : bring(columns.lanesIn, hintAt[k]!, 3)
      words[field++] = deltaStores[k]!
    }
    for (let s = 0; s < storeAt.length; s++) {
      words[field++] = bring(columns.lanesOut, storeAt[s]!, 2)
      words[field++] = storeSlots[s]!
      words[field++] = storeSigns[s]!
      words[field++] = storeConditions[s]!
    }
    this.#lanesAt = next
    return at
  }

  /** Has the module settle [first, end) of the chunk. */
  #settle(first: number, end: number, block: BlockGas, fees: FeeSum): number {
    const { accounts, slots } = this.#resident
    accounts.reserveWritten(2 * (end - first))
    slots.reserveWritten(this.#mostStores * (end - first))
    if (this.#memory.isFull) return first
    this.#ask(block, fees)
    const numbers = this.#numbers
    const request = this.#request
    const stop = this.#first + this.#advance(first - this.#first, end - this.#first)
    accounts.entries = request[SWEEP_REQUEST.accountEntryCount / 4]!
    slots.entries = request[SWEEP_REQUEST.slotEntryCount / 4]!
    block.used = numbers[SWEEP_REQUEST.blockUsed / 8]!
    fees.addWord(request, SWEEP_REQUEST.fees / 4)
    const { outcome, status, gasUsed } = this.#batch
    const from = this.#columns
    const [a, b] = [first - this.#first, stop - this.#first]
    outcome.set(from.outcome.subarray(a, b), first)
    status.set(from.status.subarray(a, b), first)
    gasUsed.set(from.gasUsed.subarray(a, b), first)
    return stop
  }

  #ask(block: BlockGas, fees: FeeSum): void {
    const { accounts, slots } = this.#resident
    const request = this.#request
    const columns = this.#columns
    request.fill(0, SWEEP_REQUEST.fees / 4, SWEEP_REQUEST.fees / 4 + LIMBS_PER_WORD)
    const put = (field: keyof typeof SWEEP_REQUEST, value: number): void => {
      request[SWEEP_REQUEST[field] / 4] = value
    }
    put('rows', accounts.rows.byteOffset)
    put('hosts', accounts.hosts.byteOffset)
    put('accountsWritten', accounts.written.byteOffset)
    put('accountEntryCount', accounts.entries)
    put('slotValues', slots.values.byteOffset)
    put('slotEntryOf', slots.entryOf.byteOffset)
    put('slotsWritten', slots.written.byteOffset)
    put('slotBase', slots.base.byteOffset)
    put('slotEntryCount', slots.entries)
    for (const [name, column] of Object.entries(columns)) put(name as keyof ChunkColumns, column.byteOffset)
    put('executions', this.#places.byteOffset)
    put('owedMark', fees.isZero ? 0 : 1)
    this.#numbers[SWEEP_REQUEST.blockUsed / 8] = block.used
    this.#numbers[SWEEP_REQUEST.blockSure / 8] = block.sure
    this.#numbers[SWEEP_REQUEST.refundQuotient / 8] = this.#refundQuotient
  }
}
