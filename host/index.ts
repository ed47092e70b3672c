/** The library: a batch of transactions in, receipts and a committed state out. */

export { FORKS, type Fork, isAtLeast, isFork } from '../transpiler/spec/forks.ts'
export {
  AccessListError,
  type AccountAccess,
  accessListHash,
  type BlockAccessList,
  decodeAccessList,
  encodeAccessList,
  type SlotAccess,
  type StepValue,
} from './block/access_list.ts'
export type {
  Authorization,
  AuthorizationSignature,
  Block,
  TransactionBatch,
  TransactionExtras,
  TransactionObject,
} from './block/batch.ts'
export type { BlobParameters } from './block/blob_schedule.ts'
export type { CallObject } from './block/call_batch.ts'
export { BlockInputError, type DecodedBlock, decodeBlock } from './block/decode_block.ts'
export { type DecodeOptions, decodeSigned } from './block/decode_signed.ts'
export { decodeTransaction, encodeBatch, TransactionInputError } from './block/encode_batch.ts'
export type { BlockEnvironment } from './block/environment.ts'
export { type GenesisFields, genesisHeader } from './block/genesis_header.ts'
export { type BlobSchedule, type BlockHeader, EMPTY_LIST_HASH, encodeHeader, headerHash } from './block/header.ts'
export { type Log, type Receipt, Receipts } from './block/receipts.ts'
export { REJECTION, type Rejection, rejectionText } from './block/rejection.ts'
export type { Requests } from './block/requests.ts'
export { type ReceiptExtras, receiptsRoot, transactionsRoot, withdrawalsRoot } from './block/roots.ts'
export type { Withdrawal } from './block/withdrawals.ts'
export { type AdapterReport, listAdapters, NoAdapterError } from './device/adapter.ts'
export type { ComputeDevice } from './device/compute_device.ts'
export { type DeviceOptions, openDevice, type Robustness } from './device/device.ts'
export { DeviceLostError, OutOfMemoryError, ValidationError } from './device/fault.ts'
export { ShaderCompileError, type ShaderMessage } from './device/kernel.ts'
export type { AdapterKind } from './device/manifest.ts'
export type { DelegationReason } from './evm/block_preview.ts'
export { createGpuEvm, GpuEvm, type GpuEvmOptions, type GpuEvmReport } from './evm/gpu_evm.ts'
export type { BlockYield } from './execute/block_work.ts'
export type { BlockAttributes, BuildRequest, BuiltBlock, PoolRejection } from './execute/build_block.ts'
export { ExecutorClosedError } from './execute/call_queue.ts'
export type { AccountChange, SlotChange, TransactionChanges } from './execute/change_log.ts'
export type { AccountView } from './execute/cpu_result.ts'
export type { DeviceTimes, KernelTime } from './execute/device_clock.ts'
export { deviceCosts } from './execute/device_costs.ts'
export type { DeviceCosts } from './execute/dispatch_cost.ts'
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
export type { DeviceSource, LostDevicePolicy } from './execute/executor_device.ts'
export type { TransactionExplanation } from './execute/explain.ts'
export type { CompileMode } from './execute/path_library.ts'
export { openPathStore, type PathStore, type PathStoreOptions } from './execute/path_store.ts'
export type { CallBundle, SimulateRequest } from './execute/simulate.ts'
export type {
  AccessListEntry,
  SimulatedCall,
  Simulation,
  SimulationTier,
  SimulationTimings,
} from './execute/simulation.ts'
export { InputError } from './state/input.ts'
export { EMPTY_CODE_HASH, keccak256, keccak256Hex } from './state/keccak.ts'
export { type AllocatedAccount, type Allocation, type DumpedAccount, MemoryState } from './state/memory_state.ts'
export type { AccountOverride, StateOverrides } from './state/overlay_state.ts'
export { OverrideError } from './state/overlay_state.ts'
export { EMPTY_TRIE_ROOT } from './state/sorted_trie.ts'
export type { AccountColumns, State, StateWrites } from './state/state.ts'
export { createStateTrie, type StateTrie, stateRootOf } from './state/trie.ts'
export {
  addressFromBytes,
  addressFromHex,
  addressToBytes,
  addressToHex,
  quantityFromBigInt,
  quantityToBigInt,
  wordFromBigInt,
  wordFromBytes,
  wordFromHex,
  wordToBigInt,
  wordToBytes,
  wordToHex,
} from './state/word.ts'
