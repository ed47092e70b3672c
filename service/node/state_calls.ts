import type {
  AccessListEntry,
  CallColumns,
  CallObject,
  SimulatedBlockCall,
  StateOverrides,
  Withdrawal,
} from '../../host/index.ts'
import type { BlockName } from '../json_rpc/codec.ts'
import type { AccountView, BlockView, LogView, ProofView } from './views.ts'

/** What a call takes to be true of its block. */
export interface BlockOverrides {
  readonly number?: bigint | undefined
  readonly time?: bigint | undefined
  readonly gasLimit?: bigint | undefined
  readonly feeRecipient?: string | undefined
  readonly prevRandao?: bigint | undefined
  readonly baseFeePerGas?: bigint | undefined
  readonly blobBaseFee?: bigint | undefined
}

/** A call on the state after a block. */
export interface CallRequest {
  readonly call: CallObject
  readonly at: BlockName
  readonly overrides?: StateOverrides | undefined
  readonly blockOverrides?: BlockOverrides | undefined
}

/** An access list, and what the call used with it; `error` where it failed. */
export interface CreatedAccessList {
  readonly accessList: readonly AccessListEntry[]
  readonly gasUsed: bigint
  readonly error: string | undefined
}

/** What a simulated block may say of itself. */
export interface SimulatedOverrides extends BlockOverrides {
  readonly beaconRoot?: string | undefined
  readonly withdrawals?: readonly Withdrawal[] | undefined
}

/** A block of eth_simulateV1 as it is asked for. `moves`: precompiled contracts, by their address. */
export interface BlockStateCall {
  readonly block: SimulatedOverrides
  readonly state: StateOverrides
  readonly moves: ReadonlyMap<string, string>
  readonly calls: readonly SimulatedBlockCall[] | CallColumns
}

/** How blocks are simulated. `validation`: calls must be valid transactions but for their signatures. */
export interface SimulateTerms {
  readonly validation: boolean
  /** Transfers of wei are among the logs. */
  readonly traceTransfers: boolean
  /** Transactions come in full, else their hashes. */
  readonly isFull: boolean
}

export interface SimulatedCallView {
  readonly status: 0 | 1
  readonly gasUsed: bigint
  /** Before the refund. */
  readonly mostGasUsed: bigint
  readonly logs: readonly LogView[]
  readonly output: Uint8Array
  readonly error: { readonly code: number; readonly message: string; readonly data: Uint8Array | undefined } | undefined
}

export interface SimulatedBlockView {
  readonly block: BlockView
  readonly calls: readonly SimulatedCallView[]
}

/** The JSON of a block whose calls were executed together, as bytes of UTF-8, one piece after another. */
export interface SimulatedBlockText {
  readonly text: readonly Uint8Array[]
}

/** State after a block, and calls on it. A block that is not known, or whose state is not, throws RpcError. */
export interface StateCalls {
  account(address: string, at: BlockName): Promise<AccountView>
  code(address: string, at: BlockName): Promise<Uint8Array>
  /** Values of slots, in the order of the keys. */
  storage(address: string, keys: readonly bigint[], at: BlockName): Promise<readonly bigint[]>
  proof(address: string, keys: readonly bigint[], at: BlockName): Promise<ProofView>
  /** What a call returns. Throws RpcError `reverted` with what it reverted with. */
  call(request: CallRequest): Promise<Uint8Array>
  estimateGas(request: CallRequest): Promise<bigint>
  createAccessList(request: CallRequest): Promise<CreatedAccessList>
  /** Blocks on a block, one after another, those in the gaps between their numbers as well. */
  simulateBlocks(
    blocks: readonly BlockStateCall[],
    at: BlockName,
    terms: SimulateTerms,
  ): Promise<readonly (SimulatedBlockView | SimulatedBlockText)[]>
}
