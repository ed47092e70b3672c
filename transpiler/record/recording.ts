import type { Builder } from '../ir/builder.ts'
import type { PathAccount } from './accounts.ts'
import type { Frame, FrameResult } from './frame.ts'
import type { Guards } from './guards.ts'
import type { Journal } from './journal.ts'
import type { Word } from './memory.ts'
import type { RecordedTransaction, RecordState } from './transaction.ts'

/** A transaction while the Recorder runs it, as calls and precompiles see it. */
export interface Recording {
  readonly builder: Builder
  readonly guards: Guards
  readonly journal: Journal
  readonly transaction: RecordedTransaction
  readonly state: RecordState
  /** Precompiles that were called, by address. */
  readonly precompiles: Set<number>
  constant(value: bigint): Word
  /** Runs a frame to its end. */
  run(frame: Frame): Promise<FrameResult>
  /** The price of an access (EIP-2929, Berlin); before, it is in the base gas of the opcode. */
  accessGas(isCold: boolean, cold: number): number
  /** Charges an account access and returns the account. */
  accessAccount(frame: Frame, address: Word): Promise<PathAccount>
  /**
   * The account whose code runs where `account` is called (EIP-7702). `frame` pays for the access; a transaction does
   * not.
   */
  codeOf(frame: Frame | undefined, account: PathAccount): Promise<PathAccount>
  /** Guards that an account has the code skeleton it had when recorded, or none. */
  guardCode(account: PathAccount): void
  /** What the account has at this point of the recorded transaction; no guard, no value. */
  concreteBalance(account: PathAccount): bigint
  /**
   * Guards that an account without code exists, or does not, as when recorded. The sender always does: its nonce was
   * raised.
   */
  guardExistence(account: PathAccount): boolean
}
