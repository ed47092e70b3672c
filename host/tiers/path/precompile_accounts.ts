import { LIMBS_PER_ADDRESS } from '../../../transpiler/layout/word.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { PathExecutions } from './executions.ts'

/**
 * Accounts at the addresses of precompiles. A path calls a precompile without looking its account up: nothing that the
 * call does depends on it. But the call touches it, and a touched account that is empty goes (EIP-161; the one of
 * RIPEMD-160 even where the calling frame reverts), so the host looks there.
 */
export class PrecompileAccounts {
  readonly #resident: ResidentState
  readonly #openBatch: OpenBatch
  /** Executions of the batch whose precompiles are resident. */
  #known = 0

  constructor(openBatch: OpenBatch, resident: ResidentState) {
    this.#openBatch = openBatch
    this.#resident = resident
  }

  /** Makes the accounts of all precompiles that executions so far have called resident. */
  load(): void | Promise<void> {
    const { executions } = this.#openBatch
    const addresses: number[] = []
    for (; this.#known < executions.length; this.#known++) {
      const known = executions[this.#known]
      if (known instanceof PathExecutions) addresses.push(...known.group.plan.precompiles)
    }
    if (addresses.length === 0) return
    const count = addresses.length / LIMBS_PER_ADDRESS
    return this.#resident.accountIds(Uint32Array.from(addresses), count, new Int32Array(count))
  }
}
