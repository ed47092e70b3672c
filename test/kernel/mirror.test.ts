import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import type { BoundBuffer, ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import { DeviceSession } from '../../host/session/device_session.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { STATE_RETIRED } from '../../host/state/tables/account_table.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { codeSkeleton } from '../../transpiler/index.ts'
import { BINDINGS } from '../../transpiler/layout/environment.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { FaultyDevice } from '../fault/device_faults.ts'
import { watchedDevice } from '../fixtures/watched_device.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const residentOf = (): ResidentState => new ResidentState(new MemoryState(), codeSkeleton)

const randomLimbs = (random: Random, count: number): Uint32Array =>
  Uint32Array.from({ length: count }, () => random.u32())

/** Adds accounts and a slot of each. */
const addRows = async (resident: ResidentState, random: Random, count: number): Promise<void> => {
  const ids = new Int32Array(count)
  await resident.accountIds(randomLimbs(random, LIMBS_PER_ADDRESS * count), count, ids)
  await resident.slotIds(ids, randomLimbs(random, LIMBS_PER_WORD * count), count, new Int32Array(count))
}

/** Where the device's indexes differ from the host's: `toEqual` of so many numbers takes seconds. */
const differenceOf = async (
  bound: readonly BoundBuffer[],
  { slots, accounts }: ResidentState,
): Promise<readonly number[]> => {
  const different = async (binding: number, { words }: { readonly words: Uint32Array }): Promise<number> => {
    const { buffer } = bound.find((one) => one.binding === binding)!
    const found = await device.readback(buffer, 0, words.byteLength)
    return words.findIndex((word, n) => word !== found[n])
  }
  return [await different(BINDINGS.slotIndex, slots.index), await different(BINDINGS.accountIndex, accounts.index)]
}

const EQUAL = [-1, -1]

describe('the indexes of the mirror', () => {
  test('are those of the host after whatever changed, whether or not what was synced was submitted', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = createRandom(seed, 'mirror')
      const resident = residentOf()
      const session = new DeviceSession(device, resident, true)
      const { tables } = session
      const emptyBytes = tables.sizeBytes
      const renew = (id: number): void => {
        if ((resident.accounts.states[id]! & STATE_RETIRED) === 0) resident.accounts.renew(id)
      }
      for (let step = 0; step < 24; step++) {
        await addRows(resident, random, 1 + random.below(step % 8 === 7 ? 400 : 20))
        renew(random.below(resident.accounts.count))
        if (random.below(9) === 0) {
          session.makeRoom()
          expect(tables.sizeBytes).toBe(emptyBytes)
        }
        if (random.below(20) === 0) resident.empty()
        if (random.below(2) === 0) {
          // What was to be submitted was not: its maker threw.
          await tables.open()
          tables.sync()
          // Of the last accounts the lists have the buckets; many more, and there is no list any more.
          await addRows(resident, random, random.below(3) === 0 ? 600 : 1)
          renew(resident.accounts.count - 1)
          for (let n = 0; n < 8; n++) renew(random.below(resident.accounts.count))
        }
        await tables.open()
        const bound = tables.sync()
        await tables.run([])
        expect(await differenceOf(bound, resident), `seed ${seed}, step ${step}`).toEqual(EQUAL)
      }
      session.close()
    }
  })

  test('go up as lists where that is fewer bytes', async () => {
    const random = createRandom(1, 'lists')
    const resident = residentOf()
    const { device: watched, bytes } = watchedDevice(device)
    const session = new DeviceSession(watched, resident)
    const { tables } = session
    /** Bytes of the slot index as a whole, by bucket, and as lists. */
    const synced = async (rows: number): Promise<readonly (number | undefined)[]> => {
      await addRows(resident, random, rows)
      bytes.clear()
      await tables.open()
      const bound = tables.sync()
      await tables.run([])
      expect(await differenceOf(bound, resident)).toEqual(EQUAL)
      return [bytes.get('slot index'), bytes.get('slot index changes')]
    }
    const wholeBytes = 8 * 32_768
    expect(await synced(5000)).toEqual([wholeBytes, undefined])
    expect(await synced(8)).toEqual([8 * 8, undefined])
    expect(await synced(1000)).toEqual([undefined, 4 + 12 * 1000])
    expect(await synced(0)).toEqual([undefined, undefined])
    // More than an eighth of the buckets.
    expect(await synced(4100)).toEqual([wholeBytes, undefined])
    session.close()
  })

  test('go up whole where the kernel of lists does not compile', async () => {
    const random = createRandom(1, 'refused')
    const resident = residentOf()
    const refusing = new FaultyDevice(device, { kernel: { 0: 'compile' } })
    const session = new DeviceSession(refusing, resident, true)
    const { tables } = session
    for (let step = 0; step < 3; step++) {
      await addRows(resident, random, 100)
      await tables.open()
      const bound = tables.sync()
      await tables.run([])
      expect(await differenceOf(bound, resident)).toEqual(EQUAL)
    }
    expect([refusing.calls.kernel, session.faults.length]).toEqual([1, 1])
    session.close()
  })
})
