import type { AccountAccess, BlockAccessList, StepValue } from '../chain/access_list.ts'
import { EMPTY_CODE_HASH } from '../primitives/keccak.ts'
import type { TransactionChanges } from '../state/changes.ts'

/** One account on its way into a list. */
interface Collected {
  readonly slots: Map<bigint, StepValue<bigint>[]>
  readonly balances: StepValue<bigint>[]
  readonly nonces: StepValue<bigint>[]
  readonly codes: StepValue<Uint8Array>[]
}

const NO_CODE = new Uint8Array(0)

/** Answers with the code of a hash: of what came into the state in this block `changes` has it. */
export type CodeSource = (codeHash: string) => Uint8Array | Promise<Uint8Array>

/**
 * The block access list (EIP-7928) of what each step of a block did, in canonical order. steps[0] stands before the
 * transactions, steps[n + 1] after them.
 *
 * An account that a step destroyed is named with its balance alone; its slots were read.
 */
export const buildAccessList = async (
  steps: readonly TransactionChanges[],
  codeOf: CodeSource,
): Promise<BlockAccessList> => {
  const accounts = new Map<string, Collected>()
  const at = (address: string): Collected => {
    let account = accounts.get(address)
    if (account === undefined) {
      account = { slots: new Map(), balances: [], nonces: [], codes: [] }
      accounts.set(address, account)
    }
    return account
  }
  const slotAt = (address: string, key: bigint): StepValue<bigint>[] => {
    const { slots } = at(address)
    let changes = slots.get(key)
    if (changes === undefined) {
      changes = []
      slots.set(key, changes)
    }
    return changes
  }
  for (const [index, { accounts: changed, slots, readAccounts, readSlots, code }] of steps.entries()) {
    for (const address of readAccounts) at(address)
    const destroyed = new Set<string>()
    for (const { address, before, after } of changed) {
      const account = at(address)
      const balance = after?.balance ?? 0n
      if (balance !== (before?.balance ?? 0n)) account.balances.push({ index, value: balance })
      if (after === undefined) {
        destroyed.add(address)
        continue
      }
      if (after.nonce !== (before?.nonce ?? 0n)) account.nonces.push({ index, value: after.nonce })
      if (after.codeHash !== (before?.codeHash ?? EMPTY_CODE_HASH)) {
        const bytes =
          after.codeHash === EMPTY_CODE_HASH ? NO_CODE : (code?.get(after.codeHash) ?? (await codeOf(after.codeHash)))
        account.codes.push({ index, value: bytes })
      }
    }
    for (const { address, key } of readSlots) slotAt(address, key)
    for (const { address, key, after } of slots) {
      const changes = slotAt(address, key)
      if (!destroyed.has(address)) changes.push({ index, value: after })
    }
  }
  return [...accounts.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, account]) => accessOf(address, account))
}

const accessOf = (address: string, { slots, balances, nonces, codes }: Collected): AccountAccess => {
  const keys = [...slots.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return {
    address,
    storageChanges: keys.filter((key) => slots.get(key)!.length > 0).map((key) => ({ key, changes: slots.get(key)! })),
    storageReads: keys.filter((key) => slots.get(key)!.length === 0),
    balanceChanges: balances,
    nonceChanges: nonces,
    codeChanges: codes,
  }
}
