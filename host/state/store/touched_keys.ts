import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { bytesToHex } from '../../primitives/hex.ts'
import { addressFromHex, addressToHex, wordCopy, wordFromHex, wordToHex } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'
import { newWrites } from '../writes/new_writes.ts'
import { ADDRESS_BYTES } from './records.ts'
import type { StoredState } from './stored_state.ts'
import type { UndoEntry } from './undo_record.ts'

/**
 * Accounts and slots in which two states may differ, and so what takes a trie, or anything else, from one of them to
 * the other.
 */
export class TouchedKeys {
  readonly #accounts = new Set<string>()
  /** Slots by account. */
  readonly #slots = new Map<string, Set<string>>()
  /** Accounts of which every slot may differ. */
  readonly #whole = new Set<string>()

  /** What a block on disk changed. */
  addRecord(entries: readonly UndoEntry[]): void {
    for (const { key } of entries) {
      const address = bytesToHex(key.subarray(0, ADDRESS_BYTES))
      if (key.length === ADDRESS_BYTES) this.#accounts.add(address)
      else this.#addSlot(address, bytesToHex(key.subarray(ADDRESS_BYTES)))
    }
  }

  /** What a block that is not on disk changed. */
  addWrites({ deletedAccounts, slotCount, slotAddresses, slotKeys, ...writes }: StateWrites): void {
    for (let at = 0; at < deletedAccounts.length; at += LIMBS_PER_ADDRESS)
      this.#addWhole(addressToHex(deletedAccounts, at))
    for (let i = 0; i < writes.accountCount; i++) {
      const address = addressToHex(writes.accountAddresses, LIMBS_PER_ADDRESS * i)
      if (writes.accounts.exists[i] === 0) this.#addWhole(address)
      else this.#accounts.add(address)
    }
    for (let i = 0; i < slotCount; i++)
      this.#addSlot(addressToHex(slotAddresses, LIMBS_PER_ADDRESS * i), wordToHex(slotKeys, LIMBS_PER_WORD * i))
  }

  #addWhole(address: string): void {
    this.#accounts.add(address)
    this.#whole.add(address)
  }

  #addSlot(address: string, key: string): void {
    const slots = this.#slots.get(address) ?? new Set<string>()
    this.#slots.set(address, slots)
    slots.add(key)
  }

  /** Writes that make these keys what they are in `state`; without code. */
  writesTo(state: StoredState): StateWrites {
    const addresses = [...this.#accounts]
    const limbs = addressesOf(addresses)
    const columns = state.readAccounts(limbs, addresses.length)
    const there = addresses.flatMap((_, i) => (columns.exists[i] === 1 ? [i] : []))
    const gone = addresses.filter((_, i) => columns.exists[i] === 0)
    const isGone = new Set(gone)
    const slots: (readonly [address: string, key: string])[] = []
    for (const address of new Set([...this.#slots.keys(), ...this.#whole])) {
      if (isGone.has(address)) continue
      const all = this.#whole.has(address) ? state.slotKeys(address) : []
      for (const key of new Set([...(this.#slots.get(address) ?? []), ...all])) slots.push([address, key])
    }
    const writes = newWrites(there.length, slots.length)
    for (const [n, i] of there.entries()) {
      addressFromHex(writes.accountAddresses, LIMBS_PER_ADDRESS * n, addresses[i]!)
      writes.accounts.nonce[2 * n] = columns.nonce[2 * i]!
      writes.accounts.nonce[2 * n + 1] = columns.nonce[2 * i + 1]!
      wordCopy(writes.accounts.balance, LIMBS_PER_WORD * n, columns.balance, LIMBS_PER_WORD * i)
      wordCopy(writes.accounts.codeHash, LIMBS_PER_WORD * n, columns.codeHash, LIMBS_PER_WORD * i)
    }
    writes.slotAddresses.set(addressesOf(slots.map(([address]) => address)))
    for (const [n, [, key]] of slots.entries()) wordFromHex(writes.slotKeys, LIMBS_PER_WORD * n, key)
    const slotValues = state.readSlots(writes.slotAddresses, writes.slotKeys, slots.length)
    return { ...writes, deletedAccounts: addressesOf(gone), slotValues }
  }
}

const addressesOf = (of: readonly string[]): Uint32Array => {
  const limbs = new Uint32Array(LIMBS_PER_ADDRESS * of.length)
  for (const [n, address] of of.entries()) addressFromHex(limbs, LIMBS_PER_ADDRESS * n, address)
  return limbs
}
