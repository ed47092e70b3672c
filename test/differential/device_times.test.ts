import { expect, test } from 'vitest'
import { deviceTimesText } from '../../bench/report/text.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import { type ComputeDevice, createExecutor, MemoryState, openDevice } from '../../host/index.ts'

const timesOn = async (device: ComputeDevice, deviceTimes: boolean, waves?: 'always') => {
  const workload = WORKLOADS.find(({ name }) => name === 'erc20')!
  const { fork, chainId, genesis, next } = await workload.build({ fork: DEFAULT_FORK, size: 600, seed: 5, blocks: 1 })
  const state = new MemoryState()
  state.commit(genesis)
  const forms = { recordFrom: 1, compile: 'wait', kernels: 'never', laneVm: 'never' } as const
  const executor = createExecutor({ fork, chainId, state, device, deviceTimes, ...forms, ...(waves && { waves }) })
  const { env, transactions } = next()
  const result = await executor.execute({ env, transactions })
  executor.close()
  return result
}

test('device time is told by kernel where it is asked for, and that it is unknown where the adapter has no clock', async () => {
  const device = await openDevice()
  const { timings, deviceTimes } = await timesOn(device, true, 'always')
  if (device.features.has('timestamp-query')) {
    const { 'path programs': programs, ...others } = deviceTimes!.kernels
    // The first wave misses what its tables lack, and runs again.
    expect(programs!.dispatches).toBeGreaterThanOrEqual(2)
    expect(programs!.ms).toBeGreaterThan(0)
    expect(Object.keys(others)).toEqual(['bloom'])
    expect(timings.device).toBe(deviceTimes!.totalMs)
    expect(timings.device).toBeCloseTo(programs!.ms + others['bloom']!.ms)
    expect(deviceTimesText(deviceTimes)).toMatch(/^[\d.,]+: /)
    for (const kernel of ['path programs', 'bloom'])
      expect(deviceTimesText(deviceTimes)).toMatch(new RegExp(`[:,] ${kernel} [\\d.,]+ in \\d+`))
  }
  // One that computes on the host's cores leaves the topics of what is no block to whoever reads blooms.
  const paying = await timesOn(device, true)
  expect(paying.tiers.pathProgram).toBe(600)
  if (paying.deviceTimes !== undefined) expect('bloom' in paying.deviceTimes.kernels).toBe(!device.software)
  const unasked = await timesOn(device, false, 'always')
  expect([unasked.deviceTimes, unasked.timings.device]).toEqual([undefined, undefined])
  const clockless = new Proxy(device, {
    get: (target, name) => {
      if (name === 'features') return new Set()
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const untimed = await timesOn(clockless, true, 'always')
  expect(untimed.timings.device).toBeUndefined()
  expect(deviceTimesText(untimed.deviceTimes)).toBe('unknown: the adapter has no timestamp queries')
  device.destroy()
})
