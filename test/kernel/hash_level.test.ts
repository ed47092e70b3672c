import { expect, test } from 'vitest'
import { createDeviceHasher, type DeviceHasher } from '../../host/roots/device_hasher.ts'
import { nobleDigests, PLANS } from '../fixtures/hash_plans.ts'
import { describeOnAdapters } from './rig.ts'

describeOnAdapters('hash_level', (rig) => {
  let hasher: DeviceHasher | undefined

  test.each(PLANS)('hashes plans as @noble/hashes: %s', async (_, plan) => {
    hasher ??= createDeviceHasher(rig.device)
    expect(hasher.fits(plan)).toBe(true)
    expect(await hasher.hash(plan)).toEqual(nobleDigests(plan))
  })

  test('hashes plans that overlap', async () => {
    hasher ??= createDeviceHasher(rig.device)
    const plans = PLANS.slice(0, 6).map(([, plan]) => plan)
    expect(await Promise.all(plans.map((plan) => hasher!.hash(plan)))).toEqual(plans.map(nobleDigests))
    hasher.close()
  })
})
