/** The library: a batch of transactions in, receipts and a committed state out. */

export {
  type AccountAccess,
  accessListHash,
  type BlockAccessList,
  decodeAccessList,
  encodeAccessList,
} from './block/access_list.ts'
export type { Block, TransactionBatch, TransactionObject } from './block/batch.ts'
export type { CallObject } from './block/call_batch.ts'
export { decodeBlock } from './block/decode_block.ts'
export { decodeSigned } from './block/decode_signed.ts'
export { decodeTransaction, encodeBatch, TransactionInputError } from './block/encode_batch.ts'
export type { BlockEnvironment } from './block/environment.ts'
export { type BlobSchedule, type BlockHeader, encodeHeader, headerHash } from './block/header.ts'
export { type Log, type Receipt, Receipts } from './block/receipts.ts'
export { REJECTION, type Rejection, rejectionText } from './block/rejection.ts'
export { receiptsRoot, transactionsRoot, withdrawalsRoot } from './block/roots.ts'
export type { Withdrawal } from './block/withdrawals.ts'
export type { ComputeDevice } from './device/compute_device.ts'
export { openDevice } from './device/device.ts'
export { createGpuEvm, GpuEvm, type GpuEvmOptions, type GpuEvmReport } from './evm/gpu_evm.ts'
export type { BlockAttributes, BuildRequest, BuiltBlock, PoolRejection } from './execute/build_block.ts'
export type { AccountChange, SlotChange, TransactionChanges } from './execute/change_log.ts'
export { BlockError, type BlockInput, type BlockOptions, type BlockResult } from './execute/execute_block.ts'
export {
  createExecutor,
  type ExecuteRequest,
  type ExecutionResult,
  type Executor,
  type ExecutorOptions,
  InvalidTransactionError,
  type RejectedTransaction,
  type StageTimings,
  type TierCounts,
} from './execute/executor.ts'
export type { TransactionExplanation } from './execute/explain.ts'
export { openPathStore, type PathStore, type PathStoreOptions } from './execute/path_store.ts'
export type { CallBundle, SimulateRequest } from './execute/simulate.ts'
export type { AccessListEntry, SimulatedCall, Simulation, SimulationTier } from './execute/simulation.ts'
export { type Allocation, MemoryState } from './state/memory_state.ts'
export type { AccountOverride, StateOverrides } from './state/overlay_state.ts'
export { OverrideError } from './state/overlay_state.ts'
export type { AccountColumns, State, StateWrites } from './state/state.ts'
export { createStateTrie, type StateTrie, stateRootOf } from './state/trie.ts'
