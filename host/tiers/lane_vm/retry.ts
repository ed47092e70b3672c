import { ENTRY_SEEN, ITEM_SLOT, ITEM_VALUE, SLOT_READ } from '../../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { Executions } from '../../batch/executions.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import type { Policy } from '../../batch/policy.ts'
import type { Retry } from '../../batch/retry.ts'
import type { Versions } from '../../batch/versions.ts'
import { ROW_BALANCE, ROW_LIMBS } from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { VmWaveCost } from './cost.ts'
import { VmExecutions } from './executions.ts'
import { vmAccountCount, vmNextRecord, vmSlotCount, vmSlotsAt } from './group.ts'
import type { VmHints } from './items.ts'
import type { VmKinds } from './profiles.ts'

/**
 * One round of the lane VM after its first: calls whose slots do not resolve to what they read, or that the running
 * values break otherwise. Each gets what its changed slots and accounts hold.
 */
export class VmRetry implements Retry {
  readonly #batch: OpenBatch
  readonly #resident: ResidentState
  readonly #kinds: VmKinds
  readonly #policy: Policy
  readonly #execute: (calls: readonly number[], hints: VmHints) => Promise<void>
  readonly #calls: number[] = []
  readonly #start = [0]
  readonly #flags: number[] = []
  readonly #ids: number[] = []
  readonly #owners: number[] = []
  readonly #values: number[] = []
  /** Of the calls so far. */
  #cost: VmWaveCost | undefined

  constructor(
    batch: OpenBatch,
    resident: ResidentState,
    kinds: VmKinds,
    policy: Policy,
    execute: (calls: readonly number[], hints: VmHints) => Promise<void>,
  ) {
    this.#batch = batch
    this.#resident = resident
    this.#kinds = kinds
    this.#policy = policy
    this.#execute = execute
  }

  get count(): number {
    return this.#calls.length
  }

  get costUs(): number {
    return this.#costs().costUs
  }

  get savesUs(): number {
    return this.#costs().savesUs
  }

  add(i: number, lane: number, executions: Executions, versions: Versions): void {
    if (!(executions instanceof VmExecutions))
      throw new Error(`an execution of ${executions.form} is not the lane VM's`)
    const { group } = executions
    const { records } = group
    const { slots, accounts } = this.#resident
    this.#calls.push(i)
    this.#cost = undefined
    let at = vmSlotsAt(group, lane)
    for (let n = vmSlotCount(group, lane); n > 0; n--, at = vmNextRecord(records, at)) {
      if ((records[at + 1]! & SLOT_READ) === 0) continue
      const slot = records[at]!
      versions.find(slot)
      if (versions.isChanged) this.#give(ITEM_SLOT, slot, slots.owners[slot]!, versions.words, versions.at)
    }
    for (let n = vmAccountCount(group, lane); n > 0; n--, at = vmNextRecord(records, at)) {
      const id = records[at]!
      if ((records[at + 1]! & ENTRY_SEEN) === 0 && id !== this.#batch.fromIds[i]) continue
      if (accounts.isWritten(id)) this.#give(0, id, 0, accounts.rows, ROW_LIMBS * id + ROW_BALANCE)
    }
    this.#start.push(this.#flags.length)
  }

  async run(): Promise<boolean> {
    const u32 = (list: readonly number[]): Uint32Array => Uint32Array.from(list)
    await this.#execute(this.#calls, {
      start: u32(this.#start),
      flags: u32(this.#flags),
      ids: u32(this.#ids),
      owners: u32(this.#owners),
      values: u32(this.#values),
    })
    return true
  }

  #costs(): VmWaveCost {
    if (this.#cost === undefined) {
      this.#cost = new VmWaveCost(this.#policy.costs)
      for (const kind of this.#kinds.of(this.#batch, this.#calls)) this.#cost.add(kind)
    }
    return this.#cost
  }

  #give(flag: number, id: number, owner: number, words: Uint32Array, at: number): void {
    this.#flags.push(ITEM_VALUE | flag)
    this.#ids.push(id)
    this.#owners.push(owner)
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++) this.#values.push(words[at + limb]!)
  }
}
