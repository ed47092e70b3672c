import type { EnvironmentWord } from '../layout/environment.ts'
import type { PrecompileResult } from '../layout/memo.ts'
import type { Fork } from '../spec/forks.ts'

/**
 * An entry of an access list (EIP-2930): an address, and storage keys of it.
 *
 * Example: {@link recordPath}.
 */
export interface ListedAccount {
  readonly address: bigint
  readonly keys: readonly bigint[]
}

/**
 * The transaction a path is recorded from. Addresses and quantities are words; `gas` is the limit minus intrinsic gas.
 *
 * Example: {@link recordPath}.
 */
export interface RecordedTransaction {
  readonly fork: Fork
  readonly environment: Readonly<Record<EnvironmentWord, bigint>>
  readonly from: bigint
  readonly to: bigint
  readonly value: bigint
  /** Effective price, wei per gas. */
  readonly gasPrice: bigint
  readonly data: Uint8Array
  /** Execution gas, below 2^32. */
  readonly gas: number
  /** What is warm from the start, beside sender, called account and precompiles (EIP-2930). */
  readonly accessList?: readonly ListedAccount[]
}

/**
 * An account as the recorder sees it: balance in wei, and code.
 *
 * Example: {@link recordPath}.
 */
export interface RecordedAccount {
  readonly balance: bigint
  readonly code: Uint8Array
}

/**
 * The state before the transaction, as the recorder asks for it. `account` is undefined where the account does not
 * exist (EIP-161: is empty).
 *
 * Example: {@link recordPath}.
 */
export interface RecordState {
  /** The account at an address; undefined where it does not exist. */
  account(address: bigint): RecordedAccount | undefined | Promise<RecordedAccount | undefined>
  /** The word in a slot; zero where there is none. */
  storage(address: bigint, key: bigint): bigint | Promise<bigint>
  /**
   * Runs a precompile of the fork; undefined where there is none at this address. Absent: paths call no precompile but
   * identity.
   */
  precompile?(address: number, input: Uint8Array): PrecompileResult | undefined | Promise<PrecompileResult | undefined>
  /** Hash of an ancestor; undefined where unknown. */
  blockHash?(number: bigint): bigint | undefined | Promise<bigint | undefined>
}

/**
 * Why a transaction has no path: a closed set, counted by the dispatcher.
 *
 * Example: {@link recordPath}.
 */
export type UnsupportedReason =
  | `opcode ${string}`
  | 'fork before spurious dragon'
  | 'value to a precompile'
  | 'value from the sender'
  | 'call without funds'
  | 'precompile'
  | 'gas bound'
  | 'balance of the sender'
  | 'low address'
  | 'step bound'
  | 'memory bound'
  | 'depth bound'
  | 'value bound'
  | 'code size bound'
  | 'skeleton bound'
  | 'access list bound'

/** Thrown inside the recorder only; `recordPath` returns it as a value. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported'
  readonly reason: UnsupportedReason
  readonly pc: number

  constructor(reason: UnsupportedReason, pc: number) {
    super(`${reason} at pc ${pc}`)
    this.reason = reason
    this.pc = pc
  }
}

/**
 * One EVM step of the recorded transaction.
 *
 * Example: {@link recordPath}.
 */
export interface TraceStep {
  readonly depth: number
  readonly pc: number
  readonly mnemonic: string
}
