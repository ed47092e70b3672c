import { describe, expect, test } from 'vitest'
import { SOFTWARE_COSTS } from '../../host/batch/cost.ts'
import { createOpenBatch, type OpenBatch } from '../../host/batch/open_batch.ts'
import type { CpuExecution } from '../../host/batch/outcome.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import { addressFromHex, wordFromBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { CodeTable } from '../../host/state/tables/code_table.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { VmWaveCost } from '../../host/tiers/lane_vm/cost.ts'
import { loadKinds, noteMissedAccount, noteMissedSlot, VmKind, VmKinds } from '../../host/tiers/lane_vm/profiles.ts'
import { codeSkeleton } from '../../transpiler/index.ts'

const address = (n: number): string => `0x${n.toString(16).padStart(40, '0')}`
const env = {
  number: 1n,
  timestamp: 1n,
  coinbase: address(0xc0),
  gasLimit: 30_000_000n,
  baseFeePerGas: 1n,
  prevRandao: 0n,
}

/** Calls by called account and selector. */
const scheduleOf = (calls: readonly (readonly [number, string])[]): OpenBatch => {
  const batch = encodeBatch(
    calls.map(([to, data], n) => ({
      from: address(1),
      to: address(to),
      nonce: BigInt(n),
      gasLimit: 100_000n,
      gasPrice: 9n,
      data,
    })),
  )
  const openBatch = createOpenBatch(batch, env, transactionRules(batch, 'cancun', env))
  calls.forEach(([to], i) => {
    openBatch.toIds[i] = to
    openBatch.toCodes[i] = 1
  })
  return openBatch
}

const word = (value: bigint): Uint32Array => {
  const limbs = new Uint32Array(8)
  wordFromBigInt(limbs, 0, value)
  return limbs
}

const addressWord = (n: number): Uint32Array => {
  const limbs = new Uint32Array(8)
  addressFromHex(limbs, 0, address(n))
  return limbs
}

const residentOf = (state: MemoryState): ResidentState => new ResidentState(state, codeSkeleton)

describe('kinds of calls', () => {
  test('are told apart by called account, its code, and selector', () => {
    const kinds = new VmKinds()
    const openBatch = scheduleOf([
      [7, '0xaabbccdd01'],
      [7, '0xaabbccdd02'],
      [7, '0xaabbccde01'],
      [8, '0xaabbccdd01'],
    ])
    const [first, same, selector, account] = kinds.of(openBatch, [0, 1, 2, 3])
    expect(same).toBe(first)
    expect(new Set([first, selector, account]).size).toBe(3)
    openBatch.toCodes[0] = 2
    expect(kinds.of(openBatch, [0])[0]).not.toBe(first)
    openBatch.toCodes[0] = 1
    expect(kinds.of(openBatch, [0])[0]).toBe(first)
  })

  test('follow the ids of another code table, and past their budget those met last stay', () => {
    const kinds = new VmKinds()
    const table = new CodeTable(codeSkeleton)
    for (let n = 1; n <= 40; n++) table.add(`0x${n.toString(16).padStart(64, '0')}`, Uint8Array.of(0x5b, n))
    const calls = Array.from({ length: 40 }, (_, n) => [n + 1, '0xaabbccdd'] as const)
    const openBatch = scheduleOf(calls)
    calls.forEach((_, i) => {
      openBatch.toCodes[i] = i + 1
    })
    const all = calls.map((_, i) => i)
    const known = kinds.of(openBatch, all)
    kinds.trim(undefined, Infinity)
    kinds.of(openBatch, [30, 31])
    const move = table.kept((id) => id > 5)
    kinds.trim(move, kinds.sizeBytes / 2)
    calls.forEach((_, i) => {
      openBatch.toCodes[i] = Math.max(0, move.ids[i + 1]!)
    })
    const after = kinds.of(openBatch, all)
    expect([30, 31].map((i) => after[i] === known[i])).toEqual([true, true])
    const kept = all.filter((i) => after[i] === known[i])
    // A quarter of them, less those whose codes are gone.
    expect(kept).toEqual([5, 6, 7, 30, 31])
  })

  test('learn what the CPU tier read, until a lane ran one of them', () => {
    const kinds = new VmKinds()
    const openBatch = scheduleOf([[7, '0xaabbccdd']])
    const [kind] = kinds.of(openBatch, [0])
    const outcome = {
      gasUsed: BigInt(openBatch.rules.intrinsic[0]!) + 6_000n,
      reads: { accounts: [address(7)], seen: [], slots: [{ address: address(7), key: 3n, value: 0n }] },
    } as unknown as CpuExecution
    kinds.noteCpu(openBatch, 0, outcome)
    kinds.noteCpu(openBatch, 0, outcome)
    expect([kind!.accounts.count, kind!.slots.count, kind!.steps]).toEqual([1, 1, 100])
    kind!.ended = 1
    kind!.steps = 40
    kinds.noteCpu(openBatch, 0, outcome)
    expect(kind!.steps).toBe(40)
  })

  test('have what their lanes missed made resident, each thing once', async () => {
    const state = MemoryState.from({ [address(9)]: { balance: 5n, nonce: 1n, code: '0x00', storage: { '0x4': 6n } } })
    const before = residentOf(state)
    const owner = new Int32Array(1)
    await before.accountIds(addressWord(9), 1, owner)
    const kind = new VmKind()
    for (let times = 0; times < 2; times++) {
      noteMissedAccount(kind, addressWord(11))
      noteMissedSlot(kind, before, owner[0]!, word(4n))
    }
    expect([kind.accounts.count, kind.slots.count]).toEqual([1, 1])
    // Ids are others there: what is kept are names.
    const after = residentOf(state)
    await after.accountIds(addressWord(1), 1, new Int32Array(1))
    const ids = await loadKinds(new Set([kind]), after)
    expect(ids).toEqual(Int32Array.of(after.accounts.find(addressWord(11), 0)))
    const slot = after.slots.find(after.accounts.find(addressWord(9), 0), word(4n), 0)
    expect(slot).toBeGreaterThanOrEqual(0)
    expect(wordToBigInt(after.slots.values, 8 * slot)).toBe(6n)
  })

  test('keep no more than so many names', () => {
    const kind = new VmKind()
    for (let n = 0; n < 3000; n++) noteMissedAccount(kind, addressWord(n))
    expect(kind.accounts.count).toBe(2048)
  })

  test('are refused while every lane has left', () => {
    const kind = new VmKind()
    expect(kind.isRefused).toBe(false)
    kind.left = 2
    expect(kind.isRefused).toBe(true)
    kind.ended = 1
    expect(kind.isRefused).toBe(false)
  })
})

