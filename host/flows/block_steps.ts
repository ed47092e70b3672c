import type { BlockAccessList } from '../chain/access_list.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { ChangeRecorder } from '../settle/change_recorder.ts'
import type { RenewSink, RunningState } from '../state/running_state.ts'
import type { StateWrites } from '../state/state.ts'
import type { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'

/** What a step of a block works on: the running state, and who must know of new account ids. */
export interface BlockGround {
  readonly running: RunningState
  readonly cpu: CpuTier
  readonly sink: RenewSink
  readonly recorder: ChangeRecorder | undefined
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
  after(ground: BlockGround, receipts: Receipts): Promise<void>
  /** The last word before the commit. */
  check(ground: BlockGround, receipts: Receipts, writes: StateWrites): Promise<void>
}
