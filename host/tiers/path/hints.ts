import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { MISSING } from '../../../transpiler/path_kernel.ts'
import type { Versions } from '../../batch/versions.ts'
import { wordCopy } from '../../primitives/word.ts'
import type { SlotTable } from '../../state/tables/slot_table.ts'
import type { PathGroup } from './columns.ts'
import { laneSlot } from './lanes.ts'
import { HINT_LIMBS } from './plan.ts'

const FIRST_LIMBS = 1024

/**
 * What the slot look-ups of lanes should have read.
 *
 * transactions   i32[count]                            in the order of their places
 * at             u32[count]                            first limb of the transaction's hints
 * words          u32[12 per slot look-up of its path]   value (8 limbs), slot id, 0, 0, 0; slot id MISSING where the
 *                                                       base value is right
 */
export class Hints {
  readonly transactions: number[] = []
  readonly at: number[] = []
  words = new Uint32Array(FIRST_LIMBS)
  readonly #table: SlotTable
  #limbs = 0

  constructor(table: SlotTable) {
    this.#table = table
  }

  get count(): number {
    return this.transactions.length
  }

  /** Adds what the slots that a lane looked up hold before transaction i, which need not be the lane's own. */
  add(i: number, group: PathGroup, lane: number, versions: Versions): void {
    const { count } = group.plan.slots
    const end = this.#limbs + count * HINT_LIMBS
    if (end > this.words.length) {
      const wider = new Uint32Array(Math.max(2 * this.words.length, end))
      wider.set(this.words)
      this.words = wider
    }
    this.transactions.push(i)
    this.at.push(this.#limbs)
    for (let k = 0; k < count; k++) this.#write(this.#limbs + k * HINT_LIMBS, laneSlot(group, lane, k), versions)
    this.#limbs = end
  }

  #write(at: number, slot: number, versions: Versions): void {
    versions.find(slot)
    const isBase = this.#table.equalsBase(slot, versions.words, versions.at)
    this.words[at + LIMBS_PER_WORD] = isBase ? MISSING : slot
    if (!isBase) wordCopy(this.words, at, versions.words, versions.at)
  }
}
