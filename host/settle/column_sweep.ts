import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { RecordColumns, SlotColumns } from '../batch/executions.ts'
import type { OpenBatch } from '../batch/open_batch.ts'
import { askOperator } from '../chain/op/charge_pass.ts'
import type { RulesPass } from '../chain/rules_pass.ts'
import type { ColumnMemory } from '../primitives/column_memory.ts'
import { CHUNK, CHUNK_AT, MODULE_BYTES } from '../primitives/column_request.ts'
import { type WasmModule, wasm } from '../primitives/web_assembly.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import type { BlockGas } from './block_gas.ts'
import type { FeeSum } from './fees.ts'
import { SWEEP_MODULE } from './sweep_module.generated.ts'
import { EXECUTION_BYTES, READ_BYTES, STORE_BYTES, SWEEP_REQUEST } from './sweep_request.ts'
import type { VaultSums } from './vaults.ts'

const LEAST_REACH = 32
/** u32 of a lane in a column. */
const COLUMN_LIMBS = 4
const ALIGN_BYTES = 32
/** Of a lane in `held` of RecordColumns: where its records begin, its slots, its accounts, whether it succeeded. */
const HELD_LIMBS = 4
const HELD_SLOTS = 1
const HELD_ACCOUNTS = 2
/** The execution of a transaction that no pass over columns knows. */
const OTHER = 0

let compiled: WasmModule | undefined

const sweepModule = (): WasmModule => {
  compiled ??= new wasm.Module(Buffer.from(SWEEP_MODULE, 'base64'))
  return compiled
}

/** The columns of a chunk that are brought: receipts keep their own. */
interface ChunkColumns {
  readonly status: Uint8Array
  readonly executionOf: Int32Array
  readonly laneOf: Int32Array
  readonly gas: Float64Array
  readonly refund: Float64Array
  readonly gasUsed: Float64Array
}

/** What the transactions so far take of the block: the columns add to it. */
export interface BlockTaken {
  readonly gas: BlockGas
  readonly fees: FeeSum
  readonly vaults: VaultSums | undefined
  /** Of `rules.blobGas`. */
  blobGas: number
}

/** The lanes of one dispatch that belong to a chunk. */
interface ChunkLanes {
  first: number
  last: number
  /** Its number in the memory; -1 where it is to be brought there. */
  number: number
  /** Where its lanes lie in the memory as records, all of them. */
  readonly records: RecordColumns | undefined
}

/**
 * The sweep (Sweep) as a pass of WebAssembly over columns, for transactions of the plain kinds: plain transfers,
 * executions that read and write slots and nothing else, and those that say in records what they did. It decides what
 * the sweep decides, in the same order and on the same running values, and stops before a transaction that is of
 * another kind or does not stand: that one is the sweep's.
 *
 * Tables and columns of the batch lie in the memory of the module. Columns of receipts and lanes are brought there a
 * chunk at a time.
 */
export class ColumnSweep {
  readonly #batch: OpenBatch
  readonly #pass: RulesPass
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
  /** Records of what was refreshed last. */
  #heldSlots = 0
  #heldAccounts = 0

  /** Undefined where the columns of the batch lie elsewhere, or the tables do. */
  static over(batch: OpenBatch, resident: ResidentState, refundQuotient: number): ColumnSweep | undefined {
    const { pass, rules } = batch
    if (pass === undefined || pass.columns.memory !== resident.columnMemory) return undefined
    if (rules.charges !== undefined && !pass.columns.memory.has(rules.charges.l1Fee)) return undefined
    return new ColumnSweep(batch, resident, refundQuotient, pass)
  }

