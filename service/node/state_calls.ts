import type { AccessListEntry, CallObject, StateOverrides } from '../../host/index.ts'
import type { BlockName } from '../json_rpc/codec.ts'
import type { AccountView, ProofView } from './views.ts'

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
}
