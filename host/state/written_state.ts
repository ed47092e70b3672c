import type { AccountColumns, State, StateWrites } from './state.ts'
import { isFilled, readStagedAccount, readStagedSlot, StagedWrites } from './store/staged_writes.ts'
import { mergeWrites } from './writes/merge.ts'

/** A State that answers as `base` does after the writes that were added to it. `base` stays as it is. */
export class WrittenState implements State {
  /** Counts what was added. */
  version = 0
  readonly #base: State
  readonly #staged = new StagedWrites()
  readonly #blockHashes = new Map<bigint, string>()

  constructor(base: State) {
    this.#base = base
  }

  add(writes: StateWrites): void {
    this.#staged.add(writes)
    this.version++
  }

  /** The hash of a block that `base` does not know. */
  setBlockHash(number: bigint, hash: string): void {
    this.#blockHashes.set(number, hash)
  }

  /** All that was added, and `later` after it, as one commit to `base`. */
  writes(later?: StateWrites): StateWrites | undefined {
    const all = later === undefined ? this.#staged.all : [...this.#staged.all, later]
    return all.length === 0 ? undefined : all.reduce(mergeWrites)
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns | Promise<AccountColumns> {
    const columns = this.#base.readAccounts(addresses, count)
    const over = (below: AccountColumns): AccountColumns => {
      const staged = this.#staged.index()
      if (staged === undefined) return below
      for (let i = 0; i < count; i++) readStagedAccount(below, i, staged, addresses)
      return below
    }
    return columns instanceof Promise ? columns.then(over) : over(columns)
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array | Promise<Uint32Array> {
    const values = this.#base.readSlots(addresses, keys, count)
    const over = (below: Uint32Array): Uint32Array => {
      const staged = this.#staged.index()
      if (staged === undefined) return below
      for (let i = 0; i < count; i++) readStagedSlot(below, i, staged, addresses, keys)
      return below
    }
    return values instanceof Promise ? values.then(over) : over(values)
  }

  readCode(codeHash: string): Uint8Array | Promise<Uint8Array> {
    return this.#staged.index()?.code.get(codeHash) ?? this.#base.readCode(codeHash)
  }

  hasStorage(address: string): boolean | Promise<boolean> {
    const staged = this.#staged.index()
    for (const row of staged?.slots.get(address)?.values() ?? []) if (isFilled(row)) return true
    return staged?.wiped.has(address) === true ? false : (this.#base.hasStorage?.(address) ?? false)
  }

  blockHash(number: bigint): string | undefined | Promise<string | undefined> {
    return this.#blockHashes.get(number) ?? this.#base.blockHash(number)
  }

  commit(writes: StateWrites): void {
    this.add(writes)
  }
}
