import { codeSkeleton } from '../../transpiler/index.ts'
import type { CpuExecution } from '../batch/outcome.ts'
import { VAULTS } from '../chain/op/predeploys.ts'
import { LayeredSnapshot } from '../state/layered_snapshot.ts'
import { RunningState } from '../state/running_state.ts'
import type { State } from '../state/state.ts'
import { ResidentState } from '../state/tables/resident_tables.ts'
import type { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'
import type { WorkGround } from './block_steps.ts'

/** A layer for changes on a state, of which nothing is committed. */
export const layerOn = (state: State): LayeredSnapshot =>
  new LayeredSnapshot(new RunningState(new ResidentState(state, codeSkeleton)))

/** Enters what a transaction came to, with the fees for the coinbase and, on the OP stack, for the vaults. */
export const applyOutcome = async (layer: LayeredSnapshot, outcome: CpuExecution, coinbase: string): Promise<void> => {
  await layer.apply(outcome, coinbase)
  for (const [n, fee] of (outcome.vaultFees ?? []).entries()) if (fee !== undefined) await layer.pay(VAULTS[n]!, fee)
}

/** What the work around the transactions of a block stands on, where its changes go to a layer. */
export const groundOn = (layer: LayeredSnapshot, cpu: CpuTier): WorkGround => ({
  cpu,
  running: {
    account: (address) => layer.account(address),
    storage: (address, key) => layer.storage(address, key),
    code: (codeHash) => layer.code(codeHash),
    hasStorage: (address) => layer.hasStorage(address),
    blockHash: (number) => layer.blockHash(number),
    apply: (writes) => layer.apply({ writes, coinbaseFee: undefined }, ''),
  },
  sink: { codeChanged: false, renew: () => undefined },
  recorder: undefined,
})
