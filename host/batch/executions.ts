import type { ReceiptSource } from '../chain/receipt_source.ts'
import type { Versions } from './versions.ts'

/**
 * Which form of a tier made an execution: the counts of a batch are by form.
 *
 * Example: {@link createExecutor}.
 */
export type ExecutionForm = 'pathKernel' | 'pathProgram' | 'pathHost' | 'laneVm' | 'cpu' | (string & {})

/** Where a transaction stands in the order, over the running values of the tables: one object for a whole pass. */
export interface Place {
  transaction: number
  /** Present account ids. */
  from: number
  to: number
  coinbase: number
  /** Others that fees are paid to, on a chain that has such. */
  vaults: readonly number[]
  /** What transactions looked at is asked for: an execution that does not know all of it does not stand. */
  isRecorded: boolean
  /** Brings the fees that coinbase and vaults have earned into balances: for who looks at them, or has them pay. */
  settleFees(): void
}

/** Is told what an execution touched, by ids of the resident tables. */
export interface TouchVisitor {
  account(id: number): void
  slot(id: number): void
  /** The precompile at this low address, which need not be resident. */
  precompile(low: number): void
}

/**
 * Executions whose lanes read and write slots and nothing else, as columns of four limbs a lane: what a pass over
 * columns settles (host/settle/column_sweep.ts). A lane of read k stands at `slotAt[k] + 4 lane` of `lanesOut`, its
 * slot; of store s at `storeAt[s] + 4 lane`, the lower half of a word, whose upper half is a column further.
 */
export interface SlotColumns {
  readonly laneCount: number
  readonly lanesOut: Uint32Array
  /** The same on the device, where it has them: bytes before the columns, which lie as in `lanesOut`. @internal */
  readonly onDevice: OnDevice | undefined
  readonly slotAt: Uint32Array
  readonly storeAt: Uint32Array
  /**
   * Where the hint of read k begins in `lanesIn`: two columns of its word, one of its slot. Undefined without hints.
   */
  readonly hintAt: Uint32Array | undefined
  readonly lanesIn: Uint32Array
  /** Store s: the read whose slot it is of; 0 = it sets the word, 1 or -1 = it moves the slot by it; its conditions. */
  readonly storeSlots: Uint16Array
  readonly storeSigns: Int8Array
  readonly storeConditions: Uint8Array
  /** Read k: 1 + the store that moves it by a delta, 0 where its value matters as such. */
  readonly deltaStores: Uint16Array
  readonly succeeds: boolean
}

/** Columns that the device may still have. @internal */
export interface OnDevice {
  readonly place: { readonly buffer: GPUBuffer; readonly byteOffset: number } | undefined
}

/**
 * Executions whose lanes say in records what they looked at and changed: `held` and `records` of a VmGroup
 * (host/tiers/lane_vm/group.ts), which a pass over columns settles where both lie in its memory.
 */
export interface RecordColumns {
  readonly held: Uint32Array
  readonly records: Uint32Array
}

/**
 * What one run of one tier left, by lane. A lane whose transaction has a status (OpenBatch) has ended; the others are
 * asked for nothing. Numbers that every reader wants are columns of the open batch.
 */
export interface Executions extends ReceiptSource {
  readonly form: ExecutionForm
  /** Id of the path that its lanes took, where they took one. */
  readonly path?: string
  /** What its lanes are in columns, where that is all that they did. */
  readonly columns?: SlotColumns | undefined
  /** What its lanes are in records, where that is all that they did. */
  readonly records?: RecordColumns
  /** Whether its lanes may have moved wei beside the values of their transactions; absent: they may. */
  readonly movesWei?: boolean
  /** 0, or the code of the reason why this lane's execution does not stand on the running values at its place. */
  broken(lane: number, place: Place): number
  /**
   * The same on base values, for a call that is independent of all others: nothing was entered, and nothing will be.
   */
  brokenAlone(lane: number, place: Place): number
  /**
   * Enters what the lane changed, and moves the transaction's value; only after `broken` gave 0. Nonzero: the code of
   * the reason why it cannot be paid; nothing was entered.
   */
  enter(lane: number, place: Place): number
  /** Tells what the lane looked at and changed, beside sender, called account and coinbase. */
  touched(lane: number, visit: TouchVisitor): void
  /**
   * 0 where the lane would have gone the same way on what stands before it. Else the round in which another run would
   * find what it should read, counted from 1: 1 + the latest `round` of the versions that it should have read instead.
   */
  roundOn(lane: number, versions: Versions): number
  /** Writes the slots that the lane leaves as versions. */
  writeTo(lane: number, versions: Versions): void
  /** Settles what the device still hashes for `addBlooms`. Never rejects. */
  readonly hashed?: Promise<unknown>
}
