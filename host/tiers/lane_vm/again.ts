import { ITEM_SLOT, ITEM_VALUE, SLOT_READ, VM_EXITS } from '../../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { hasEnded, OUTCOME_NONE, type Schedule, TIER_VM } from '../../batch/open_batch.ts'
import type { Policy } from '../../batch/policy.ts'
import { wordEquals } from '../../primitives/word.ts'
import { ROW_BALANCE, ROW_LIMBS } from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { VmExecutions } from './executions.ts'
import { type VmGroup, vmAccountCount, vmExit, vmSlotCount } from './group.ts'
import {
  ACCOUNT_RECORD_LIMBS,
  ENTRY_SEEN,
  RECORD_BEFORE,
  RECORD_PRESENT,
  SLOT_RECORD_LIMBS,
  VM_EMPTY,
  VM_HOLDS,
  VmStore,
} from './held.ts'
import type { VmHints } from './items.ts'
import type { VmStage } from './tier.ts'

/** With `waves: 'always'`: fewer broken transactions are left to the CPU tier. */
const LEAST_BROKEN = 2
/** Conflicts left to the CPU tier before the next round; four times as many after each round in vain. */
const FIRST_PAUSE = 32
const MOST_ROUNDS = 32
const LIMB = 0x1_0000_0000

/**
 * Rounds of the lane VM after the first. Where the sweep meets an execution that read what has changed since, all those behind it
 * that do not hold, too, run again together, each on the values that it should have read, as long as such a round has saved the CPU tier more than it cost. A
 * chain, in which each round makes only its first transaction valid, soon does not. Counts decide, not times.
 */
export class VmRounds {
  rounds = 0
  readonly #schedule: Schedule
  readonly #resident: ResidentState
  readonly #stage: VmStage
  readonly #store: VmStore
  readonly #always: boolean
  /** Those that the last round executed. */
  #last: readonly number[] = []
  #pause = 0
  #nextPause = FIRST_PAUSE

  constructor(schedule: Schedule, resident: ResidentState, stage: VmStage, waves: Policy['waves']) {
    this.#schedule = schedule
    this.#resident = resident
    this.#stage = stage
    this.#store = new VmStore(schedule, resident)
    this.#always = waves === 'always'
  }

