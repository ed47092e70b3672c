import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import { sender, word } from '../fixtures/batch_world.ts'
import { SmallTier } from '../fixtures/small_tier.ts'

const SENDERS = 40
const CALLS = 60
const address = (n: number): string => `0x${(0xc0de00 + n).toString(16).padStart(40, '0')}`
/** Adds the first word of calldata to the caller's slot, and 1 to the slot that the second word names. */
const LEDGER = address(1)
const SOURCES = {
  [LEDGER]:
    'PUSH 0 CALLDATALOAD CALLER SLOAD ADD CALLER SSTORE PUSH 1 PUSH 32 CALLDATALOAD SLOAD ADD PUSH 32 CALLDATALOAD SSTORE STOP',
  [address(2)]: 'PUSH 7 PUSH 3 SSTORE PUSH 0 PUSH 3 SSTORE PUSH 0 PUSH 0 RETURN',
  [address(3)]: 'PUSH 2 PUSH 0 CALLDATALOAD MUL CALLER SSTORE STOP',
}

const world = (): MemoryState => {
  const accounts = Array.from({ length: SENDERS }, (_, n) => [sender(n), { balance: 10n ** 20n }] as const)
  const contracts = Object.entries(SOURCES).map(
    ([at, source]) => [at, { nonce: 1n, code: bytesToHex(assemble(source)), storage: { [word(3n)]: 5n } }] as const,
  )
  return MemoryState.from(Object.fromEntries([...accounts, ...contracts]))
}

/** `slot`: of the ledger's counter. */
const call = (n: number, to: string, slot: bigint, value = 0n, gasLimit = 120_000n): TransactionObject => ({
  from: sender(n % SENDERS),
  to,
  nonce: BigInt(Math.floor(n / SENDERS)),
  gasLimit,
  gasPrice: 20n,
  value,
  data: `${word(BigInt(n + 1))}${word(slot).slice(2)}`,
})

/** Two of three calls have counters of their own; every third one shares its counter, and every sixth pays, too. */
const calls = (): TransactionObject[] =>
  Array.from({ length: CALLS }, (_, n) => {
    if (n % 10 === 8) return call(n, address(2), 0n)
    if (n % 10 === 9) return call(n, address(3), 0n)
    return call(n, LEDGER, n % 3 === 0 ? 1n : BigInt(1000 + n), n % 6 === 0 ? 1n : 0n)
  })

const run = async (options: BatchCheckOptions, transactions = calls()) => {
  const check = new BatchCheck({
    ...options,
    changes: true,
    rewire: (tiers, ground) => [new SmallTier(ground), ...tiers],
  })
  const { result, difference } = await check.run(world(), transactions)
  check.executor.close()
  expect(difference).toBeUndefined()
  return { tiers: result.tiers as unknown as Record<string, number>, exits: result.exits }
}

describe('a tier of plain TypeScript, wired in one line', () => {
  let device: ComputeDevice

  beforeAll(async () => {
    device = await openDevice()
  })

  afterAll(() => device.destroy())

  test('executes beside the CPU tier, which takes what it refuses, and what conflicts between both', async () => {
    const { tiers, exits } = await run({})
    expect(tiers['small']).toBeGreaterThan(20)
    expect(tiers['small']! + tiers['cpu']!).toBe(CALLS)
    expect(exits['conflict']).toBeGreaterThan(5)
    expect(exits['refused: opcode 2']).toBe(6)
  })

  test('executes beside paths and the lane VM, in ranges, with conflicts between all of them', async () => {
    for (const options of [{ programs: 'always', recordFrom: 1 }, { laneVm: 'always' }] as const) {
      const { tiers, exits } = await run({ ...options, device, range: 16 })
      expect(tiers['small']).toBeGreaterThan(20)
      expect(tiers['laneVm']! + tiers['pathProgram']!).toBeGreaterThan(0)
      expect(exits['conflict']).toBeGreaterThan(5)
    }
  })

  test('has exact gas, and gives back what has one less', async () => {
    const used = async (gasLimit: bigint) => (await run({}, [call(0, LEDGER, 300n, 0n, gasLimit)])).tiers
    let least = 21_000n
    for (let step = 32_768n; step > 0n; step /= 2n) if ((await used(least + step - 1n))['small'] !== 1) least += step
    expect((await used(least))['small']).toBe(1)
    expect((await used(least - 1n))['cpu']).toBe(1)
  })
})
