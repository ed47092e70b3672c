import type { BufferLease } from '../device/buffer_pool.ts'

/** Where lane columns begin. */
export interface ColumnPlace {
  readonly buffer: GPUBuffer
  readonly byteOffset: number
}

/** Columns of a group of lanes as the device left them. */
export interface KeptColumns {
  /** Undefined once the device does not have them. */
  readonly place: ColumnPlace | undefined
}

/** The buffers of a wave: `held` are those of its columns, of so many bytes. */
interface WaveBuffers {
  readonly lease: BufferLease
  readonly held: BufferLease
  readonly bytes: number
}

/** Lane columns that stay on the device after their wave, for what settles them there. */
export class KeptLanes {
  /** Whether anything will settle on the device: else nothing is kept. */
  isOn = false
  /** Bytes that are kept now. */
  sizeBytes = 0
  #leases: BufferLease[] = []
  #columns: { place: ColumnPlace | undefined }[] = []

  begin(isOn: boolean): void {
    this.release()
    this.isOn = isOn
  }

  /**
   * A wave has ended, `hashed` tells when its topics have: undefined where the device failed at them. Its columns stay,
   * the other buffers go to the next wave.
   */
  endWave({ lease, held, bytes }: WaveBuffers, hashed: Promise<unknown>): void {
    const leases = this.isOn ? [lease] : [lease, held]
    if (this.isOn) {
      this.#leases.push(held)
      this.sizeBytes += bytes
    }
    void hashed.then((found) => {
      for (const one of leases) {
        if (found === undefined) one.drop()
        else one.put()
      }
    })
  }

  /** Columns in a buffer of a wave that will have ended. */
  columns(buffer: GPUBuffer, byteOffset: number): KeptColumns {
    const columns = { place: { buffer, byteOffset } }
    this.#columns.push(columns)
    return columns
  }

  /** Gives all buffers to the next wave. */
  release(): void {
    for (const columns of this.#columns) columns.place = undefined
    for (const lease of this.#leases) lease.put()
    this.#columns = []
    this.#leases = []
    this.sizeBytes = 0
  }
}
