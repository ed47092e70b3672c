import { afterEach, describe, expect, it } from 'vitest'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { DeviceLostError } from '../../host/device/fault.ts'
import { SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import type { DeviceHasher } from '../../host/roots/device_hasher.ts'
import { Hashers } from '../../host/roots/hashers.ts'
import { nobleDigests, randomPlan } from '../fixtures/hash_plans.ts'

const PLAN = randomPlan(51, { levels: [40, 9, 1], longest: 300, mostHoles: 5 })
/** 30,000 blocks in a level, and 60 levels of one. */
const WIDE = randomPlan(52, { levels: [15_000], longest: 270, mostHoles: 0 })
const DEEP = randomPlan(53, { levels: new Array<number>(60).fill(1), longest: 100, mostHoles: 1 })
const DEVICE = { kind: 'gpu', software: false, isLost: false } as ComputeDevice

/** A device form that counts its plans. */
class Counted implements DeviceHasher {
  readonly name = 'device'
  plans = 0
  isClosed = false
  readonly fault: Error | undefined
  readonly fits: () => boolean
  constructor(fault?: Error, fits = () => true) {
    this.fault = fault
    this.fits = fits
  }
  async hash(plan: Parameters<DeviceHasher['hash']>[0]) {
    this.plans++
    if (this.fault !== undefined) throw this.fault
    return SERIAL_HASHER.hash(plan)
  }
  async warmUp() {
    return 0
  }
  close() {
    this.isClosed = true
  }
}

describe('the forms of hashing', () => {
  let hashers: Hashers | undefined
  afterEach(() => hashers?.close())

  it('take a plan as they are told to', async () => {
    for (const mode of ['device', 'threads', 'thread'] as const) {
      const form = new Counted()
      hashers = new Hashers({ mode, workers: 1, device: () => DEVICE, deviceForm: () => form })
      expect(hashers.choice(PLAN)).toBe(mode)
      expect(await hashers.hash(PLAN)).toEqual(nobleDigests(PLAN))
      expect(form.plans).toBe(mode === 'device' ? 1 : 0)
      hashers.close()
      expect(form.isClosed).toBe(mode === 'device')
    }
  })

  it('are chosen by blocks and levels', () => {
    hashers = new Hashers({ workers: 3 })
    expect(hashers.choice(PLAN)).toBe('thread')
    expect(hashers.choice(DEEP)).toBe('thread')
    expect(hashers.choice(WIDE)).toBe('threads')
    const alone = new Hashers({ workers: 0 })
    expect(alone.choice(WIDE)).toBe('thread')
    alone.close()
  })

  it('take listed nodes as a plan on a device, and where they lie on threads and on this one', async () => {
    for (const mode of ['device', 'threads', 'thread'] as const) {
      const form = new Counted()
      hashers = new Hashers({ mode, workers: 1, device: () => DEVICE, deviceForm: () => form })
      const taken: string[] = []
      await hashers.hashListed({
        blocks: 10,
        byPlan: async (hasher) => {
          taken.push('device')
          expect(await hasher.hash(PLAN)).toEqual(nobleDigests(PLAN))
        },
        inPlace: (threads) => taken.push(threads === undefined ? 'thread' : 'threads'),
      })
      expect(taken).toEqual([mode])
      expect(form.plans).toBe(mode === 'device' ? 1 : 0)
      hashers.close()
    }
  })

  it('are chosen for listed nodes by what they took of others', async () => {
    hashers = new Hashers({ workers: 3 })
    const taken: string[] = []
    /** As many nodes as are noted; threads take longer for them than this one does. */
    const nodes = {
      blocks: 40_000,
      byPlan: async () => {},
      inPlace: (threads?: object) => {
        taken.push(threads === undefined ? 'thread' : 'threads')
        const untilMs = performance.now() + (threads === undefined ? 1 : 60)
        while (performance.now() < untilMs) {}
      },
    }
    expect(hashers.listedChoice(100)).toBe('thread')
    for (let n = 0; n < 3; n++) await hashers.hashListed(nodes)
    expect(taken).toEqual(['threads', 'thread', 'thread'])
    expect(hashers.listedChoice(40_000)).toBe('thread')
  })

  it('measure themselves, the device once blocks have come, and only what is there', async () => {
    const form = new Counted()
    hashers = new Hashers({ workers: 0, device: () => DEVICE, deviceForm: () => form })
    await hashers.hash(PLAN)
    expect(form.plans).toBe(0)
    await hashers.hash(WIDE)
    expect(form.plans).toBeGreaterThan(0)
    await hashers.measure()
    expect([...hashers.rates.keys()].sort()).toEqual(['device', 'thread'])
    for (const { blockUs } of hashers.rates.values()) expect(blockUs).toBeGreaterThan(0)
  })

  it('hand a plan on where the device fails, and do not ask it again', async () => {
    const form = new Counted(new DeviceLostError('gone'))
    hashers = new Hashers({ mode: 'device', workers: 0, device: () => DEVICE, deviceForm: () => form })
    for (let n = 0; n < 3; n++) expect(await hashers.hash(PLAN)).toEqual(nobleDigests(PLAN))
    expect(form.plans).toBe(1)
    expect(hashers.takeFaults()).toEqual([expect.stringMatching(/^hashing \(device\): .*gone/)])
    expect(hashers.takeFaults()).toEqual([])
  })

  it('leave the device a plan that fits it, another device its own form, and a lost one nothing', async () => {
    const forms = new Map<ComputeDevice, Counted>()
    const [second, lost] = [{ ...DEVICE }, { ...DEVICE, isLost: true }]
    const form = (device: ComputeDevice): Counted => {
      forms.set(device, new Counted(undefined, () => device !== DEVICE))
      return forms.get(device)!
    }
    let device: ComputeDevice = DEVICE
    hashers = new Hashers({ mode: 'device', workers: 0, device: () => device, deviceForm: form })
    expect(hashers.choice(PLAN)).toBe('thread')
    device = second
    expect(hashers.choice(PLAN)).toBe('device')
    expect(forms.get(DEVICE)!.isClosed).toBe(true)
    device = lost
    expect(hashers.choice(PLAN)).toBe('thread')
  })
})
