import type { BlockAccessList } from '../chain/access_list.ts'
import type { OpCharges } from '../chain/op/charges.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { ChangeRecorder } from '../settle/change_recorder.ts'
import type { RenewSink, RunningState } from '../state/running_state.ts'
import type { SnapshotWrites, StateSnapshot } from '../state/snapshot.ts'
import type { StateWrites } from '../state/state.ts'
import type { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'

/** What the work around transactions stands on: a state that takes writes, and who must know of new account ids. */
export interface WorkGround {
  readonly running: StateSnapshot & { apply(writes: SnapshotWrites, sink: RenewSink): Promise<void> }
  readonly cpu: CpuTier
  readonly sink: RenewSink
  readonly recorder: ChangeRecorder | undefined
}

/** What a step of a block works on: the running state. */
export interface BlockGround extends WorkGround {
  readonly running: RunningState
}

/** The same after the transactions. */
export interface EndedGround extends BlockGround {
  /** What they take of the block's blob gas, or of its room for data on the OP stack. */
  readonly blobGasUsed: number
  readonly charges: OpCharges | undefined
}

/** What a block does around its transactions, in the same commit. A step that throws leaves everything as it was. */
export interface BlockSteps {
  /** What a transaction that may not be included does to the block. */
  readonly invalid: 'skip' | 'throw'
  /** A list that came with the block: loaded ahead, and believed as far as that can do no harm. */
  readonly accessList?: BlockAccessList | undefined
  /** Milliseconds that `before` and `after` have spent on roots. */
  readonly rootsMs: number
  /** Before the first transaction. */
  before(ground: BlockGround): Promise<void>
  /** After the last. */
  after(ground: EndedGround, receipts: Receipts): Promise<void>
  /** The last word before the commit. */
  check(ground: EndedGround, receipts: Receipts, writes: StateWrites): Promise<void>
}