  private constructor(batch: OpenBatch, resident: ResidentState, refundQuotient: number, pass: RulesPass) {
    const { memory } = pass.columns
    this.#batch = batch
    this.#pass = pass
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
    const i32 = (): Int32Array => new Int32Array(this.#bytes, take(4), CHUNK)
    const f64 = (): Float64Array => new Float64Array(this.#bytes, take(8), CHUNK)
    this.#columns = {
      status: new Uint8Array(this.#bytes, take(1), CHUNK),
      executionOf: i32(),
      laneOf: i32(),
      gas: f64(),
      refund: f64(),
      gasUsed: f64(),
    }
    this.#places = new Uint32Array(this.#bytes, take(4), CHUNK)
    this.#places[OTHER] = 0
    this.#lanesFrom = at
  }

  /**
   * Settles transactions from `first` on. Returns the first that it leaves, or `end`. The gas and the fees of what it
   * settled are in `taken`.
   */
  advance(first: number, end: number, taken: BlockTaken): number {
    let i = first
    while (i < end) {
      if (i < this.#first || i >= this.#end) this.#bring(i)
      const last = Math.min(end, this.#end, i + this.#reach)
      this.#refresh(i, last)
      const stop = this.#settle(i, last, taken)
      if (stop < last) {
        this.#reach = Math.max(LEAST_REACH, 2 * (stop - i))
        return stop
      }
      this.#reach = Math.min(CHUNK, 2 * this.#reach)
      i = last
    }
    return end
  }

  /** Opens the chunk of transaction i. */
  #bring(i: number): void {
    const first = i - (i % CHUNK)
    this.#first = first
    this.#end = Math.min(this.#batch.batch.count, first + CHUNK)
    this.#lanes.clear()
    this.#executionCount = OTHER + 1
    this.#mostStores = 0
    this.#lanesAt = this.#lanesFrom
  }

  /** Brings what may have changed of [first, end), and the lanes of executions that are not there. */
  #refresh(first: number, end: number): void {
    const { status, gas, refund, gasUsed, executionOf, laneOf } = this.#batch
    const to = this.#columns
    const at = first - this.#first
    to.status.set(status.subarray(first, end), at)
    to.gas.set(gas.subarray(first, end), at)
    to.refund.set(refund.subarray(first, end), at)
    // Of what was executed before: the whole range is taken back.
    to.gasUsed.set(gasUsed.subarray(first, end), at)
    const lanes = this.#lanes
    this.#heldSlots = 0
    this.#heldAccounts = 0
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
          const records = this.#recordsOf(number)
          entry = { first: records === undefined ? lane : 0, last: lane, number: -1, records }
          lanes.set(number, entry)
        }
      }
      const held = entry!.records?.held
      if (held !== undefined) {
        this.#heldSlots += held[HELD_LIMBS * lane + HELD_SLOTS]!
        this.#heldAccounts += held[HELD_LIMBS * lane + HELD_ACCOUNTS]!
        continue
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
      if (lanes.records !== undefined) {
        this.#bringRecords(lanes, lanes.records)
        continue
      }
      const { columns } = this.#batch.executions[number]!
      const isKnown = columns !== undefined && (columns.succeeds || this.#batch.simulated === undefined)
      const at = isKnown && this.#executionCount !== CHUNK ? this.#place(columns, lanes) : 0
      lanes.number = at === 0 ? OTHER : this.#executionCount++
      if (at === 0) continue
      this.#places[lanes.number] = at
      this.#mostStores = Math.max(this.#mostStores, columns!.storeAt.length)
    }
  }

  /** The records of an execution, where a pass over them finds them. */
  #recordsOf(number: number): RecordColumns | undefined {
    const { records } = this.#batch.executions[number]!
    const { simulated, vaultIds } = this.#batch
    if (records === undefined || simulated !== undefined || vaultIds.length !== 0) return undefined
    return this.#memory.has(records.held) && this.#memory.has(records.records) ? records : undefined
  }

