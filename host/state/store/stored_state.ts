import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { bytesToHex, hexToBytes } from '../../primitives/hex.ts'
import { EMPTY_CODE_HASH, keccak256Hex } from '../../primitives/keccak.ts'
import { addressToHex, wordCopy, wordToHex } from '../../primitives/word.ts'
import type { AccountColumns, State, StateWrites } from '../state.ts'
import type { Environment } from './environment.ts'
import { accountOrder, slotOrder } from './key_order.ts'
import {
  ADDRESS_BYTES,
  absentAccounts,
  accountKey,
  afterSlots,
  decodeAccount,
  decodeWord,
  numberKey,
  SLOT_KEY_BYTES,
  slotKey,
} from './records.ts'
import { isFilled, type StagedIndex, StagedWrites } from './staged_writes.ts'
import { StoreError } from './store_error.ts'

/**
 * The state of a store. A call reads in the order of the keys from one snapshot; all is synchronous. What is committed
 * is staged, and seen at once; the store writes it to disk with the block that it belongs to.
 *
 * Cost on one of two shared cores: 3 us an account from a warm file.
 */
export class StoredState implements State {
  readonly staged = new StagedWrites()
  readonly #environment: Environment
  readonly #accountKey = new Uint8Array(ADDRESS_BYTES)
  readonly #slotKey = new Uint8Array(SLOT_KEY_BYTES)

  constructor(environment: Environment) {
    this.#environment = environment
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns {
    const columns = absentAccounts(count)
    const staged = this.staged.index()
    const { accounts } = this.#environment.tables
    for (const i of accountOrder(addresses, count)) {
      if (staged !== undefined && readStagedAccount(columns, i, staged, addresses)) continue
      accountKey(this.#accountKey, addresses, i)
      const record = accounts.getBinaryFast(this.#accountKey)
      if (record !== undefined && !decodeAccount(columns, i, record, record.length))
        throw this.#damaged(`the account ${bytesToHex(this.#accountKey)}`)
    }
    return columns
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array {
    const values = new Uint32Array(LIMBS_PER_WORD * count)
    const staged = this.staged.index()
    const { slots } = this.#environment.tables
    for (const i of slotOrder(addresses, keys, count)) {
      if (staged !== undefined && readStagedSlot(values, i, staged, addresses, keys)) continue
      slotKey(this.#slotKey, addresses, keys, i)
      const value = slots.getBinaryFast(this.#slotKey)
      if (value === undefined) continue
      if (value.length > 32) throw this.#damaged(`the slot ${bytesToHex(this.#slotKey)}`)
      decodeWord(values, i, value, 0, value.length)
    }
    return values
  }

  readCode(codeHash: string): Uint8Array {
    if (codeHash === EMPTY_CODE_HASH) return new Uint8Array(0)
    const staged = this.staged.index()?.code.get(codeHash)
    if (staged !== undefined) return staged
    const code = this.#environment.tables.code.get(hexToBytes(codeHash))
    if (code === undefined) throw this.#damaged(`no code with hash ${codeHash}`)
    if (keccak256Hex(code) !== codeHash) throw this.#damaged(`the code with hash ${codeHash} has another`)
    return new Uint8Array(code.buffer, code.byteOffset, code.length)
  }

  hasStorage(address: string): boolean {
    const name = address.toLowerCase()
    const staged = this.staged.index()
    const rows = staged?.slots.get(name)
    if (rows !== undefined && [...rows.values()].some(isFilled)) return true
    if (staged?.wiped.has(name)) return false
    const start = hexToBytes(name)
    for (const key of this.#environment.tables.slots.getKeys({ start, end: afterSlots(start) })) {
      // One on disk that is not staged: a staged one is zero, else it would have been found above.
      if (!rows?.has(bytesToHex(key.subarray(ADDRESS_BYTES)))) return true
    }
    return false
  }

  blockHash(number: bigint): string | undefined {
    if (number < 0n || number >> 64n !== 0n) return undefined
    const entry = this.#environment.tables.canon.get(numberKey(number))
    return entry === undefined ? undefined : bytesToHex(entry.subarray(0, 32))
  }

  commit(writes: StateWrites): void {
    this.staged.add(writes)
  }

  #damaged(what: string): StoreError {
    return new StoreError(this.#environment.folder, 'damaged', `the state is damaged: ${what}`)
  }
}

const readStagedAccount = (
  to: AccountColumns,
  i: number,
  { accounts }: StagedIndex,
  addresses: Uint32Array,
): boolean => {
  const row = accounts.get(addressToHex(addresses, LIMBS_PER_ADDRESS * i))
  if (row === undefined || row === 'gone') return row === 'gone'
  const from = row.writes.accounts
  to.exists[i] = 1
  to.nonce[2 * i] = from.nonce[2 * row.i]!
  to.nonce[2 * i + 1] = from.nonce[2 * row.i + 1]!
  wordCopy(to.balance, LIMBS_PER_WORD * i, from.balance, LIMBS_PER_WORD * row.i)
  wordCopy(to.codeHash, LIMBS_PER_WORD * i, from.codeHash, LIMBS_PER_WORD * row.i)
  return true
}

const readStagedSlot = (
  values: Uint32Array,
  i: number,
  { slots, wiped }: StagedIndex,
  addresses: Uint32Array,
  keys: Uint32Array,
): boolean => {
  const address = addressToHex(addresses, LIMBS_PER_ADDRESS * i)
  const row = slots.get(address)?.get(wordToHex(keys, LIMBS_PER_WORD * i))
  if (row === undefined) return wiped.has(address)
  wordCopy(values, LIMBS_PER_WORD * i, row.writes.slotValues, LIMBS_PER_WORD * row.i)
  return true
}
