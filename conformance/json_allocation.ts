import type { AllocatedAccount, Allocation } from '../host/state/memory_state.ts'
import { addressOf, bytesOf, entriesOf, field, type ObjectAt, objectOf, wordOf } from './json_field.ts'

/** Accounts as tests and programs have them: address to { balance, nonce, code, storage }, words in hex. */
export const allocationOf = (at: ObjectAt): Allocation => {
  const accounts: Record<string, AllocatedAccount> = {}
  for (const [address, entry] of entriesOf(at)) {
    addressOf({ ...entry, value: address })
    const account = objectOf(entry)
    const storage: Record<string, bigint> = {}
    for (const [key, value] of entriesOf(objectOf(field(account, 'storage')))) {
      wordOf({ ...value, value: key })
      storage[key] = wordOf(value)
    }
    accounts[address.toLowerCase()] = {
      balance: wordOf(field(account, 'balance')),
      nonce: BigInt.asUintN(64, wordOf(field(account, 'nonce'))),
      code: bytesOf(field(account, 'code')),
      storage,
    }
  }
  return accounts
}
