import { addressToHex, wordToHex } from '../primitives/word.ts'
import type { DumpedAccount } from './allocation.ts'
import type { RunningState } from './running_state.ts'
import type { StateWrites } from './state.ts'

/**
 * The first account, in the order of addresses, that is not as expected, in words; undefined where all are. Looked at
 * are the expected accounts with their slots, and whatever `writes` names.
 */
export const firstDifference = async (
  expected: Readonly<Record<string, DumpedAccount>>,
  running: RunningState,
  writes: StateWrites,
): Promise<string | undefined> => {
  const slots = new Map<string, Set<string>>(
    Object.entries(expected).map(([address, { storage }]) => [address, new Set(Object.keys(storage))]),
  )
  const slotsAt = (addresses: Uint32Array, i: number): Set<string> => {
    const address = addressToHex(addresses, 5 * i)
    let keys = slots.get(address)
    if (keys === undefined) {
      keys = new Set()
      slots.set(address, keys)
    }
    return keys
  }
  for (let i = 0; i < writes.deletedAccounts.length / 5; i++) slotsAt(writes.deletedAccounts, i)
  for (let i = 0; i < writes.accountCount; i++) slotsAt(writes.accountAddresses, i)
  for (let i = 0; i < writes.slotCount; i++) slotsAt(writes.slotAddresses, i).add(wordToHex(writes.slotKeys, 8 * i))
  for (const address of [...slots.keys()].sort()) {
    const want = expected[address]
    const have = await running.account(address)
    if (have === undefined && want === undefined) continue
    if (have === undefined) return `account ${address} does not exist, expected to`
    if (want === undefined) return `account ${address} exists, expected not to`
    for (const field of ['nonce', 'balance', 'codeHash'] as const) {
      if (have[field] !== want[field]) return `account ${address}: ${field} is ${have[field]}, expected ${want[field]}`
    }
    for (const key of [...slots.get(address)!].sort()) {
      const value = await running.storage(address, BigInt(key))
      const wanted = BigInt(want.storage[key] ?? 0)
      if (value !== wanted)
        return `account ${address}: slot ${key} is 0x${value.toString(16)}, expected 0x${wanted.toString(16)}`
    }
  }
  return undefined
}
