/**
 * The state a batch runs against: accounts, code, storage, block hashes. Reads come in bulk, so a database can
 * answer many at once; they may be synchronous or not. Layouts: transpiler/layout/word.ts.
 *
 * Example: {@link MemoryState}.
 */
export interface State {
  /** Reads `count` accounts whose addresses are `addresses[5 i ..]`. */
  readAccounts(addresses: Uint32Array, count: number): AccountColumns | Promise<AccountColumns>
  /**
   * Reads the values of `count` slots: address `addresses[5 i ..]`, key `keys[8 i ..]`; absent slots are zero words.
   */
  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array | Promise<Uint32Array>
  /** Code by its keccak-256 hash (0x-hex). Throws where the hash is unknown. */
  readCode(codeHash: string): Uint8Array | Promise<Uint8Array>
  /**
   * Whether any slot of the account (0x-hex address) is not zero. Asked only where a contract is made at an address
   * without nonce and code: it may not hide storage (EIP-7610). Absent: no such account has any.
   */
  hasStorage?(address: string): boolean | Promise<boolean>
  /** Hash of an ancestor block (0x-hex), or undefined where unknown. */
  blockHash(number: bigint): string | undefined | Promise<string | undefined>
  /** Applies all writes of a batch, or none. */
  commit(writes: StateWrites): void | Promise<void>
}

/**
 * Accounts as columns. Account i:
 *
 * exists     u8[n]      1 where it is in the state; under EIP-161 an empty account is not
 * nonce      u32[2 n]   64-bit, low limb first
 * balance    u32[8 n]   wei, words in limb order
 * codeHash   u32[8 n]   words in limb order; the hash of no bytes for accounts without code
 *
 * Example: {@link MemoryState}.
 */
export interface AccountColumns {
  readonly exists: Uint8Array
  readonly nonce: Uint32Array
  readonly balance: Uint32Array
  readonly codeHash: Uint32Array
}

/**
 * What a batch commits: last values only, each key once. They apply in this order: `deletedAccounts` (account and all
 * its storage gone), then accounts, then slots, then code.
 *
 * deletedAccounts    u32[5 d]   addresses
 * accountAddresses   u32[5 a]   with `accounts` as columns
 * slotAddresses      u32[5 s]   with keys u32[8 s] and values u32[8 s], words in limb order
 *
 * Example: {@link createStateTrie}.
 */
export interface StateWrites {
  readonly deletedAccounts: Uint32Array
  readonly accountCount: number
  readonly accountAddresses: Uint32Array
  readonly accounts: AccountColumns
  readonly slotCount: number
  readonly slotAddresses: Uint32Array
  readonly slotKeys: Uint32Array
  readonly slotValues: Uint32Array
  /** New code by hash (0x-hex). */
  readonly code: ReadonlyMap<string, Uint8Array>
}
