import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { addressToHex, wordIsZero, wordToHex } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'

/** A row of columns. */
interface Row {
  readonly writes: StateWrites
  readonly i: number
}

/** Writes by name: addresses and slots are 0x-hex. */
export interface StagedIndex {
  /** `gone`: the account is not there any more. */
  readonly accounts: ReadonlyMap<string, Row | 'gone'>
  /** Accounts whose slots on disk are gone. */
  readonly wiped: ReadonlySet<string>
  readonly slots: ReadonlyMap<string, ReadonlyMap<string, Row>>
  readonly code: ReadonlyMap<string, Uint8Array>
}

/**
 * Writes that were committed to a State and are not on disk yet, in their order. They are put in an index only where
 * something is read meanwhile, which a block that is imported does not do.
 */
export class StagedWrites {
  #all: StateWrites[] = []
  #index: StagedIndex | undefined

  get all(): readonly StateWrites[] {
    return this.#all
  }

  add(writes: StateWrites): void {
    this.#all.push(writes)
    this.#index = undefined
  }

  clear(): void {
    this.#all = []
    this.#index = undefined
  }

  /** Undefined where nothing is staged. */
  index(): StagedIndex | undefined {
    if (this.#all.length === 0) return undefined
    this.#index ??= indexOf(this.#all)
    return this.#index
  }
}

const indexOf = (all: readonly StateWrites[]): StagedIndex => {
  const accounts = new Map<string, Row | 'gone'>()
  const wiped = new Set<string>()
  const slots = new Map<string, Map<string, Row>>()
  const code = new Map<string, Uint8Array>()
  const remove = (address: string): void => {
    accounts.set(address, 'gone')
    wiped.add(address)
    slots.delete(address)
  }
  for (const writes of all) {
    for (let at = 0; at < writes.deletedAccounts.length; at += LIMBS_PER_ADDRESS)
      remove(addressToHex(writes.deletedAccounts, at))
    for (let i = 0; i < writes.accountCount; i++) {
      const address = addressToHex(writes.accountAddresses, LIMBS_PER_ADDRESS * i)
      if (writes.accounts.exists[i] === 0) remove(address)
      else accounts.set(address, { writes, i })
    }
    for (let i = 0; i < writes.slotCount; i++) {
      const address = addressToHex(writes.slotAddresses, LIMBS_PER_ADDRESS * i)
      const ofAccount = slots.get(address) ?? new Map<string, Row>()
      slots.set(address, ofAccount)
      ofAccount.set(wordToHex(writes.slotKeys, LIMBS_PER_WORD * i), { writes, i })
    }
    for (const [hash, bytes] of writes.code) code.set(hash, bytes)
  }
  return { accounts, wiped, slots, code }
}

/** Whether a staged slot is not zero. */
export const isFilled = ({ writes, i }: Row): boolean => !wordIsZero(writes.slotValues, LIMBS_PER_WORD * i)
