import type { Log } from '../chain/log.ts'
import type { Rejection } from '../chain/rejection.ts'
import type { SnapshotReads, SnapshotWrites } from '../state/snapshot.ts'

/**
 * A transaction that was included. `coinbaseFee` is what the coinbase is still to be given: a plain credit that depends
 * on nothing. Where the transaction touched the coinbase itself, the fee is in `writes` and `coinbaseFee` is undefined.
 * A credit of 0n still counts as a touch: an existing empty coinbase goes (EIP-161). `vaultFees` are the same for the
 * vaults of a chain of the OP stack, in the order of VAULTS.
 *
 * @internal
 */
export interface CpuExecution {
  readonly status: 0 | 1
  readonly gasUsed: bigint
  /** Refund counter at the end, before its cap. */
  readonly gasRefund?: bigint
  /** Without the intrinsic part; the refund is not taken off. */
  readonly executionGas?: bigint
  /** Why it failed, in the words of @ethereumjs/evm. */
  readonly exception?: string
  readonly logs: readonly Log[]
  /** Positions in `logs` of those that tell of a transfer of wei, and that no code made; where they were asked for. */
  readonly transfers?: readonly number[]
  readonly output: Uint8Array
  /** Of a creation that succeeded. */
  readonly contractAddress?: string
  /** Of a deposit: the sender's nonce before it. */
  readonly depositNonce?: bigint
  readonly coinbaseFee: bigint | undefined
  readonly vaultFees?: readonly (bigint | undefined)[]
  readonly reads: SnapshotReads
  readonly writes: SnapshotWrites
}

/** A transaction that may not be included at this place; nothing changed. @internal */
export interface CpuRejection {
  readonly rejected: Rejection
  readonly reads: SnapshotReads
}

/** @internal */
export type CpuOutcome = CpuExecution | CpuRejection
