import { LIMBS_PER_ADDRESS } from '../../../transpiler/layout/word.ts'
import type { Schedule } from '../../batch/open_batch.ts'
import type { AccountTable } from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { PathPlan } from './plan.ts'

/**
 * Accounts at the addresses of precompiles. A path calls a precompile without looking its account up: nothing that the call
 * does depends on it. But the call touches it, and a touched account that is empty goes (EIP-161; the one of RIPEMD-160 even
 * where the calling frame reverts), so the host looks there.
 */
export class PrecompileAccounts {
  readonly #resident: ResidentState
  readonly #schedule: Schedule
  /** Groups of the schedule whose precompiles are resident. */
  #groups = 0

  constructor(schedule: Schedule, resident: ResidentState) {
    this.#schedule = schedule
    this.#resident = resident
  }

  /** Makes the accounts of all precompiles that executions so far have called resident. */
  load(): void | Promise<void> {
    const { laneGroups } = this.#schedule
    const addresses: number[] = []
    for (; this.#groups < laneGroups.length; this.#groups++)
      addresses.push(...laneGroups[this.#groups]!.plan.precompiles)
    if (addresses.length === 0) return
    const count = addresses.length / LIMBS_PER_ADDRESS
    return this.#resident.accountIds(Uint32Array.from(addresses), count, new Int32Array(count))
  }
}

/** Whether an account that the path touches as a precompile exists and is empty. All of them are resident. */
export const callsEmptyPrecompile = ({ precompiles }: PathPlan, accounts: AccountTable): boolean => {
  for (let at = 0; at < precompiles.length; at += LIMBS_PER_ADDRESS)
    if (accounts.isEmpty(accounts.find(precompiles, at))) return true
  return false
}
