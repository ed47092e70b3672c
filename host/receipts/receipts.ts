import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import { addWaiting, BLOOM_BYTES, type BloomSet, KnownBits, noWaiting, setBloomBit } from '../chain/bloom.ts'
import { NO_LENGTH } from '../chain/lane_rows.ts'
import type { Log } from '../chain/log.ts'
import type { ReceiptSource } from '../chain/receipt_source.ts'
import { REJECTION, type Rejection } from '../chain/rejection.ts'
import { TopicBits } from '../chain/topic_bits.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { addressFromHex } from '../primitives/word.ts'
import { encodeLogs } from './encode_logs.ts'
import { rowsBetween, rowsBySource, type SourceRows } from './source_rows.ts'

/**
 * A receipt in object form (YP 4.3.1). Hex is 0x and lower case. `output` is return or revert data, which a consensus
 * receipt does not carry.
 *
 * Example: {@link Receipts}.
 */
export interface Receipt {
  readonly type: number
  readonly status: 0 | 1
  readonly gasUsed: bigint
  readonly cumulativeGasUsed: bigint
  readonly logs: readonly Log[]
  readonly logsBloom: string
  readonly output: string
  /** Of a creation that succeeded. */
  readonly contractAddress?: string
  /** Of a deposit: the sender's nonce before it. */
  readonly depositNonce?: bigint
}

/** What the EVM made of a transaction's call, without what a transaction pays around it. @internal */
export interface CallOutcome {
  /** Without the intrinsic part; the refund is not taken off. */
  readonly executionGas: bigint
  /** Refund counter at the end, before its cap. */
  readonly gasRefund: bigint
  /** Why it failed, in the words of @ethereumjs/evm; undefined where it succeeded. */
  readonly exception: string | undefined
}

/**
 * The RLP of logs without the heads of their lists: those of transaction i are the bytes offsets[i] .. offsets[i + 1].
 *
 * @internal
 */
export interface PackedLogs {
  readonly bytes: Uint8Array
  readonly offsets: Uint32Array
}

export const STATUS_SUCCESS = 1
/** Not included in the block: no gas, no receipt. */
export const STATUS_REJECTED = 2

/**
 * The columns of an open batch that has ended (OpenBatch). The receipts keep them: they are not written again.
 *
 * status                 u8[n]    STATUS_*
 * gasUsed                f64[n]   0 where rejected
 * gas, refund            f64[n]   of the execution, without the intrinsic part and before the cap; the gas is NaN where
 *                                 not known
 * executionOf, laneOf    i32[n]   index into `executions` and lane in there; -1: a plain transfer
 * rejections             u8[n]    REJECTION code of what was rejected
 *
 * @internal
 */
export interface ReceiptColumns {
  readonly status: Uint8Array
  readonly gasUsed: Float64Array
  readonly gas: Float64Array
  readonly refund: Float64Array
  readonly executionOf: Int32Array
  readonly laneOf: Int32Array
  readonly rejections: Uint8Array
  readonly executions: readonly ReceiptSource[]
}

/**
 * The receipts of a batch in columns; a receipt in object form is made on demand, and so are logs and blooms.
 *
 * status              u8[n]    STATUS_*
 * gasUsed             f64[n]   0 where rejected
 * cumulativeGasUsed   f64[n]   running sum in transaction order
 *
 * Doubles are rounded from 2^53 on: `get`, `gasUsedOf`, `cumulativeGasUsedOf` and `blockGasUsed` are exact.
 *
 * @example
 * import { createExecutor, MemoryState, receiptsRoot } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n } })
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const { receipts } = await executor.execute({
 *   env: { number: 1n, timestamp: 1n, coinbase: alice, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n },
 *   transactions: [{ from: alice, to: alice, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n }],
 * })
 * console.log(receipts.count, receipts.get(0)?.cumulativeGasUsed, receipts.blockBloom().length) // 1 21000n 256
 * console.log(receiptsRoot(receipts).length) // 66
 * executor.close()
 */
export class Receipts {
  readonly count: number
  readonly type: Uint8Array
  readonly status: Uint8Array
  readonly gasUsed: Float64Array
  readonly #columns: ReceiptColumns
  #cumulative: Float64Array | undefined
  /** Running sums where one of them passes what doubles can tell apart. */
  #wideSums: readonly bigint[] | undefined
  #rows: readonly SourceRows[] | undefined
  #blooms: Uint8Array | undefined
  /** 1 for each bit that the bloom of a transaction before `seenTo` has. */
  readonly #seen = new Uint8Array(8 * BLOOM_BYTES)
  readonly #known = new KnownBits()
  readonly #topics: TopicBits
  #seenTo = 0

  /** `topics`: of batches before. @internal */
  constructor(batch: TransactionBatch, columns: ReceiptColumns, topics = new TopicBits()) {
    this.count = batch.count
    this.type = batch.type
    this.status = columns.status
    this.gasUsed = columns.gasUsed
    this.#columns = columns
    this.#topics = topics
  }

