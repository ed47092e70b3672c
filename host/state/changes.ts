import type { AccountView } from './snapshot.ts'

/**
 * An account before and after a transaction; undefined where it does not exist.
 *
 * Example: {@link ExecuteRequest}.
 */
export interface AccountChange {
  readonly address: string
  readonly before: AccountView | undefined
  readonly after: AccountView | undefined
}

/**
 * A slot before and after a transaction; keys and values are words.
 *
 * Example: {@link ExecuteRequest}.
 */
export interface SlotChange {
  readonly address: string
  readonly key: bigint
  readonly before: bigint
  readonly after: bigint
}

/**
 * What one included transaction did to the state at its place in the order, fees and nonce included, and what else it
 * looked at. Addresses are 0x-hex in lower case. Each account and slot stands once; one that ends as it began stands in
 * the reads.
 *
 * Example: {@link ExecuteRequest}.
 */
export interface TransactionChanges {
  readonly accounts: readonly AccountChange[]
  readonly slots: readonly SlotChange[]
  /** Accounts that were read (docs/decisions/0018) and not changed. */
  readonly readAccounts: readonly string[]
  readonly readSlots: readonly { readonly address: string; readonly key: bigint; readonly value: bigint }[]
  /** Accounts whose storage of before is gone as a whole, also where no slot of it is named above. */
  readonly cleared?: readonly string[]
  /** Code that came into the state, by hash. */
  readonly code?: ReadonlyMap<string, Uint8Array>
}
