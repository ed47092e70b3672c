import { ACCOUNT_FLAG_EXISTS } from '../../transpiler/layout/tables.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import {
  BASE_BALANCE,
  BASE_CODE,
  BASE_FLAGS,
  BASE_LIMBS,
  BASE_NONCE,
  HOST_CODE,
  HOST_LIMBS,
  HOST_NONCE,
  ROW_BALANCE,
  ROW_LIMBS,
  STATE_FRESH,
  STATE_RETIRED,
} from '../state/account_table.ts'
import type { ResidentState } from '../state/resident_state.ts'
import type { StateWrites } from '../state/state.ts'
import { wordEquals } from '../state/word.ts'

/** What the open batch changed, as one commit: last values only, and only what differs from the base. */
export const collectWrites = (resident: ResidentState): StateWrites => {
  const { accounts, slots, codes } = resident
  const deleted = new Uint32Array(LIMBS_PER_ADDRESS * accounts.entries)
  let deletedCount = 0
  let accountCount = 0
  const accountAddresses = new Uint32Array(LIMBS_PER_ADDRESS * accounts.entries)
  const exists = new Uint8Array(accounts.entries)
  const nonce = new Uint32Array(2 * accounts.entries)
  const balance = new Uint32Array(LIMBS_PER_WORD * accounts.entries)
  const codeHash = new Uint32Array(LIMBS_PER_WORD * accounts.entries)
  const code = new Map<string, Uint8Array>()
  const { hosts } = accounts
  for (let entry = 0; entry < accounts.entries; entry++) {
    const id = accounts.written[entry]!
    const row = id * ROW_LIMBS
    const base = entry * BASE_LIMBS
    const host = id * HOST_LIMBS
    const wasFresh = accounts.renewed && (accounts.states[id]! & STATE_FRESH) !== 0
    const existed = (accounts.base[base + BASE_FLAGS]! & ACCOUNT_FLAG_EXISTS) !== 0
    const isRetired = accounts.renewed && (accounts.states[id]! & STATE_RETIRED) !== 0
    if (isRetired || !accounts.exists(id)) {
      // Of an address made anew only its first row was in the State. It goes even where it did not exist: its slots may.
      if (isRetired ? !wasFresh : existed) {
        copyLimbs(deleted, LIMBS_PER_ADDRESS * deletedCount, accounts.rows, row, LIMBS_PER_ADDRESS)
        deletedCount++
      }
      continue
    }
    const codeId = hosts[host + HOST_CODE]!
    if (existed && !wasFresh && sameAsBase(resident, id, base)) continue
    copyLimbs(accountAddresses, LIMBS_PER_ADDRESS * accountCount, accounts.rows, row, LIMBS_PER_ADDRESS)
    exists[accountCount] = 1
    nonce[2 * accountCount] = hosts[host + HOST_NONCE]!
    nonce[2 * accountCount + 1] = hosts[host + HOST_NONCE + 1]!
    copyLimbs(balance, LIMBS_PER_WORD * accountCount, accounts.rows, row + ROW_BALANCE, LIMBS_PER_WORD)
    const known = codes.codes[codeId]!
    copyLimbs(codeHash, LIMBS_PER_WORD * accountCount, codes.constants, known.constantsBase * LIMBS_PER_WORD, 8)
    if (codeId !== 0 && codeId !== accounts.base[base + BASE_CODE]) code.set(known.hash, known.bytes)
    accountCount++
  }

  let slotCount = 0
  const slotAddresses = new Uint32Array(LIMBS_PER_ADDRESS * slots.entries)
  const slotKeys = new Uint32Array(LIMBS_PER_WORD * slots.entries)
  const slotValues = new Uint32Array(LIMBS_PER_WORD * slots.entries)
  for (let entry = 0; entry < slots.entries; entry++) {
    const id = slots.written[entry]!
    const at = id * LIMBS_PER_WORD
    if (wordEquals(slots.values, at, slots.base, entry * LIMBS_PER_WORD)) continue
    const owner = slots.owners[id]!
    if (accounts.renewed && (accounts.states[owner]! & STATE_RETIRED) !== 0) continue
    copyLimbs(slotAddresses, LIMBS_PER_ADDRESS * slotCount, accounts.rows, owner * ROW_LIMBS, LIMBS_PER_ADDRESS)
    copyLimbs(slotKeys, LIMBS_PER_WORD * slotCount, slots.keys, at, LIMBS_PER_WORD)
    copyLimbs(slotValues, LIMBS_PER_WORD * slotCount, slots.values, at, LIMBS_PER_WORD)
    slotCount++
  }
  return {
    deletedAccounts: deleted.subarray(0, LIMBS_PER_ADDRESS * deletedCount),
    accountCount,
    accountAddresses: accountAddresses.subarray(0, LIMBS_PER_ADDRESS * accountCount),
    accounts: {
      exists: exists.subarray(0, accountCount),
      nonce: nonce.subarray(0, 2 * accountCount),
      balance: balance.subarray(0, LIMBS_PER_WORD * accountCount),
      codeHash: codeHash.subarray(0, LIMBS_PER_WORD * accountCount),
    },
    slotCount,
    slotAddresses: slotAddresses.subarray(0, LIMBS_PER_ADDRESS * slotCount),
    slotKeys: slotKeys.subarray(0, LIMBS_PER_WORD * slotCount),
    slotValues: slotValues.subarray(0, LIMBS_PER_WORD * slotCount),
    code,
  }
}

const sameAsBase = ({ accounts }: ResidentState, id: number, base: number): boolean => {
  const host = id * HOST_LIMBS
  return (
    accounts.hosts[host + HOST_NONCE] === accounts.base[base + BASE_NONCE] &&
    accounts.hosts[host + HOST_NONCE + 1] === accounts.base[base + BASE_NONCE + 1] &&
    accounts.hosts[host + HOST_CODE] === accounts.base[base + BASE_CODE] &&
    wordEquals(accounts.rows, id * ROW_LIMBS + ROW_BALANCE, accounts.base, base + BASE_BALANCE)
  )
}

const copyLimbs = (to: Uint32Array, ti: number, from: Uint32Array, fi: number, limbs: number): void => {
  for (let limb = 0; limb < limbs; limb++) to[ti + limb] = from[fi + limb]!
}
