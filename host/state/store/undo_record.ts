import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { bytesToHex } from '../../primitives/hex.ts'
import { addressFromBytes, wordFromBytes } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'
import { ADDRESS_BYTES, absentAccounts, decodeAccount, decodeWord, SLOT_KEY_BYTES } from './records.ts'

/**
 * What a block wrote over, in the order in which it did: entries of
 *
 * kind u8      0 an account, 1 a slot
 * key          of its table
 * length u8    of the value; 0 where there was none
 * value
 *
 * An entry may come twice, where an account was deleted and made anew: undone in reverse, the first one counts.
 */
const ACCOUNT = 0
const SLOT = 1

type Kind = typeof ACCOUNT | typeof SLOT

/** Values as they were, by key (0x-hex: 20 bytes of an account, 52 of a slot); undefined where there was none. */
export type Undone = Map<string, { readonly key: Uint8Array; readonly value: Uint8Array | undefined }>

export class UndoRecord {
  #bytes = new Uint8Array(4096)
  #length = 0

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  account(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#add(ACCOUNT, key, value)
  }

  slot(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#add(SLOT, key, value)
  }

  #add(kind: Kind, key: Uint8Array, value: Uint8Array | undefined): void {
    const valueLength = value === undefined ? 0 : value.length
    const end = this.#length + 2 + key.length + valueLength
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length))
      larger.set(this.bytes)
      this.#bytes = larger
    }
    let at = this.#length
    this.#bytes[at++] = kind
    this.#bytes.set(key, at)
    at += key.length
    this.#bytes[at++] = valueLength
    // Bytes of the database may lie in a longer buffer that is used again.
    for (let n = 0; n < valueLength; n++) this.#bytes[at + n] = value![n]!
    this.#length = end
  }
}

/** Adds what a record holds to what the records of later blocks hold. False where the record is none. */
export const undo = (undone: Undone, record: Uint8Array): boolean => {
  const entries: { readonly key: Uint8Array; readonly value: Uint8Array | undefined }[] = []
  for (let at = 0; at < record.length; ) {
    const kind = record[at]!
    if (kind !== ACCOUNT && kind !== SLOT) return false
    const keyEnd = at + 1 + (kind === ACCOUNT ? ADDRESS_BYTES : SLOT_KEY_BYTES)
    const length = record[keyEnd]
    if (length === undefined || keyEnd + 1 + length > record.length) return false
    const value = length === 0 ? undefined : record.subarray(keyEnd + 1, keyEnd + 1 + length)
    entries.push({ key: record.subarray(at + 1, keyEnd), value })
    at = keyEnd + 1 + length
  }
  for (const entry of entries.reverse()) undone.set(bytesToHex(entry.key), entry)
  return true
}

/** The same as writes that take a state back, without code: code that is no longer named does no harm. */
export const writesOfUndone = (undone: Undone): StateWrites | undefined => {
  const entries = [...undone.values()]
  const isAccount = ({ key }: { readonly key: Uint8Array }): boolean => key.length === ADDRESS_BYTES
  const gone = entries.filter((entry) => isAccount(entry) && entry.value === undefined)
  const kept = entries.filter((entry) => isAccount(entry) && entry.value !== undefined)
  const isGone = new Set(gone.map(({ key }) => bytesToHex(key)))
  const slots = entries.filter(
    (entry) => !isAccount(entry) && !isGone.has(bytesToHex(entry.key.subarray(0, ADDRESS_BYTES))),
  )
  const addresses = (of: readonly { readonly key: Uint8Array }[]): Uint32Array => {
    const limbs = new Uint32Array(LIMBS_PER_ADDRESS * of.length)
    for (const [n, { key }] of of.entries()) addressFromBytes(limbs, LIMBS_PER_ADDRESS * n, key, 0)
    return limbs
  }
  const accounts = absentAccounts(kept.length)
  for (const [n, { value }] of kept.entries()) if (!decodeAccount(accounts, n, value!, value!.length)) return undefined
  const slotKeys = new Uint32Array(LIMBS_PER_WORD * slots.length)
  const slotValues = new Uint32Array(LIMBS_PER_WORD * slots.length)
  for (const [n, { key, value }] of slots.entries()) {
    wordFromBytes(slotKeys, LIMBS_PER_WORD * n, key, ADDRESS_BYTES)
    if (value !== undefined) decodeWord(slotValues, n, value, 0, value.length)
  }
  return {
    deletedAccounts: addresses(gone),
    accountCount: kept.length,
    accountAddresses: addresses(kept),
    accounts,
    slotCount: slots.length,
    slotAddresses: addresses(slots),
    slotKeys,
    slotValues,
    code: new Map(),
  }
}
