/** The library: a batch of transactions in, receipts and a committed state out. */

export { FORKS, type Fork, isAtLeast, isFork } from '../transpiler/spec/forks.ts'
export type { DelegationReason } from './adapters/ethereumjs/block_preview.ts'
export { createGpuEvm, GpuEvm, type GpuEvmOptions, type GpuEvmReport } from './adapters/ethereumjs/gpu_evm.ts'
export type { DeviceCosts } from './batch/cost.ts'
export type { EnteredFrame, EvmHooks, LeftFrame, OpcodeStep } from './batch/evm_hooks.ts'
export type { ExecutionForm } from './batch/executions.ts'
export type { TransactionExplanation } from './batch/explain.ts'
export type { CompileMode } from './batch/policy.ts'
export {
  AccessListError,
  type AccountAccess,
  accessListHash,
  type BlockAccessList,
  decodeAccessList,
  encodeAccessList,
  type SlotAccess,
  type StepValue,
} from './chain/access_list.ts'
export type {
  Authorization,
  AuthorizationSignature,
  Block,
  TransactionBatch,
  TransactionExtras,
  TransactionObject,
} from './chain/batch.ts'
export type { BlobParameters } from './chain/blob_schedule.ts'
export type { CallObject } from './chain/call_batch.ts'
export type { CallColumns } from './chain/call_columns.ts'
export type { BlobStart, ChainConfig, ForkStart } from './chain/chain_config.ts'
export { type DecodedTransactions, decode, transactionHashes } from './chain/decode.ts'
export { BlockInputError, type DecodedBlock, decodeBlock } from './chain/decode_block.ts'
export { decodeTransaction, encodeBatch, TransactionInputError } from './chain/encode_batch.ts'
export type { BlockEnvironment } from './chain/environment.ts'
export { type GenesisFields, genesisHeader } from './chain/genesis_header.ts'
export { type BlobSchedule, type BlockHeader, EMPTY_LIST_HASH, encodeHeader, headerHash } from './chain/header.ts'
export type { Log } from './chain/log.ts'
export {
  type OpBaseFee,
  type OpChain,
  type OpForkStart,
  type OpRules,
  opRulesAt,
  readOpChain,
} from './chain/op/op_chain.ts'
export { evmForkOf, OP_FORKS, type OpFork } from './chain/op/op_forks.ts'
export { type PackedTransactions, packTransactions, type SignedTransactions } from './chain/packed.ts'
export { REJECTION, type Rejection, rejectionText } from './chain/rejection.ts'
export type { Requests } from './chain/requests.ts'
export type { Signatures } from './chain/signatures.ts'
export type { DecodeOptions } from './chain/signed_batch.ts'
export type { Withdrawal } from './chain/withdrawals.ts'
export { type AdapterReport, listAdapters, NoAdapterError } from './device/adapter.ts'
export type { DeviceTimes, KernelTime } from './device/clock.ts'
export type { ComputeDevice } from './device/compute_device.ts'
export { type DeviceOptions, openDevice, type Robustness } from './device/device.ts'
export { DeviceLostError, OutOfMemoryError, ValidationError } from './device/fault.ts'
export { ShaderCompileError, type ShaderMessage } from './device/kernel.ts'
export type { AdapterKind } from './device/manifest.ts'
export type { BlockResult, BlockTimings } from './flows/block.ts'
export { BlockError, type BlockInput, type BlockOptions, type StreamOptions } from './flows/block_input.ts'
export {
  type BlockSimulation,
  type BlockSimulationOptions,
  type SimulatedBlock,
  type SimulatedBlockRequest,
  SimulatedCallError,
  simulateBlocks,
} from './flows/block_simulation.ts'
export type { BlockReward, BlockYield } from './flows/block_work.ts'
export type { BuiltBlock, PoolRejection } from './flows/build.ts'
export type { BlockAttributes, BuildRequest } from './flows/build_request.ts'
export { type CallBatches, type CallBatchesOptions, openCallBatches } from './flows/call_batches.ts'
export { ExecutorClosedError } from './flows/call_queue.ts'
export {
  type BlockMemory,
  type BlockRules,
  type BlockTree,
  type BlockVerdict,
  type ChainBlock,
  type ChainBuildRequest,
  type ForkChoice,
  ForkChoiceError,
  type ForkChoiceFault,
  type HeadChange,
  type HeadUpdate,
  type TransactionPlace,
} from './flows/chain/block_tree.ts'
export type {
  Chain,
  ChainOptions,
  ChainReads,
  ChainSource,
  ChainView,
  ImportedBlock,
  UnwrittenBlock,
} from './flows/chain/chain_interface.ts'
export { openChainView } from './flows/chain/chain_view.ts'
export { type Genesis, parseGenesis } from './flows/chain/genesis.ts'
export { openChain } from './flows/chain/open_chain.ts'
export { type DecodeRequest, decodeSigned } from './flows/decode_signed.ts'
export { deviceCosts } from './flows/device_costs.ts'
export {
  type ExecutionResult,
  InvalidTransactionError,
  type RejectedTransaction,
  type StageTimings,
  type TierCounts,
} from './flows/execution_result.ts'
export { createExecutor } from './flows/executor.ts'
export type { ExecuteRequest, Executor, ExecutorOptions } from './flows/executor_interface.ts'
export type { BudgetUse, MemoryBudget, MemoryUse } from './flows/memory.ts'
export type { CallBundle, SimulateRequest } from './flows/simulate_request.ts'
export type {
  SimulatedBlockCall,
  SimulatedBlockResult,
  SimulatedColumns,
} from './flows/simulated_calls.ts'
export type {
  AccessListEntry,
  SimulatedCall,
  Simulation,
  SimulationTier,
  SimulationTimings,
} from './flows/simulation.ts'
export {
  type TraceCallRequest,
  type TracedResult,
  type TracedState,
  TraceError,
  type TraceTransactionsRequest,
  type TransactionWatcher,
  traceCall,
  traceTransactions,
} from './flows/trace_transactions.ts'
export type { Transition, TransitionRequest } from './flows/transition.ts'
export type { HashPlan, NodeHasher } from './primitives/hash_plan.ts'
export { InputError } from './primitives/input.ts'
export { EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, keccak256, keccak256Hex } from './primitives/keccak.ts'
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
} from './primitives/word.ts'
export { type Receipt, Receipts } from './receipts/receipts.ts'
export type { ReceiptExtras } from './roots/receipt_values.ts'
export { receiptsRoot, transactionsRoot, withdrawalsRoot } from './roots/roots.ts'
export type { KnownSenders } from './senders/known_senders.ts'
export { SenderCache } from './senders/sender_cache.ts'
export type { SendersMode } from './senders/senders.ts'
export type { DeviceSource, LostDevicePolicy } from './session/executor_device.ts'
export type { DumpedAccount } from './state/allocation.ts'
export type { AccountChange, SlotChange, TransactionChanges } from './state/changes.ts'
export { type AllocatedAccount, type Allocation, MemoryState } from './state/memory_state.ts'
export type { AccountOverride, StateOverrides } from './state/overlay_state.ts'
export { OverrideError } from './state/overlay_state.ts'
export type { AccountView } from './state/snapshot.ts'
export type { AccountColumns, State, StateWrites } from './state/state.ts'
export { StoreError, type StoreFault } from './state/store/store_error.ts'
export type {
  AccountProof,
  ResidentTrie,
  SlotProof,
  StateRootJob,
  StateTrie,
  StateTrieOptions,
} from './state/trie/state_trie.ts'
export { createStateTrie, stateRootOf } from './state/trie/trie.ts'
export { openPathStore, type PathStore, type PathStoreOptions } from './tiers/path/store/store.ts'
