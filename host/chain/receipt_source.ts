import type { BloomSet } from './bloom.ts'
import type { ExactGas } from './exact_gas.ts'
import type { LaneRows } from './lane_rows.ts'
import type { Log } from './log.ts'

/** What executions left of receipts, by lane. */
export interface ReceiptSource {
  logs(lane: number): readonly Log[]
  /** Return or revert data. */
  output(lane: number): Uint8Array
  /**
   * Why it failed, in the words of @ethereumjs/evm; undefined where it succeeded, or where only the status is known.
   */
  exception(lane: number): string | undefined
  /** Positions among its logs of those that tell of a transfer of wei, where these were asked for. */
  transfers?(lane: number): readonly number[]
  /** Adds the bits of the logs of lanes to the blooms of their transactions. */
  addBlooms(rows: LaneRows, blooms: BloomSet): void
  /** Marks the transactions that have a log of this address, five limbs. */
  markEmitting(rows: LaneRows, address: Uint32Array, marks: Uint8Array): void
  /** Bytes of the RLP of the logs of lanes, one after another, by transaction; NO_LENGTH where only `logs` has them. */
  logsLengths(rows: LaneRows, lengths: Uint32Array): void
  /** Writes it, for each of the transactions from at[i] on. Nothing where `logsLengths` gave no number. */
  writeLogs(rows: LaneRows, to: Uint8Array, at: Uint32Array): void
  /** Where a double may have rounded it. */
  exactGas?(lane: number): ExactGas
  /** Of a creation that succeeded. */
  contractAddress?(lane: number): string | undefined
  /** Of a deposit: the sender's nonce before it. */
  depositNonce?(lane: number): bigint | undefined
}
