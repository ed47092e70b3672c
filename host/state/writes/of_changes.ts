import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { addressFromHex, quantityFromBigInt, wordFromBigInt, wordFromHex } from '../../primitives/word.ts'
import type { TransactionChanges } from '../changes.ts'
import type { StateWrites } from '../state.ts'

/** What one transaction did, as a commit of its own. */
export const writesOfChanges = ({ accounts, slots, cleared = [], code }: TransactionChanges): StateWrites => {
  const gone = new Set([
    ...cleared,
    ...accounts.filter(({ after }) => after === undefined).map(({ address }) => address),
  ])
  const kept = accounts.flatMap(({ address, after }) => (after === undefined ? [] : [{ address, after }]))
  const there = new Set(kept.map(({ address }) => address))
  const set = slots.filter(({ address }) => there.has(address) || !gone.has(address))
  const writes = {
    deletedAccounts: new Uint32Array(LIMBS_PER_ADDRESS * gone.size),
    accountCount: kept.length,
    accountAddresses: new Uint32Array(LIMBS_PER_ADDRESS * kept.length),
    accounts: {
      exists: new Uint8Array(kept.length).fill(1),
      nonce: new Uint32Array(2 * kept.length),
      balance: new Uint32Array(LIMBS_PER_WORD * kept.length),
      codeHash: new Uint32Array(LIMBS_PER_WORD * kept.length),
    },
    slotCount: set.length,
    slotAddresses: new Uint32Array(LIMBS_PER_ADDRESS * set.length),
    slotKeys: new Uint32Array(LIMBS_PER_WORD * set.length),
    slotValues: new Uint32Array(LIMBS_PER_WORD * set.length),
    code: code ?? new Map<string, Uint8Array>(),
  }
  for (const [i, address] of [...gone].entries()) addressFromHex(writes.deletedAccounts, LIMBS_PER_ADDRESS * i, address)
  for (const [i, { address, after }] of kept.entries()) {
    addressFromHex(writes.accountAddresses, LIMBS_PER_ADDRESS * i, address)
    quantityFromBigInt(writes.accounts.nonce, 2 * i, after.nonce)
    wordFromBigInt(writes.accounts.balance, LIMBS_PER_WORD * i, after.balance)
    wordFromHex(writes.accounts.codeHash, LIMBS_PER_WORD * i, after.codeHash)
  }
  for (const [i, { address, key, after }] of set.entries()) {
    addressFromHex(writes.slotAddresses, LIMBS_PER_ADDRESS * i, address)
    wordFromBigInt(writes.slotKeys, LIMBS_PER_WORD * i, key)
    wordFromBigInt(writes.slotValues, LIMBS_PER_WORD * i, after)
  }
  return writes
}