  get cumulativeGasUsed(): Float64Array {
    if (this.#cumulative === undefined) {
      const sums = new Float64Array(this.count)
      let sum = 0
      for (let i = 0; i < this.count; i++) {
        sum += this.gasUsed[i]!
        sums[i] = sum
      }
      this.#cumulative = sums
      this.#wideSums = sum <= Number.MAX_SAFE_INTEGER ? undefined : this.#exactSums()
    }
    return this.#cumulative
  }

  /** Gas used by the whole batch; rounded from 2^53 on. */
  get totalGasUsed(): number {
    return this.count === 0 ? 0 : this.cumulativeGasUsed[this.count - 1]!
  }

  /** Gas used by the whole batch. */
  get blockGasUsed(): bigint {
    return this.count === 0 ? 0n : this.cumulativeGasUsedOf(this.count - 1)
  }

  /** Gas used by transaction i; 0 where it was rejected. */
  gasUsedOf(i: number): bigint {
    return this.#sourceOf(i)?.exactGas?.(this.#columns.laneOf[i]!).used ?? BigInt(this.gasUsed[i]!)
  }

  /** Gas used by the transactions up to i, which is one of them. */
  cumulativeGasUsedOf(i: number): bigint {
    const sums = this.cumulativeGasUsed
    return this.#wideSums === undefined ? BigInt(sums[i]!) : this.#wideSums[i]!
  }

