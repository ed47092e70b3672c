import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import { addressToHex, wordCopy, wordFromHex, wordIsZero, wordToHex } from '../../primitives/word.ts'
import type { AccountColumns, StateWrites } from '../state.ts'

/** A row of columns. */
interface Row {
  readonly writes: StateWrites
  readonly i: number
}

/** Writes by name: addresses and slots are 0x-hex. */
export interface StagedIndex {
  /** `gone`: the account is not there any more. */
  readonly accounts: ReadonlyMap<string, Row | 'gone'>
  /** Accounts whose slots below are gone. */
  readonly wiped: ReadonlySet<string>
  readonly slots: ReadonlyMap<string, ReadonlyMap<string, Row>>
  readonly code: ReadonlyMap<string, Uint8Array>
}

/**
 * Writes that were committed to a State and are not on disk, in their order. They are put in an index only where
 * something is read meanwhile, which a block that is imported does not do; later writes are then added to it.
 */
export class StagedWrites {
  #all: StateWrites[]
  #index: GrowingIndex | undefined

  constructor(all: readonly StateWrites[] = []) {
    this.#all = [...all]
  }

  get all(): readonly StateWrites[] {
    return this.#all
  }

  add(writes: StateWrites): void {
    this.#all.push(writes)
    this.#index?.add(writes)
  }

  clear(): void {
    this.#all = []
    this.#index = undefined
  }

  /** Undefined where nothing is staged. */
  index(): StagedIndex | undefined {
    if (this.#all.length === 0) return undefined
    if (this.#index !== undefined) return this.#index
    this.#index = new GrowingIndex()
    for (const writes of this.#all) this.#index.add(writes)
    return this.#index
  }
}

class GrowingIndex implements StagedIndex {
  readonly accounts = new Map<string, Row | 'gone'>()
  readonly wiped = new Set<string>()
  readonly slots = new Map<string, Map<string, Row>>()
  readonly code = new Map<string, Uint8Array>()

  add(writes: StateWrites): void {
    for (let at = 0; at < writes.deletedAccounts.length; at += LIMBS_PER_ADDRESS)
      this.#remove(addressToHex(writes.deletedAccounts, at))
    for (let i = 0; i < writes.accountCount; i++) {
      const address = addressToHex(writes.accountAddresses, LIMBS_PER_ADDRESS * i)
      if (writes.accounts.exists[i] === 0) this.#remove(address)
      else this.accounts.set(address, { writes, i })
    }
    for (let i = 0; i < writes.slotCount; i++) {
      const address = addressToHex(writes.slotAddresses, LIMBS_PER_ADDRESS * i)
      const ofAccount = this.slots.get(address) ?? new Map<string, Row>()
      this.slots.set(address, ofAccount)
      ofAccount.set(wordToHex(writes.slotKeys, LIMBS_PER_WORD * i), { writes, i })
    }
    for (const [hash, bytes] of writes.code) this.code.set(hash, bytes)
  }

  #remove(address: string): void {
    this.accounts.set(address, 'gone')
    this.wiped.add(address)
    this.slots.delete(address)
  }
}

/** Whether a staged slot is not zero. */
export const isFilled = ({ writes, i }: Row): boolean => !wordIsZero(writes.slotValues, LIMBS_PER_WORD * i)

/** Brings account i from the writes to row i; false where they do not have it. */
export const readStagedAccount = (
  to: AccountColumns,
  i: number,
  { accounts }: StagedIndex,
  addresses: Uint32Array,
): boolean => {
  const row = accounts.get(addressToHex(addresses, LIMBS_PER_ADDRESS * i))
  if (row === undefined) return false
  if (row === 'gone') {
    to.exists[i] = 0
    to.nonce.fill(0, 2 * i, 2 * i + 2)
    to.balance.fill(0, LIMBS_PER_WORD * i, LIMBS_PER_WORD * (i + 1))
    wordFromHex(to.codeHash, LIMBS_PER_WORD * i, EMPTY_CODE_HASH)
    return true
  }
  const from = row.writes.accounts
  to.exists[i] = 1
  to.nonce[2 * i] = from.nonce[2 * row.i]!
  to.nonce[2 * i + 1] = from.nonce[2 * row.i + 1]!
  wordCopy(to.balance, LIMBS_PER_WORD * i, from.balance, LIMBS_PER_WORD * row.i)
  wordCopy(to.codeHash, LIMBS_PER_WORD * i, from.codeHash, LIMBS_PER_WORD * row.i)
  return true
}

/** The same of slot i. */
export const readStagedSlot = (
  values: Uint32Array,
  i: number,
  { slots, wiped }: StagedIndex,
  addresses: Uint32Array,
  keys: Uint32Array,
): boolean => {
  const address = addressToHex(addresses, LIMBS_PER_ADDRESS * i)
  const row = slots.get(address)?.get(wordToHex(keys, LIMBS_PER_WORD * i))
  if (row === undefined) {
    const isWiped = wiped.has(address)
    if (isWiped) values.fill(0, LIMBS_PER_WORD * i, LIMBS_PER_WORD * (i + 1))
    return isWiped
  }
  wordCopy(values, LIMBS_PER_WORD * i, row.writes.slotValues, LIMBS_PER_WORD * row.i)
  return true
}
