import { describe, expect, test } from 'vitest'
import { countersOf, type Tier, type TierRun } from '../../host/batch/tier.ts'
import { DeviceLostError, OutOfMemoryError } from '../../host/device/fault.ts'
import { DeviceGuard } from '../../host/flows/device_guard.ts'

const tierNamed = (name: string, usesDevice: boolean): Tier => ({ name, usesDevice, open: () => undefined, close() {} })

/** A guard over three tiers, two of which use the device, with what each was refused for. */
const guarded = () => {
  const refused: string[] = []
  const guard = new DeviceGuard()
  const [first, second, host] = [tierNamed('first', true), tierNamed('second', true), tierNamed('host', false)]
  for (const tier of [first, second, host]) {
    const run: TierRun = {
      counters: countersOf(),
      start: async () => undefined,
      refuse: (reason) => refused.push(`${tier.name}: ${reason}`),
      end: () => [],
    }
    guard.add(tier, run)
  }
  return { guard, first, second, host, refused }
}

describe('the guard of the device', () => {
  test('ends every tier that uses the device at the first fault of one, and tells of it once', async () => {
    const { guard, first, second, host, refused } = guarded()
    expect(await guard.step(first, () => 1)).toBe(1)
    const lost = await guard.step(first, () => Promise.reject(new DeviceLostError('gone')))
    expect([lost, guard.hasEnded(second), guard.hasEnded(host)]).toEqual([undefined, true, false])
    let isRun = false
    const later = await guard.step(second, () => {
      isRun = true
      throw new OutOfMemoryError('no room')
    })
    expect([later, isRun]).toEqual([undefined, false])
    expect(await guard.step(host, () => 2)).toBe(2)
    expect(refused).toEqual(['first: device lost', 'second: device lost'])
    expect([guard.faults, guard.reason]).toEqual([['gone'], 'device lost'])
  })

  test('throws on what is no fault of the device, and any fault of a tier that does not use it', async () => {
    const { guard, first, host, refused } = guarded()
    await expect(guard.step(first, () => Promise.reject(new Error('ours')))).rejects.toThrow('ours')
    await expect(guard.step(host, () => Promise.reject(new DeviceLostError('gone')))).rejects.toThrow('gone')
    expect([refused, guard.faults, guard.reason]).toEqual([[], [], undefined])
  })
})
