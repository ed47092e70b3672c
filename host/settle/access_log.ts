import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { Executions } from '../batch/executions.ts'
import { executionAt, hasEnded, type OpenBatch } from '../batch/open_batch.ts'
import type { Versions } from '../batch/versions.ts'
import { wordCopy } from '../primitives/word.ts'
import type { SlotTable } from '../state/tables/slot_table.ts'
import type { ListedVersions } from './listed_versions.ts'

const FIRST_ENTRIES = 1024

/**
 * Is shown every execution before whose transaction the pass stands, before its writes are entered, with the round in
 * which another run of it would find what it should read (Executions.roundOn).
 */
export type VisitExecution = (
  i: number,
  lane: number,
  executions: Executions,
  round: number,
  versions: Versions,
) => void

/**
 * The writes of the executions of all tiers from a place on, and what each read resolves to.
 *
 * The read of slot s by transaction j resolves to the last write of s by a transaction below j, else to the running
 * value at the place where the pass begins. One pass in transaction order keeps the last write of each slot
 * (`lastWrite`): what sorting the log by (slot, transaction) and searching each segment gives, and the versions of
 * deltas, which need the version below them, on the way (docs/decisions/0005-one-pass-per-round.md). A write counts
 * whether or not its execution holds; one that does not leaves versions of the round in which it would run again. What
 * has no execution yet, as a transaction of the CPU tier, writes nothing here:
 * the sweep meets it.
 *
 * entry e     one write, in (transaction, store) order
 *   slots     u32[entries]
 *   values    u32[8 entries]
 *   rounds    u32[entries]      after which round the value stands; 0 where the execution holds
 * lastWrite   i32[slot count]   entry + 1 of the last write so far, 0 = none
 */
export class AccessLog implements Versions {
  /** Where a list came with the block: its versions take the place of those that executions write. */
  listed: ListedVersions | undefined
  words: Uint32Array = new Uint32Array(0)
  at = 0
  isChanged = false
  round = 0
  readonly #table: SlotTable
  // Most batches never ask.
  #slots = new Uint32Array(0)
  #values = new Uint32Array(0)
  #rounds = new Uint32Array(0)
  #entries = 0
  /** Of the execution whose writes are entered. */
  #own = 0
  #lastWrite = new Int32Array(0)

  constructor(table: SlotTable) {
    this.#table = table
  }

  get values(): Uint32Array {
    return this.#values
  }

  /** Passes over the executions of [first, end); the table's values are those at the place of `first`. */
  resolve(batch: OpenBatch, first: number, end: number, visit: VisitExecution): void {
    this.#begin()
    for (let i = first; i < end; i++) this.#pass(batch, i, visit)
    this.#end()
  }

  /** Calls `visit` before each of these transactions from `first` on, which ascend and may repeat. */
  resolveAt(
    batch: OpenBatch,
    first: number,
    transactions: ArrayLike<number>,
    visit: (n: number, versions: Versions) => void,
  ): void {
    this.#begin()
    let i = first
    for (let n = 0; n < transactions.length; n++) {
      for (; i < transactions[n]!; i++) this.#pass(batch, i)
      visit(n, this)
    }
    this.#end()
  }

  find(slot: number): void {
    const version = this.#lastWrite[slot] ?? 0
    if (version === 0) {
      this.words = this.#table.values
      this.at = slot * LIMBS_PER_WORD
      this.isChanged = this.#table.entryOf[slot] !== 0
      this.round = 0
    } else {
      this.words = this.#values
      this.at = (version - 1) * LIMBS_PER_WORD
      this.isChanged = true
      this.round = this.#rounds[version - 1]!
    }
  }

  write(slot: number, moves: boolean): number {
    const entry = this.#entries++
    if (entry === this.#slots.length) {
      this.#slots = doubled(this.#slots)
      this.#values = doubled(this.#values)
      this.#rounds = doubled(this.#rounds)
    }
    this.#rounds[entry] = moves ? Math.max(this.#own, this.round) : this.#own
    this.#slots[entry] = slot
    this.#lastWrite[slot] = entry + 1
    return entry * LIMBS_PER_WORD
  }

  #begin(): void {
    if (this.#slots.length === 0) {
      this.#slots = new Uint32Array(FIRST_ENTRIES)
      this.#values = new Uint32Array(FIRST_ENTRIES * LIMBS_PER_WORD)
      this.#rounds = new Uint32Array(FIRST_ENTRIES)
    }
    if (this.#lastWrite.length < this.#table.count) this.#lastWrite = new Int32Array(2 * this.#table.count)
  }

  #pass(batch: OpenBatch, i: number, visit?: VisitExecution): void {
    if (hasEnded(batch, i)) {
      const executions = executionAt(batch, i)
      const lane = batch.laneOf[i]!
      if (executions !== undefined) {
        this.#own = visit === undefined ? 0 : executions.roundOn(lane, this)
        visit?.(i, lane, executions, this.#own, this)
        if (this.listed === undefined) executions.writeTo(lane, this)
        this.#own = 0
      }
    }
    if (this.listed !== undefined) this.#enterListed(this.listed, i)
  }

  #end(): void {
    for (let e = 0; e < this.#entries; e++) this.#lastWrite[this.#slots[e]!] = 0
    this.#entries = 0
  }

  #enterListed({ start, slots, values }: ListedVersions, i: number): void {
    for (let n = start[i]!; n < start[i + 1]!; n++) {
      const at = this.write(slots[n]!, false)
      wordCopy(this.#values, at, values, n * LIMBS_PER_WORD)
    }
  }
}

const doubled = (from: Uint32Array): Uint32Array<ArrayBuffer> => {
  const to = new Uint32Array(2 * from.length)
  to.set(from)
  return to
}
