import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { MISSING } from '../../transpiler/path_kernel.ts'
import { hasEnded, type Schedule, TIER_LANE } from '../batch/open_batch.ts'
import { wordCopy } from '../primitives/word.ts'
import type { SlotTable } from '../state/tables/slot_table.ts'
import type { LaneGroup } from '../tiers/path/columns.ts'
import { pathGroup } from '../tiers/path/executions.ts'
import { laneReadHolds, laneSlot, laneStored } from '../tiers/path/lanes.ts'
import { HINT_LIMBS } from '../tiers/path/plan.ts'
import type { ListedVersions } from './listed_versions.ts'

/**
 * Device executions whose reads do not resolve to what they read.
 *
 * transactions   i32[count]                          ascending
 * hintAt         u32[count]                          first limb of the transaction's hints
 * hints          u32[12 per slot look-up of its path] value (8 limbs), slot id, 0, 0, 0: what the look-up should have
 *                                                     read; slot id MISSING where the base value is right
 */
export interface Stale {
  count: number
  readonly transactions: Int32Array
  readonly hintAt: Uint32Array
  hints: Uint32Array
}

const FIRST_ENTRIES = 1024

/** Where an execution of a transaction stands whose look-ups are asked for: it need not be the transaction's own. */
export interface Place {
  readonly transaction: number
  readonly group: LaneGroup
  readonly lane: number
}

/**
 * The versions that the device executions of one round write, and the resolution of every read against them.
 *
 * The read of slot s by transaction j resolves to the last write of s by a transaction below j, else to the base value.
 * One walk in transaction order keeps the last write of each slot (`lastWrite`): what sorting the log by (slot, transaction)
 * and searching each segment gives, and the versions of deltas, which need the version below them, on the way
 * (docs/decisions/0005-one-pass-per-round.md).
 *
 * entry e     one write, in (transaction, store) order
 *   slots     u32[entries]
 *   values    u32[8 entries]
 * lastWrite   i32[slot count]   entry + 1 of the last write so far, 0 = none
 *
 * A read is also valid where the version differs and the value does not, or where the transaction only moves the slot by a
 * delta whose conditions hold for the version's value. Writes of the other tiers are not known here:
 * the sweep meets them.
 */
export class VersionLog {
  /** Where a list came with the block: its versions take the place of those that executions write. */
  listed: ListedVersions | undefined
  // Most batches never ask.
  #slots = new Uint32Array(0)
  #values = new Uint32Array(0)
  #entries = 0
  #lastWrite = new Int32Array(0)

  /**
   * Resolves the reads of transactions from `first` on; the table's values are those at the place of `first`. With `places`
   * (ascending by transaction) it gives instead, for each of them, what the slots that it looked at hold at its transaction's place.
   */
  resolve(schedule: Schedule, table: SlotTable, first: number, places?: readonly Place[]): Stale {
    const { batch, tier, laneOf } = schedule
    if (this.#slots.length === 0) {
      this.#slots = new Uint32Array(FIRST_ENTRIES)
      this.#values = new Uint32Array(FIRST_ENTRIES * LIMBS_PER_WORD)
    }
    if (this.#lastWrite.length < table.count) this.#lastWrite = new Int32Array(2 * table.count)
    const lastWrite = this.#lastWrite
    const most = places?.length ?? batch.count
    const stale: Stale = {
      count: 0,
      transactions: new Int32Array(most),
      hintAt: new Uint32Array(most),
      hints: new Uint32Array(1024),
    }
    let hintLimbs = 0
    const give = (i: number, group: LaneGroup, lane: number): void => {
      const { count } = group.plan.slots
      const end = hintLimbs + count * HINT_LIMBS
      if (end > stale.hints.length) stale.hints = doubled(stale.hints, end)
      stale.transactions[stale.count] = i
      stale.hintAt[stale.count] = hintLimbs
      stale.count++
      for (let k = 0; k < count; k++)
        this.#hint(stale.hints, hintLimbs + k * HINT_LIMBS, laneSlot(group, lane, k), table)
      hintLimbs = end
    }
    for (let i = first; i < batch.count; i++) {
      if (places !== undefined) {
        if (stale.count === places.length) break
        for (let place = places[stale.count]; place?.transaction === i; place = places[stale.count])
          give(i, place.group, place.lane)
      }
      const { listed } = this
      // Later ranges are not executed yet.
      const group = tier[i] === TIER_LANE && hasEnded(schedule, i) ? pathGroup(schedule, i) : undefined
      if (group === undefined) {
        if (listed !== undefined) this.#enterListed(listed, i)
        continue
      }
      const lane = laneOf[i]!
      const { plan, hinted } = group
      const { count } = plan.slots
      let valid = true
      for (let k = 0; places === undefined && k < count && valid; k++) {
        const slot = laneSlot(group, lane, k)
        const version = lastWrite[slot]!
        if (version === 0) {
          if (hinted || table.entryOf[slot] !== 0)
            valid = laneReadHolds(group, lane, k, slot, table, table.values, slot * LIMBS_PER_WORD)
        } else valid = laneReadHolds(group, lane, k, slot, table, this.#values, (version - 1) * LIMBS_PER_WORD)
      }
      if (!valid) give(i, group, lane)
      if (listed !== undefined) {
        this.#enterListed(listed, i)
        continue
      }
      for (let store = 0; store < plan.storeSlots.length; store++) {
        const slot = laneSlot(group, lane, plan.storeSlots[store]!)
        const entry = this.#append(slot)
        const version = lastWrite[slot]!
        const current = version === 0 ? table.values : this.#values
        const at = (version === 0 ? slot : version - 1) * LIMBS_PER_WORD
        laneStored(group, lane, store, current, at, this.#values, entry * LIMBS_PER_WORD)
        lastWrite[slot] = entry + 1
      }
    }
    for (let e = 0; e < this.#entries; e++) lastWrite[this.#slots[e]!] = 0
    this.#entries = 0
    return stale
  }

  #enterListed({ start, slots, values }: ListedVersions, i: number): void {
    for (let n = start[i]!; n < start[i + 1]!; n++) {
      const slot = slots[n]!
      const entry = this.#append(slot)
      wordCopy(this.#values, entry * LIMBS_PER_WORD, values, n * LIMBS_PER_WORD)
      this.#lastWrite[slot] = entry + 1
    }
  }

  /** What a read of `slot` resolves to now. */
  #hint(hints: Uint32Array, at: number, slot: number, table: SlotTable): void {
    const version = this.#lastWrite[slot]!
    const words = version === 0 ? table.values : this.#values
    const from = (version === 0 ? slot : version - 1) * LIMBS_PER_WORD
    const isBase = table.equalsBase(slot, words, from)
    hints[at + LIMBS_PER_WORD] = isBase ? MISSING : slot
    if (!isBase) wordCopy(hints, at, words, from)
  }

  /** A new entry for `slot`; its value is for the caller to write. */
  #append(slot: number): number {
    const entry = this.#entries++
    if (entry === this.#slots.length) {
      this.#slots = doubled(this.#slots, 0)
      this.#values = doubled(this.#values, 0)
    }
    this.#slots[entry] = slot
    return entry
  }
}

const doubled = (from: Uint32Array, least: number): Uint32Array<ArrayBuffer> => {
  const to = new Uint32Array(Math.max(2 * from.length, least))
  to.set(from)
  return to
}
