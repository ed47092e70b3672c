import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sendersPart } from '../../bench/parts/senders.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const options = { size: 100, samples: 1, seed: 3, step: () => {} }

/** The device, with one bit of what it reads back changed. */
const lying = (): ComputeDevice =>
  new Proxy(device, {
    get: (_, name) => {
      if (name !== 'run') {
        const value: unknown = Reflect.get(device, name, device)
        return typeof value === 'function' ? value.bind(device) : value
      }
      const run: ComputeDevice['run'] = (commands, { consume, ...rest } = {}) =>
        device.run(commands, {
          ...rest,
          ...(consume === undefined
            ? {}
            : {
                consume: (reads) => {
                  const changed = reads.map((read) => read.slice())
                  changed[0]![5 * 99 + 4]! ^= 1
                  consume(changed)
                },
              }),
        })
      return run
    },
  })

describe('wgevm bench senders', () => {
  test('measures the same signatures by every form, and noble by some of them', async () => {
    const rows = await sendersPart.run({ ...options, device })
    expect(rows[0]).toMatchObject({ form: 'device', isPeer: false, count: 100 })
    expect(rows.slice(1).every(({ isPeer }) => isPeer)).toBe(true)
    expect(rows.map(({ form }) => form)).toContain('secp256k1, 1 thread')
    expect(rows.at(-1)).toMatchObject({ form: 'noble, 1 thread', count: 4 })
    for (const { samplesMs, perSecond } of rows) expect([samplesMs.length, perSecond > 0]).toEqual([1, true])
  })

  test('refuses a device that gives one wrong address', async () => {
    const measuring = sendersPart.run({ ...options, device: lying() })
    await expect(measuring).rejects.toThrow('device: signature 99 has another sender')
  })
})
