import { describe, expect, test } from 'vitest'
import { createExecutor } from '../../host/flows/executor.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import { opcodesAt } from '../../transpiler/spec/opcodes.ts'
import { randomVmCase, seedOfAddress, settingOf, VM_FORKS, type VmCase, vmState } from '../fixtures/vm_cases.ts'
import { shrunk } from '../fixtures/vm_shrink.ts'

const CASES = 500

const casesAt = (fork: (typeof VM_FORKS)[number]): VmCase[] =>
  Array.from({ length: CASES }, (_, seed) => randomVmCase(seed, fork))

/** Codes of the instructions of a contract, its immediates left out. */
const instructionsOf = (code: Uint8Array): Set<number> => {
  const found = new Set<number>()
  for (let at = 0; at < code.length; at++) {
    const byte = code[at]!
    found.add(byte)
    if (byte >= 0x60 && byte < 0x80) at += byte - 0x5f
  }
  return found
}

describe('random programs', () => {
  test.each(VM_FORKS)('use every instruction of %s', (fork) => {
    const used = new Set<number>()
    for (const { accounts, kind } of casesAt(fork)) {
      if (kind !== 'program') continue
      for (const { code } of Object.values(accounts))
        for (const byte of instructionsOf(hexToBytes(code))) used.add(byte)
    }
    const missing = opcodesAt(fork).filter((row) => row !== undefined && !used.has(row.code))
    expect(missing.map((row) => row!.mnemonic)).toEqual([])
  })

  test('are the same for the same seed, and name their accounts by it', () => {
    expect(randomVmCase(77, 'osaka')).toEqual(randomVmCase(77, 'osaka'))
    expect(randomVmCase(78, 'osaka').transaction.to).not.toBe(randomVmCase(77, 'osaka').transaction.to)
    for (const address of Object.keys(randomVmCase(77, 'osaka').accounts)) expect(seedOfAddress(address)).toBe(77)
  })

  test('succeed, revert and halt, each often', async () => {
    const cases = casesAt('prague').filter(({ kind }) => kind === 'program')
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state: vmState(cases), workers: 0 })
    const transactions = cases.map(({ transaction }) => transaction)
    const { receipts } = await executor.execute({ env: settingOf(cases).env, transactions })
    executor.close()
    const counts: Record<string, number> = { success: 0, revert: 0, halt: 0 }
    for (let i = 0; i < cases.length; i++) {
      const exception = receipts.callOutcome(i)?.exception
      counts[exception === undefined ? 'success' : exception === 'revert' ? 'revert' : 'halt']!++
    }
    expect(counts['success']! / cases.length).toBeGreaterThan(0.4)
    expect(counts['revert']! / cases.length).toBeGreaterThan(0.05)
    expect(counts['halt']! / cases.length).toBeGreaterThan(0.05)
  })
})

describe('a failing batch of programs', () => {
  /** Differs while a contract hashes in a batch with two cases at least. */
  const check = {
    run: async (cases: readonly VmCase[]) => {
      const culprit = cases.find(({ accounts }) =>
        Object.values(accounts).some(({ code }) => instructionsOf(hexToBytes(code)).has(0x20)),
      )
      return culprit !== undefined && cases.length > 1 ? { text: 'hashes', seed: culprit.seed } : undefined
    },
  }

  test('shrinks to the fewest cases and to the bytes that matter', async () => {
    const cases = casesAt('cancun').slice(0, 40)
    const found = (await check.run(cases))!
    const smallest = await shrunk(check, cases, found)
    expect(smallest.difference).toBe('hashes')
    expect(smallest.cases).toHaveLength(2)
    const codes = smallest.cases.flatMap(({ accounts }) => Object.values(accounts).map(({ code }) => code))
    expect(codes.filter((code) => code !== '0x')).toEqual(['0x20'])
    for (const { transaction } of smallest.cases) expect(transaction).toMatchObject({ type: 0, value: 0n, data: '0x' })
  })
})
