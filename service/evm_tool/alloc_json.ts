import { bytesOf, entriesOf, field, type ObjectAt, objectOf, optional, refuse } from '../../conformance/json_field.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { EMPTY_CODE_HASH } from '../../host/primitives/keccak.ts'
import type { AllocatedAccount, Allocation, MemoryState } from '../../host/state/memory_state.ts'
import { hexNumber, numberOf, toolAddress, toolWord } from './json_values.ts'

/** The accounts before the block: `{ address: { balance, nonce?, code?, storage? } }`. Throws FixtureError. */
export const readAlloc = (at: ObjectAt): Allocation => {
  const accounts: Record<string, AllocatedAccount> = {}
  for (const [name, entry] of entriesOf(at)) {
    const address = toolAddress({ ...entry, value: name })
    if (Object.hasOwn(accounts, address)) refuse({ ...entry, value: name }, 'every account once')
    const account = objectOf(entry)
    const nonce = optional(account, 'nonce')
    const code = optional(account, 'code')
    const storage = optional(account, 'storage')
    accounts[address] = {
      balance: numberOf(field(account, 'balance')),
      nonce: nonce === undefined ? 0n : numberOf(nonce, 64),
      ...(code === undefined ? {} : { code: bytesOf(code) }),
      ...(storage === undefined ? {} : { storage: readStorage(objectOf(storage)) }),
    }
  }
  return accounts
}

const readStorage = (at: ObjectAt): Readonly<Record<string, bigint>> =>
  Object.fromEntries(
    entriesOf(at).map(([key, value]) => [hexNumber(toolWord({ ...value, value: key })), toolWord(value)]),
  )

/** An account as the tool writes it. */
export interface AllocAccount {
  readonly code?: string
  readonly storage?: Readonly<Record<string, string>>
  readonly balance: string
  readonly nonce?: string
}

/** Every account of the state in ascending order: what is zero or empty is left out, but the balance. */
export const allocJson = (state: MemoryState): Readonly<Record<string, AllocAccount>> =>
  Object.fromEntries(
    Object.entries(state.dump()).map(([address, { nonce, balance, codeHash, storage }]) => [
      address,
      {
        ...(codeHash === EMPTY_CODE_HASH ? {} : { code: bytesToHex(state.code(codeHash)) }),
        ...(Object.keys(storage).length === 0 ? {} : { storage }),
        balance: hexNumber(balance),
        ...(nonce === 0n ? {} : { nonce: hexNumber(nonce) }),
      },
    ]),
  )
