import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { OpenBatch } from '../batch/open_batch.ts'
import type { CpuExecution } from '../batch/outcome.ts'
import type { PlaceEntry } from '../batch/tier.ts'
import { VAULTS } from '../chain/op/predeploys.ts'
import type { Rejection } from '../chain/rejection.ts'
import { wordFromBigInt } from '../primitives/word.ts'
import type { RunningState } from '../state/running_state.ts'
import type { Sweep } from './sweep.ts'

/** Enters outcomes in object form where the sweep stands. */
export class OutcomeEntry implements PlaceEntry {
  readonly #batch: OpenBatch
  readonly #running: RunningState
  readonly #sweep: Sweep
  readonly #learn: (i: number, execution: CpuExecution) => void
  readonly #fee = new Uint32Array(LIMBS_PER_WORD)

  /** `learn` is told of each execution. */
  constructor(
    batch: OpenBatch,
    running: RunningState,
    sweep: Sweep,
    learn: (i: number, execution: CpuExecution) => void,
  ) {
    this.#batch = batch
    this.#running = running
    this.#sweep = sweep
    this.#learn = learn
  }

  reject(i: number, rejection: Rejection): void {
    this.#sweep.reject(i, rejection)
  }

  async enter(i: number, execution: CpuExecution): Promise<void> {
    const sweep = this.#sweep
    const { reads, writes, coinbaseFee, vaultFees, gasUsed } = execution
    this.#learn(i, execution)
    const payees = [this.#batch.env.coinbase.toLowerCase(), ...(vaultFees === undefined ? [] : VAULTS)]
    await sweep.recorder?.openOutcome(reads, writes, payees)
    await this.#running.apply(writes, sweep)
    if (coinbaseFee !== undefined) {
      wordFromBigInt(this.#fee, 0, coinbaseFee)
      sweep.payCoinbase(this.#fee, 0)
    }
    for (const [n, fee] of (vaultFees ?? []).entries()) {
      if (fee === undefined) continue
      wordFromBigInt(this.#fee, 0, fee)
      sweep.payVault(n, this.#fee, 0)
    }
    sweep.finish(i, gasUsed)
    sweep.recorder?.close(i)
  }
}