/** A wave of calls of one kind with so many steps and stops. */
const waveOf = (calls: number, steps: number, stops = 0, costs = SOFTWARE_COSTS): VmWaveCost => {
  const kind = new VmKind()
  kind.ended = 1
  kind.steps = steps
  kind.stopped = stops
  const wave = new VmWaveCost(costs)
  for (let n = 0; n < calls; n++) wave.add(kind, true)
  return wave
}
const pays = ({ savesUs, costUs }: VmWaveCost): boolean => savesUs > costUs

describe('a wave of the lane VM', () => {
  test('pays for one long call that is known, and not for a short or an unknown one', () => {
    expect(pays(waveOf(1, 10_000))).toBe(true)
    expect(pays(waveOf(1, 100))).toBe(false)
    expect(pays(waveOf(1, 0))).toBe(false)
  })

  test('costs what its longest call takes', () => {
    const parallel = { ...SOFTWARE_COSTS, vmPathInstructionUs: 3 }
    expect(pays(waveOf(1, 10_000, 0, parallel))).toBe(false)
    expect(pays(waveOf(4, 10_000, 0, parallel))).toBe(true)
    expect(waveOf(4, 10_000, 0, parallel).costUs).toBe(waveOf(1, 10_000, 0, parallel).costUs)
  })

  test('loses what it saves to stops, and saves more beside calls that are alike', () => {
    expect(waveOf(1, 10_000, 1).savesUs).toBeLessThan(waveOf(1, 10_000).savesUs)
    expect(waveOf(1, 1_000, 50).savesUs).toBeLessThan(0)
    expect(waveOf(2, 1_000).savesUs).toBeGreaterThan(2 * waveOf(1, 1_000).savesUs)
  })

  test('leaves out calls that save nothing, and those of a kind that every lane has left', () => {
    const wave = new VmWaveCost()
    const slow = Object.assign(new VmKind(), { ended: 1, steps: 1_000, stopped: 50 })
    const refused = Object.assign(new VmKind(), { left: 2, steps: 10_000 })
    expect([wave.add(slow), wave.add(refused), wave.savesUs]).toEqual([false, false, 0])
    expect(wave.add(refused, true)).toBe(true)
  })
})