  /** Says where the records of a dispatch lie. */
  #bringRecords(lanes: ChunkLanes, { held, records }: RecordColumns): void {
    const at = this.#lanesAt
    if (this.#executionCount === CHUNK || at + EXECUTION_BYTES > MODULE_BYTES) {
      lanes.number = OTHER
      return
    }
    new Uint32Array(this.#bytes, at, EXECUTION_BYTES / 4).set([0, held.byteOffset, records.byteOffset, 0])
    this.#places[this.#executionCount] = at
    this.#lanesAt = at + ALIGN_BYTES
    lanes.number = this.#executionCount++
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
    if (next + columnCount * laneBytes > MODULE_BYTES) return 0
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
  #settle(first: number, end: number, taken: BlockTaken): number {
    const { accounts, slots } = this.#resident
    accounts.reserveWritten(2 * (end - first) + this.#heldAccounts)
    slots.reserveWritten(this.#mostStores * (end - first) + this.#heldSlots)
    if (this.#memory.isFull) return first
    this.#ask(taken)
    const numbers = this.#numbers
    const request = this.#request
    const stop = this.#first + this.#advance(first - this.#first, end - this.#first)
    accounts.entries = request[SWEEP_REQUEST.accountEntryCount / 4]!
    slots.entries = request[SWEEP_REQUEST.slotEntryCount / 4]!
    const { gas: block, fees, vaults } = taken
    const used = numbers[SWEEP_REQUEST.blockUsed / 8]!
    fees.addWord(request, SWEEP_REQUEST.fees / 4)
    vaults?.addColumns(used - block.used, request, SWEEP_REQUEST.l1Fees / 4, SWEEP_REQUEST.operatorFees / 4)
    block.used = used
    if (vaults !== undefined) taken.blobGas = numbers[SWEEP_REQUEST.blobGasUsed / 8]!
    const { status, gasUsed } = this.#batch
    const from = this.#columns
    const [a, b] = [first - this.#first, stop - this.#first]
    status.set(from.status.subarray(a, b), first)
    gasUsed.set(from.gasUsed.subarray(a, b), first)
    return stop
  }

  #ask({ gas: block, fees, vaults, blobGas }: BlockTaken): void {
    const { accounts, slots } = this.#resident
    const request = this.#request
    const columns = this.#columns
    for (const word of [SWEEP_REQUEST.fees, SWEEP_REQUEST.l1Fees, SWEEP_REQUEST.operatorFees])
      request.fill(0, word / 4, word / 4 + LIMBS_PER_WORD)
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
    this.#putBatch(put)
    put('executions', this.#places.byteOffset)
    put('owedMark', fees.isZero ? 0 : 1)
    put('coinbase', this.#batch.coinbaseId)
    const charges = vaults?.charges
    put('chargedMark', charges === undefined ? 0 : 1)
    put('roomMark', charges === undefined || charges.footprint.length === 0 ? 0 : 1)
    askOperator(request, SWEEP_REQUEST, charges?.operator)
    this.#numbers[SWEEP_REQUEST.blobGasUsed / 8] = blobGas
    this.#numbers[SWEEP_REQUEST.mostBlobGas / 8] = this.#batch.rules.maxBlobGas
    this.#numbers[SWEEP_REQUEST.blockUsed / 8] = block.used
    this.#numbers[SWEEP_REQUEST.blockSure / 8] = block.sure
    this.#numbers[SWEEP_REQUEST.refundQuotient / 8] = this.#refundQuotient
  }

  /** Where the columns of the chunk lie in those of the batch. */
  #putBatch(put: (field: keyof typeof SWEEP_REQUEST, at: number) => void): void {
    const { rules, fromIds, toIds, toCodes, tier, outcome } = this.#batch
    const { type, nonce, value } = this.#pass
    const first = this.#first
    put('tier', tier.byteOffset + first)
    put('outcome', outcome.byteOffset + first)
    put('type', type.byteOffset + first)
    put('rejection', rules.rejection.byteOffset + first)
    put('fromIds', fromIds.byteOffset + 4 * first)
    put('toIds', toIds.byteOffset + 4 * first)
    put('toCodes', toCodes.byteOffset + 4 * first)
    put('nonce', nonce.byteOffset + 8 * first)
    put('value', value.byteOffset + 32 * first)
    put('cost', rules.cost.byteOffset + 32 * first)
    put('price', rules.price.byteOffset + 32 * first)
    put('priority', rules.priority.byteOffset + 32 * first)
    put('intrinsic', rules.intrinsic.byteOffset + 8 * first)
    put('floor', rules.floor.byteOffset + 8 * first)
    put('gasLimit', rules.gasLimit.byteOffset + 8 * first)
    if (rules.charges === undefined) return
    put('l1Fee', rules.charges.l1Fee.byteOffset + 32 * first)
    put('blobGas', rules.blobGas.byteOffset + 8 * first)
  }
}
