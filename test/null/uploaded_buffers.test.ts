import { describe, test } from 'vitest'
import { createDeviceHasher } from '../../host/roots/device_hasher.ts'
import { createDeviceRecovery } from '../../host/senders/device_recovery.ts'
import { nullDevice } from '../fault/device_faults.ts'
import { PLANS } from '../fixtures/hash_plans.ts'
import { expectApart, watchedDevice } from '../fixtures/watched_device.ts'

describe('a buffer that is uploaded to is never written by the device', () => {
  test('by hashing, in plans of sizes that fall and rise', async () => {
    const watched = watchedDevice(await nullDevice())
    const hasher = createDeviceHasher(watched.device)
    for (const [, plan] of [...PLANS, ...PLANS]) await hasher.hash(plan)
    hasher.close()
    expectApart(watched)
    watched.device.destroy()
  })

  test('by the recovery of senders', async () => {
    const watched = watchedDevice(await nullDevice())
    const recovery = createDeviceRecovery(watched.device)
    for (const count of [700, 20, 700]) {
      const signatures = {
        hash: new Uint8Array(32 * count).fill(1),
        rs: new Uint8Array(64 * count).fill(2),
        parity: new Uint8Array(count),
      }
      await recovery.recover(signatures)
    }
    recovery.close()
    expectApart(watched)
    watched.device.destroy()
  })
})
