import type { AccountRead, AccountView } from '../../state/snapshot.ts'

/**
 * Below it no transaction counts a nonce up to the last one, 2^64 - 1 (EIP-2681): each creation costs more than 2 gas.
 */
const COUNTED_BELOW = 1n << 63n

/** Whether an execution that saw this of an account goes the same way, and leaves the same changes, on what it is. */
export const accountHolds = (
  { view, leastBalance, mostBalance, nonce }: AccountRead,
  now: AccountView | undefined,
): boolean => {
  if (view === undefined || now === undefined) return view === now
  if (view.codeHash !== now.codeHash || now.balance < leastBalance || now.balance > mostBalance) return false
  if (view.nonce === now.nonce || nonce === 'any') return true
  if (nonce === 'same' || (view.nonce === 0n) !== (now.nonce === 0n)) return false
  return nonce === 'zero' || (view.nonce < COUNTED_BELOW && now.nonce < COUNTED_BELOW)
}
