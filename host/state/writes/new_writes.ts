import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { StateWrites } from '../state.ts'

/** Columns for writes of so many accounts, which exist, and slots; all else is zero. No account is deleted. */
export const newWrites = (accountCount: number, slotCount: number): StateWrites => ({
  deletedAccounts: new Uint32Array(0),
  accountCount,
  accountAddresses: new Uint32Array(LIMBS_PER_ADDRESS * accountCount),
  accounts: {
    exists: new Uint8Array(accountCount).fill(1),
    nonce: new Uint32Array(2 * accountCount),
    balance: new Uint32Array(LIMBS_PER_WORD * accountCount),
    codeHash: new Uint32Array(LIMBS_PER_WORD * accountCount),
  },
  slotCount,
  slotAddresses: new Uint32Array(LIMBS_PER_ADDRESS * slotCount),
  slotKeys: new Uint32Array(LIMBS_PER_WORD * slotCount),
  slotValues: new Uint32Array(LIMBS_PER_WORD * slotCount),
  code: new Map(),
})
