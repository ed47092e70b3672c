import { rejectionText } from '../host/chain/rejection.ts'
import { transactionRules } from '../host/chain/rules.ts'
import { addressToHex } from '../host/primitives/word.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import type { AccountView, StateSnapshot } from '../host/state/snapshot.ts'
import { createCpuTier } from '../host/tiers/cpu/ethereumjs/transaction.ts'
import { LIMBS_PER_ADDRESS } from '../transpiler/layout/word.ts'
import type { AccessSets } from './conflict_matrix.ts'
import type { Scenario } from './workloads/workload.ts'

/** What transactions before this one changed, over a state that stays as it is. */
class Overlay implements StateSnapshot {
  readonly #base: MemoryState
  readonly #accounts = new Map<string, AccountView | undefined>()
  readonly #slots = new Map<string, bigint>()
  readonly #code = new Map<string, Uint8Array>()

  constructor(base: MemoryState) {
    this.#base = base
  }

  account(address: string): AccountView | undefined {
    return this.#accounts.has(address) ? this.#accounts.get(address) : this.#base.account(address)
  }

  storage(address: string, key: bigint): bigint {
    return this.#slots.get(slotName(address, key)) ?? this.#base.storage(address, key)
  }

  code(codeHash: string): Uint8Array {
    return this.#code.get(codeHash) ?? this.#base.code(codeHash)
  }

  blockHash(): undefined {
    return undefined
  }

  setAccount(address: string, account: AccountView | undefined): void {
    this.#accounts.set(address, account)
  }

  setSlot(address: string, key: bigint, value: bigint): void {
    this.#slots.set(slotName(address, key), value)
  }

  setCode(codeHash: string, code: Uint8Array): void {
    this.#code.set(codeHash, code)
  }
}

const slotName = (address: string, key: bigint): string => `${address} ${key}`

/**
 * The storage slots that each transaction of the scenario's next block reads and changes, and the account it calls,
 * found by executing it in order on the CPU tier. A few hundred transactions are enough to tell the conflict rate of a
 * workload.
 */
export const accessSets = async (
  scenario: Scenario,
): Promise<AccessSets & { readonly called: readonly (string | undefined)[] }> => {
  const { fork, chainId } = scenario
  const { env, transactions: batch } = scenario.next()
  const state = new MemoryState()
  state.commit(scenario.genesis)
  const overlay = new Overlay(state)
  const tier = await createCpuTier({ fork, chainId })
  const rules = transactionRules(batch, fork, env)
  const numbers = new Map<string, number>()
  const numberOf = ({ address, key }: { address: string; key: bigint }): number => {
    const name = slotName(address, key)
    const known = numbers.get(name)
    if (known !== undefined) return known
    numbers.set(name, numbers.size)
    return numbers.size - 1
  }
  const reads: number[][] = []
  const writes: number[][] = []
  const called: (string | undefined)[] = []
  for (let index = 0; index < batch.count; index++) {
    const outcome = await tier.execute({ env, batch, index, rules, snapshot: overlay })
    reads.push(outcome.reads.slots.map(numberOf))
    if ('rejected' in outcome) throw new Error(`transaction ${index} is rejected (${rejectionText(outcome.rejected)})`)
    writes.push(outcome.writes.slots.map(numberOf))
    called.push(batch.creates[index] === 1 ? undefined : addressToHex(batch.to, LIMBS_PER_ADDRESS * index))
    for (const { address, account } of outcome.writes.accounts) overlay.setAccount(address, account)
    for (const { address, key, value } of outcome.writes.slots) overlay.setSlot(address, key, value)
    for (const [hash, code] of outcome.writes.code) overlay.setCode(hash, code)
  }
  return { slotCount: numbers.size, reads, writes, called }
}