  /** Runs a round for the broken transactions of [i, end). True where `i`, at which the sweep stands, has another execution now. */
  async run(i: number, end: number): Promise<boolean> {
    const { tier, executionOf } = this.#schedule
    if (tier[i] !== TIER_VM || this.rounds === MOST_ROUNDS || this.#resident.accounts.renewed) return false
    if (this.#pause > 0) {
      this.#pause--
      return false
    }
    if (!this.#isBroken(i)) return false
    const held = this.#last.filter((j) => j < i)
    if (this.#last.length > 0 && !this.#isWorthRound(held, this.#last.length / 2)) {
      this.#last = []
      this.#pause = this.#nextPause
      this.#nextPause *= 4
      return false
    }
    const { broken, hints } = this.#resolve(i, end)
    if (!this.#isWorthRound(broken, LEAST_BROKEN)) {
      this.#pause = broken.length
      return false
    }
    const before = executionOf[i]
    this.#last = broken
    this.rounds++
    await this.#stage.again(this.#schedule, broken, hints)
    return tier[i] === TIER_VM && executionOf[i] !== before
  }

  #isWorthRound(calls: readonly number[], least: number): boolean {
    return this.#always ? calls.length >= least : this.#stage.isWorthWave(this.#schedule, calls)
  }

  /** Whether its execution does not hold on the running values, and may on others that a lane can be given. */
  #isBroken(i: number): boolean {
    if (!this.#isOpen(i)) return false
    const { group, lane } = this.#execution(i)
    const broken = this.#store.broken(group, lane, i, this.#schedule.fromIds[i]!)
    return broken !== VM_HOLDS && broken !== VM_EMPTY
  }

  #isOpen(i: number): boolean {
    const { tier, outcome } = this.#schedule
    return tier[i] === TIER_VM && outcome[i] === OUTCOME_NONE && hasEnded(this.#schedule, i)
  }

  /**
   * The transactions of [first, end) whose slots do not resolve to what they read, or that are broken by the running values, and
   * what those of them that were written in this batch hold at their places. The read of a slot resolves to the last write of it by
   * an execution from `first` on, whether or not that one holds, else to the running value.
   */
  #resolve(first: number, end: number): { readonly broken: number[]; readonly hints: VmHints } {
    const { executionOf, fromIds } = this.#schedule
    const { slots, accounts } = this.#resident
    const broken: number[] = []
    const start = [0]
    const flags: number[] = []
    const ids: number[] = []
    const owners: number[] = []
    const values: number[] = []
    /** By slot: where its last written value stands, as group * 2^32 + limb. */
    const writes = new Map<number, number>()
    const give = (flag: number, id: number, owner: number, words: Uint32Array, at: number): void => {
      flags.push(ITEM_VALUE | flag)
      ids.push(id)
      owners.push(owner)
      for (let limb = 0; limb < LIMBS_PER_WORD; limb++) values.push(words[at + limb]!)
    }
    for (let i = first; i < end; i++) {
      if (!this.#isOpen(i)) continue
      const { group, lane } = this.#execution(i)
      const { words } = group
      const slotsAt = group.slotsAt[lane]!
      const slotsEnd = slotsAt + SLOT_RECORD_LIMBS * vmSlotCount(group, lane)
      let holds = true
      for (let at = slotsAt; at < slotsEnd && holds; at += SLOT_RECORD_LIMBS) {
        const write = writes.get(words[at]!)
        if (write === undefined || (words[at + 1]! & SLOT_READ) === 0) continue
        const written = this.#group(Math.floor(write / LIMB)).words
        holds = wordEquals(words, at + RECORD_BEFORE, written, write % LIMB)
      }
      if (!holds || this.#isBroken(i)) {
        broken.push(i)
        for (let at = slotsAt; at < slotsEnd; at += SLOT_RECORD_LIMBS) {
          const slot = words[at]!
          if ((words[at + 1]! & SLOT_READ) === 0) continue
          const write = writes.get(slot)
          const owner = slots.owners[slot]!
          if (write !== undefined)
            give(ITEM_SLOT, slot, owner, this.#group(Math.floor(write / LIMB)).words, write % LIMB)
          else if (slots.entryOf[slot] !== 0) give(ITEM_SLOT, slot, owner, slots.values, LIMBS_PER_WORD * slot)
        }
        let at = group.accountsAt[lane]!
        for (let k = vmAccountCount(group, lane); k > 0; k--, at += ACCOUNT_RECORD_LIMBS) {
          const id = words[at]!
          if ((words[at + 1]! & ENTRY_SEEN) === 0 && id !== fromIds[i]) continue
          if (accounts.isWritten(id)) give(0, id, 0, accounts.rows, ROW_LIMBS * id + ROW_BALANCE)
        }
        start.push(flags.length)
      }
      if (vmExit(group, lane) !== VM_EXITS.succeeded) continue
      for (let at = slotsAt; at < slotsEnd; at += SLOT_RECORD_LIMBS) {
        if (wordEquals(words, at + RECORD_BEFORE, words, at + RECORD_PRESENT)) continue
        writes.set(words[at]!, executionOf[i]! * LIMB + at + RECORD_PRESENT)
      }
    }
    const u32 = (list: readonly number[]): Uint32Array => Uint32Array.from(list)
    const hints = { start: u32(start), flags: u32(flags), ids: u32(ids), owners: u32(owners), values: u32(values) }
    return { broken, hints }
  }

  #execution(i: number): { readonly group: VmGroup; readonly lane: number } {
    const { executionOf, laneOf } = this.#schedule
    return { group: this.#group(executionOf[i]!), lane: laneOf[i]! }
  }

  #group(number: number): VmGroup {
    const found = this.#schedule.executions[number]
    if (!(found instanceof VmExecutions)) throw new Error(`execution ${number} is of another tier`)
    return found.group
  }
}
