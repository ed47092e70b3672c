import { MISSING } from '../../../transpiler/index.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { PathGroup } from './columns.ts'
import { loadMemos } from './memos.ts'
import { COLUMN_LIMBS, type PathPlan } from './plan.ts'

/**
 * Loads what the missed lanes of a group looked up: accounts first, then the slots of accounts that are known. `toIds`
 * are the entry accounts by transaction. What they looked up of memos is computed.
 */
export const loadMissed = async (
  group: PathGroup,
  missed: readonly number[],
  toIds: Int32Array,
  resident: ResidentState,
  precompiles: Precompiles,
): Promise<void> => {
  const { plan, lanesOut, laneCount } = group
  for (const kind of ['accounts', 'slots'] as const) {
    const { columns, components, keyColumns, owners, count } = plan[kind]
    for (let k = 0; k < count; k++) {
      if (kind === 'slots' && plan.memos[k] !== undefined) {
        await loadMemos(group, missed, k, resident, precompiles)
        continue
      }
      const limbs = kind === 'accounts' ? LIMBS_PER_ADDRESS : LIMBS_PER_WORD
      const keys = new Uint32Array(limbs * missed.length)
      const ownerIds = new Int32Array(missed.length)
      const lanes = new Int32Array(missed.length)
      let wanted = 0
      for (const lane of missed) {
        if (lanesOut[(columns[k]! * laneCount + lane) * COLUMN_LIMBS + components[k]!] !== MISSING) continue
        if (kind === 'slots') {
          const owner = ownerOf(plan, owners[k]!, group, lane, toIds)
          if (owner === MISSING) continue
          ownerIds[wanted] = owner
        }
        const low = (keyColumns[k]! * laneCount + lane) * COLUMN_LIMBS
        const high = low + laneCount * COLUMN_LIMBS
        for (let limb = 0; limb < limbs; limb++)
          keys[limbs * wanted + limb] = lanesOut[limb < COLUMN_LIMBS ? low + limb : high + limb - COLUMN_LIMBS]!
        lanes[wanted++] = lane
      }
      if (wanted === 0) continue
      const ids = new Int32Array(wanted)
      if (kind === 'slots') {
        await resident.slotIds(ownerIds, keys, wanted, ids)
        continue
      }
      await resident.accountIds(keys, wanted, ids)
      // The lane is run again; its slots of this account can be loaded with it already.
      for (let w = 0; w < wanted; w++)
        lanesOut[(columns[k]! * laneCount + lanes[w]!) * COLUMN_LIMBS + components[k]!] = ids[w]!
    }
  }
}

/** Account id that a slot look-up belongs to: -1 is the entry account, else an account look-up of the path. */
const ownerOf = (plan: PathPlan, owner: number, group: PathGroup, lane: number, toIds: Int32Array): number => {
  if (owner < 0) return toIds[group.transactions[lane]!]!
  const lookup = plan.kernel.lookups[owner]!
  return group.lanesOut[(lookup.column * group.laneCount + lane) * COLUMN_LIMBS + lookup.component]!
}
