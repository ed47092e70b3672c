import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { addressToHex, quantityToBigInt, wordToBigInt, wordToHex } from '../primitives/word.ts'
import type { DumpedAccount } from './allocation.ts'
import type { StateWrites } from './state.ts'

/** A whole state in object form, from the writes that make it of nothing. */
export const dumpOf = (contents: StateWrites): Record<string, DumpedAccount> => {
  const { accountCount, accountAddresses, accounts, slotCount, slotAddresses, slotKeys, slotValues } = contents
  const storages = new Map<string, [string, string][]>()
  for (let i = 0; i < slotCount; i++) {
    const address = addressToHex(slotAddresses, LIMBS_PER_ADDRESS * i)
    const entry: [string, string] = [wordToHex(slotKeys, LIMBS_PER_WORD * i), wordToHex(slotValues, LIMBS_PER_WORD * i)]
    const slots = storages.get(address)
    if (slots === undefined) storages.set(address, [entry])
    else slots.push(entry)
  }
  const rows: [string, DumpedAccount][] = []
  for (let i = 0; i < accountCount; i++) {
    const address = addressToHex(accountAddresses, LIMBS_PER_ADDRESS * i)
    rows.push([
      address,
      {
        nonce: quantityToBigInt(accounts.nonce, 2 * i),
        balance: wordToBigInt(accounts.balance, LIMBS_PER_WORD * i),
        codeHash: wordToHex(accounts.codeHash, LIMBS_PER_WORD * i),
        storage: Object.fromEntries((storages.get(address) ?? []).sort(byKey)),
      },
    ])
  }
  return Object.fromEntries(rows.sort(byKey))
}

const byKey = (a: readonly [string, unknown], b: readonly [string, unknown]): number => (a[0] < b[0] ? -1 : 1)
