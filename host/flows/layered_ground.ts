import { codeSkeleton } from '../../transpiler/index.ts'
import { LayeredSnapshot } from '../state/layered_snapshot.ts'
import { RunningState } from '../state/running_state.ts'
import type { State } from '../state/state.ts'
import { ResidentState } from '../state/tables/resident_tables.ts'
import type { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'
import type { WorkGround } from './block_steps.ts'

/** A layer for changes on a state, of which nothing is committed. */
export const layerOn = (state: State): LayeredSnapshot =>
  new LayeredSnapshot(new RunningState(new ResidentState(state, codeSkeleton)))

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
