import { BufferPool } from '../device/buffer_pool.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import { BloomRunner } from './device_blooms.ts'
import { IndexLists } from './index_lists.ts'
import { KeptLanes } from './kept_lanes.ts'
import { DeviceTables } from './mirror.ts'

/**
 * What all tiers share on a device: its buffers, the mirror of one set of resident tables, the hashing of topics, and
 * what went wrong. Flows open and close it; tiers are constructed on it.
 */
export class DeviceSession {
  readonly device: ComputeDevice
  readonly resident: ResidentState
  readonly pool: BufferPool
  readonly tables: DeviceTables
  readonly blooms: BloomRunner
  readonly lanes = new KeptLanes()
  /** What went wrong in this batch while nothing waited for it. */
  readonly faults: string[] = []
  readonly #kept: { destroy(): void }[] = []

  /** `listsAlways`: changes of an index go up as lists, however few they are. */
  constructor(device: ComputeDevice, resident: ResidentState, listsAlways = false) {
    this.device = device
    this.resident = resident
    this.pool = new BufferPool(device)
    this.tables = new DeviceTables(
      device,
      resident,
      new IndexLists(device, { always: listsAlways, faults: this.faults }),
    )
    this.blooms = new BloomRunner(device, this.pool, this.faults)
  }

  /** Starts a batch. `hashesTopics`: its blooms will be read; `keepsLanes`: some of it may settle on the device. */
  begin(hashesTopics: boolean, keepsLanes = false): void {
    this.lanes.begin(keepsLanes)
    this.blooms.isOn = hashesTopics
    this.faults.length = 0
  }

  /**
   * After the device ran out of memory: frees the buffers that no wave holds, and takes the mirror for lost, which the
   * next wave of any tier fills again.
   */
  makeRoom(): void {
    this.lanes.release()
    this.pool.trim()
    this.tables.renew()
  }

  /** What a tier has on the device beside this: destroyed with the session. */
  keep(resource: { destroy(): void }): void {
    this.#kept.push(resource)
  }

  close(): void {
    this.lanes.begin(false)
    for (const resource of this.#kept) resource.destroy()
    this.pool.destroy()
    this.tables.destroy()
  }
}
