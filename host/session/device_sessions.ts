import type { ComputeDevice } from '../device/compute_device.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import { DeviceSession } from './device_session.ts'

/**
 * The session of one set of resident tables, one after another: opened when a tier first needs the device, closed after
 * a fault or with the device.
 */
export class DeviceSessions {
  readonly #device: () => ComputeDevice | undefined
  readonly #resident: ResidentState
  readonly #listsAlways: boolean
  #current: DeviceSession | undefined
  #used: DeviceSession | undefined
  #hashesTopics = true
  #keepsLanes = false
  /** Batches so far. */
  batches = 0

  /** `listsAlways`: as in DeviceSession. */
  constructor(device: () => ComputeDevice | undefined, resident: ResidentState, listsAlways = false) {
    this.#device = device
    this.#listsAlways = listsAlways
    this.#resident = resident
  }

  /** Why none can be opened; undefined where one can. */
  get refusal(): 'no device' | 'device lost' | undefined {
    const device = this.#device()
    if (device === undefined) return 'no device'
    return device.isLost ? 'device lost' : undefined
  }

  get current(): DeviceSession | undefined {
    return this.#current
  }

  /** The session that tiers of this batch have asked for. */
  get used(): DeviceSession | undefined {
    return this.#used
  }

  /** Starts a batch: as in DeviceSession. */
  begin(hashesTopics: boolean, keepsLanes = false): void {
    this.batches++
    this.#used = undefined
    this.#hashesTopics = hashesTopics
    this.#keepsLanes = keepsLanes
    this.#current?.begin(hashesTopics, keepsLanes)
  }

  /** The present session, or another one. Throws what the device throws; where there is none, it is not to be asked. */
  open(): DeviceSession {
    if (this.#current === undefined) {
      this.#current = new DeviceSession(this.#device()!, this.#resident, this.#listsAlways)
      this.#current.begin(this.#hashesTopics, this.#keepsLanes)
    }
    this.#used = this.#current
    return this.#current
  }

  close(): void {
    this.#current?.close()
    this.#current = undefined
  }
}
