import { bytesToHex } from '../../primitives/hex.ts'
import { EMPTY_CODE_HASH } from '../../primitives/keccak.ts'
import { quantityToBigInt, wordToBigInt, wordToHex } from '../../primitives/word.ts'
import type { DumpedAccount } from '../allocation.ts'
import type { Environment } from './environment.ts'
import { ADDRESS_BYTES, absentAccounts, decodeAccount, SLOT_KEY_BYTES } from './records.ts'
import { StoreError } from './store_error.ts'

/** The state on disk in object form, as `MemoryState.dump` gives one. Throws StoreError where an entry is none. */
export const dumpStore = ({ folder, tables }: Environment): Record<string, DumpedAccount> => {
  const damaged = (table: string, key: Uint8Array): StoreError =>
    new StoreError(folder, 'damaged', `the state is damaged: ${bytesToHex(key)} in ${table}`)
  const accounts: Record<string, DumpedAccount> = {}
  const columns = absentAccounts(1)
  for (const { key, value } of tables.accounts.getRange({})) {
    if (key.length !== ADDRESS_BYTES || !decodeAccount(columns, 0, value, value.length)) throw damaged('accounts', key)
    const codeHash = wordToHex(columns.codeHash, 0)
    accounts[bytesToHex(key)] = {
      nonce: quantityToBigInt(columns.nonce, 0),
      balance: wordToBigInt(columns.balance, 0),
      codeHash,
      storage: {},
    }
    if (codeHash !== EMPTY_CODE_HASH && !tables.code.doesExist(Buffer.from(codeHash.slice(2), 'hex')))
      throw new StoreError(folder, 'damaged', `the state is damaged: no code with hash ${codeHash}`)
  }
  for (const { key, value } of tables.slots.getRange({})) {
    const owner = accounts[bytesToHex(key.subarray(0, ADDRESS_BYTES))]
    if (owner === undefined || key.length !== SLOT_KEY_BYTES || value.length === 0 || value.length > 32)
      throw damaged('slots', key)
    ;(owner.storage as Record<string, string>)[bytesToHex(key.subarray(ADDRESS_BYTES))] =
      `0x${bytesToHex(value).slice(2).padStart(64, '0')}`
  }
  return accounts
}