  #exactSums(): bigint[] {
    let sum = 0n
    return Array.from({ length: this.count }, (_, i) => {
      sum += this.gasUsedOf(i)
      return sum
    })
  }

  /** Why transaction i is not included; REJECTION.none where it is. */
  rejection(i: number): Rejection | 0 {
    return this.status[i] === STATUS_REJECTED ? (this.#columns.rejections[i] as Rejection) : REJECTION.none
  }

  /** The receipt of transaction i, or undefined where it was rejected. */
  get(i: number): Receipt | undefined {
    if (i < 0 || i >= this.count) throw new RangeError(`no transaction ${i} in a batch of ${this.count}`)
    const status = this.status[i]!
    if (status === STATUS_REJECTED) return undefined
    const contractAddress = this.#sourceOf(i)?.contractAddress?.(this.#columns.laneOf[i]!)
    const depositNonce = this.depositNonce(i)
    return {
      type: this.type[i]!,
      status: status as 0 | 1,
      gasUsed: this.gasUsedOf(i),
      cumulativeGasUsed: this.cumulativeGasUsedOf(i),
      logs: this.logs(i),
      logsBloom: bytesToHex(this.blooms().subarray(BLOOM_BYTES * i, BLOOM_BYTES * (i + 1))),
      output: bytesToHex(this.output(i)),
      ...(contractAddress === undefined ? {} : { contractAddress }),
      ...(depositNonce === undefined ? {} : { depositNonce }),
    }
  }

  /** Logs of transaction i in their order; none where it failed or was rejected. */
  logs(i: number): readonly Log[] {
    return this.#sourceOf(i)?.logs(this.#columns.laneOf[i]!) ?? []
  }

  /**
   * Bytes of the RLP of the logs of every transaction, one after another, without the head of their list; 0 where it
   * was rejected, NO_LENGTH where only `logs` has them. @internal
   */
  logsLengths(): Uint32Array {
    const lengths = new Uint32Array(this.count)
    for (const rows of this.#sourceRows) rows.source.logsLengths(rows, lengths)
    return lengths
  }

  /**
   * Writes what a trie holds of the transactions at `from` up to `to`, which is not among them: the logs, for
   * transaction i from logsAt[i] on where their length is known, and the bloom to the 256 zeros from bloomAt[i] on.
   * @internal
   */
  writeRange(from: number, to: number, bytes: Uint8Array, logsAt: Uint32Array, bloomAt: Uint32Array): void {
    const blooms = this.#bloomSet(bytes, bloomAt)
    for (const all of this.#sourceRows) {
      const rows = rowsBetween(all, from, to)
      if (rows.first === rows.end) continue
      all.source.addBlooms(rows, blooms)
      all.source.writeLogs(rows, bytes, logsAt)
    }
    addWaiting(blooms)
    if (from === this.#seenTo) this.#seenTo = to
  }

  /** The logs of every transaction. @internal */
  packedLogs(): PackedLogs {
    const lengths = this.logsLengths()
    const rare = new Map<number, Uint8Array>()
    const offsets = new Uint32Array(this.count + 1)
    for (let i = 0; i < this.count; i++) {
      if (lengths[i] === NO_LENGTH) {
        const encoded = encodeLogs(this.logs(i))
        rare.set(i, encoded)
        lengths[i] = encoded.length
      }
      offsets[i + 1] = offsets[i]! + lengths[i]!
    }
    const bytes = new Uint8Array(offsets[this.count]!)
    for (const rows of this.#sourceRows) rows.source.writeLogs(rows, bytes, offsets)
    for (const [i, encoded] of rare) bytes.set(encoded, offsets[i])
    return { bytes, offsets }
  }

  /** The transactions that have a log of this address (0x-hex), in order. @internal */
  emitting(address: string): readonly number[] {
    const limbs = new Uint32Array(LIMBS_PER_ADDRESS)
    addressFromHex(limbs, 0, address)
    const marks = new Uint8Array(this.count)
    for (const rows of this.#sourceRows) rows.source.markEmitting(rows, limbs, marks)
    const found: number[] = []
    for (let i = marks.indexOf(1); i >= 0; i = marks.indexOf(1, i + 1)) found.push(i)
    return found
  }

  get #sourceRows(): readonly SourceRows[] {
    const { status, executionOf, laneOf, executions } = this.#columns
    this.#rows ??= rowsBySource(status, STATUS_REJECTED, executionOf, laneOf, executions)
    return this.#rows
  }

  /** Of a deposit: the sender's nonce before it; undefined for every other transaction. */
  depositNonce(i: number): bigint | undefined {
    return this.#sourceOf(i)?.depositNonce?.(this.#columns.laneOf[i]!)
  }

  /** Undefined where the transaction was rejected, and where only the status of a failure is known. @internal */
  callOutcome(i: number): CallOutcome | undefined {
    if (this.status[i] === STATUS_REJECTED) return undefined
    const source = this.#sourceOf(i)
    if (source === undefined) return { executionGas: 0n, gasRefund: 0n, exception: undefined }
    const { gas, refund, laneOf } = this.#columns
    const exception = source.exception(laneOf[i]!)
    if (Number.isNaN(gas[i]) || (this.status[i] === STATUS_SUCCESS) !== (exception === undefined)) return undefined
    const executionGas = source.exactGas?.(laneOf[i]!).execution ?? BigInt(gas[i]!)
    return { executionGas, gasRefund: BigInt(refund[i]!), exception }
  }

  /** Its gas as a double; not a number where `callOutcome` is undefined, or the double may be rounded. @internal */
  executionGas(i: number): number {
    const { gas, laneOf } = this.#columns
    const source = this.#sourceOf(i)
    if (source === undefined) return this.status[i] === STATUS_REJECTED ? Number.NaN : 0
    const hasFailed = source.exception(laneOf[i]!) !== undefined
    return hasFailed === (this.status[i] === STATUS_SUCCESS) || gas[i]! > Number.MAX_SAFE_INTEGER ? Number.NaN : gas[i]!
  }

  /** Positions among the logs of transaction i of those that tell of a transfer of wei. @internal */
  transfers(i: number): readonly number[] {
    return this.#sourceOf(i)?.transfers?.(this.#columns.laneOf[i]!) ?? []
  }

  /** Return or revert data of transaction i. */
  output(i: number): Uint8Array {
    return this.#sourceOf(i)?.output(this.#columns.laneOf[i]!) ?? new Uint8Array(0)
  }

  /** What executed transaction i; undefined where it was rejected, or is a plain transfer. */
  #sourceOf(i: number): ReceiptSource | undefined {
    const number = this.#columns.executionOf[i]!
    // An array has no index -1, and looks for a property of that name.
    return this.status[i] === STATUS_REJECTED || number < 0 ? undefined : this.#columns.executions[number]
  }

  /** Bloom of every transaction, 256 bytes each, zero where rejected (YP 4.3.1). */
  blooms(): Uint8Array {
    if (this.#blooms === undefined) {
      this.#blooms = new Uint8Array(BLOOM_BYTES * this.count)
      const at = new Uint32Array(this.count)
      for (let i = 0; i < this.count; i++) at[i] = BLOOM_BYTES * i
      this.#addBlooms(this.#blooms, at)
    }
    return this.#blooms
  }

  /** The bloom of the block: all of them together. */
  blockBloom(): Uint8Array {
    const block = new Uint8Array(BLOOM_BYTES)
    if (this.#seenTo < this.count) this.#addBlooms(new Uint8Array(BLOOM_BYTES), new Uint32Array(this.count))
    for (let index = 0; index < this.#seen.length; index++) if (this.#seen[index] === 1) setBloomBit(block, 0, index)
    return block
  }

  #addBlooms(bytes: Uint8Array, at: Uint32Array): void {
    const blooms = this.#bloomSet(bytes, at)
    for (const rows of this.#sourceRows) rows.source.addBlooms(rows, blooms)
    addWaiting(blooms)
    this.#seenTo = this.count
  }

  #bloomSet(bytes: Uint8Array, at: Uint32Array): BloomSet {
    return { bytes, at, seen: this.#seen, waiting: noWaiting(), known: this.#known, topics: this.#topics }
  }
}
