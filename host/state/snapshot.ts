/**
 * An account without its storage: balance in wei, code hash 0x-hex (the hash of no bytes where there is no code).
 *
 * Example: {@link ExecuteRequest}.
 */
export interface AccountView {
  readonly nonce: bigint
  readonly balance: bigint
  readonly codeHash: string
}

/**
 * The state as one transaction finds it at its place in the order. Addresses and hashes are 0x-hex in lower case. Every
 * getter may answer at once or later; the CPU tier awaits only promises.
 *
 * @internal
 */
export interface StateSnapshot {
  /** Undefined where the account does not exist. */
  account(address: string): AccountView | undefined | Promise<AccountView | undefined>
  /**
   * As `account`, of an address where a contract is about to be made, which nearly always has none: an execution ahead
   * takes it to be so where it would have to ask.
   */
  accountForCreation?(address: string): ReturnType<StateSnapshot['account']>
  /** Zero where absent. */
  storage(address: string, key: bigint): bigint | Promise<bigint>
  code(codeHash: string): Uint8Array | Promise<Uint8Array>
  /**
   * Whether any slot of the account is not zero. Asked for accounts without nonce and code only: a contract cannot be
   * made where there is storage (EIP-7610). Where the snapshot does not say, such accounts are taken to have none.
   */
  hasStorage?(address: string): boolean | Promise<boolean>
  /** Hash of an ancestor (0x-hex), or undefined where unknown. */
  blockHash(number: bigint): string | undefined | Promise<string | undefined>
}

/**
 * What an execution needs of an account to go the same way and leave the same changes: it exists or not as `view` says,
 * has that code, a balance from `leastBalance` to `mostBalance` (both included; a balance that is only credited and
 * debited is free), and a nonce that is any, zero just where the view's is, one that was only counted up (no address
 * follows from it), or the same.
 *
 * @internal
 */
export interface AccountRead {
  readonly view: AccountView | undefined
  readonly leastBalance: bigint
  readonly mostBalance: bigint
  readonly nonce: 'any' | 'zero' | 'counted' | 'same'
}

/**
 * What an execution took from its snapshot, each item once. The coinbase is read only where the transaction itself
 * looked at it or named it.
 *
 * @internal
 */
export interface SnapshotReads {
  readonly accounts: readonly string[]
  /** What was looked at of each of `accounts`. */
  readonly seen: readonly AccountRead[]
  readonly slots: readonly { readonly address: string; readonly key: bigint; readonly value: bigint }[]
  /**
   * Slots of accounts without earlier storage (contracts just made): looked at, and zero whatever the snapshot says.
   */
  readonly fresh?: readonly { readonly address: string; readonly key: bigint }[]
  /** Hashes of the codes loaded. */
  readonly code: readonly string[]
  readonly blockHashes: readonly bigint[]
}

/**
 * `account` is undefined where the account is gone after the transaction. `cleared`: all storage that the account had
 * before is gone (it was destroyed, or made anew at its address); apply it before the slots.
 *
 * @internal
 */
export interface AccountWrite {
  readonly address: string
  readonly account: AccountView | undefined
  readonly cleared: boolean
}

/** Last values only, and only what differs from the snapshot. Order: accounts, then slots, then code. @internal */
export interface SnapshotWrites {
  readonly accounts: readonly AccountWrite[]
  readonly slots: readonly { readonly address: string; readonly key: bigint; readonly value: bigint }[]
  /** New code by hash. */
  readonly code: ReadonlyMap<string, Uint8Array>
}
