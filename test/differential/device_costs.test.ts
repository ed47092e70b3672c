import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DeviceCosts, SOFTWARE_COSTS } from '../../host/batch/cost.ts'
import { deviceCosts, knownCosts, measureAndKeep, parseCosts } from '../../host/flows/device_costs.ts'
import { type ComputeDevice, openDevice } from '../../host/index.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { batchState, randomBatch } from '../fixtures/batch_world.ts'

let device: ComputeDevice
const root = mkdtempSync(join(tmpdir(), 'wgevm-costs-'))

beforeAll(async () => {
  device = await openDevice()
})

afterAll(() => {
  device.destroy()
  rmSync(root, { recursive: true })
})

test('costs are measured once, kept by adapter, and stay what they were', async () => {
  expect(knownCosts(device, root)).toBeUndefined()
  const costs = await measureAndKeep(device, root)
  // The others are small differences, which noise may swallow.
  for (const name of ['waveUs', 'vmWaveUs', 'laneInstructionUs'] as const) expect(costs[name], name).toBeGreaterThan(0)
  expect(knownCosts(device, root)).toEqual(costs)
  const other = new Proxy(device, {
    get: (target, name) => (name === 'driver' ? 'other' : Reflect.get(target, name, target)),
  })
  expect(knownCosts(other, root)).toBeUndefined()
  if (device.software) expect(await deviceCosts(device)).toBe(SOFTWARE_COSTS)
})

test('what is no costs is not believed', () => {
  expect(parseCosts(JSON.stringify(SOFTWARE_COSTS))).toEqual(SOFTWARE_COSTS)
  for (const wrong of ['', '[]', 'null', '{}', JSON.stringify({ ...SOFTWARE_COSTS, waveUs: -1 })])
    expect(parseCosts(wrong)).toBeUndefined()
  expect(parseCosts(JSON.stringify({ ...SOFTWARE_COSTS, vmWaveUs: null }))).toBeUndefined()
})

test('results do not depend on costs, only which tier runs what', async () => {
  const scaled = (factor: number) =>
    Object.fromEntries(
      Object.entries(SOFTWARE_COSTS).map(([name, us]) => [name, us * factor]),
    ) as unknown as DeviceCosts
  const cpu: number[] = []
  for (const costs of [scaled(0), scaled(1e6)]) {
    const check = new BatchCheck({ device, recordFrom: 1, programs: 'always', waves: 'worth', laneVm: 'worth', costs })
    let executed = 0
    for (const seed of [3, 4]) {
      const state = batchState()
      const { difference, result } = await check.run(state, randomBatch(seed, state))
      expect(difference).toBeUndefined()
      executed += result.tiers.laneVm + result.tiers.pathProgram
    }
    cpu.push(executed)
    check.executor.close()
  }
  expect(cpu[0]).toBeGreaterThan(0)
  expect(cpu[1]).toBe(0)
})
