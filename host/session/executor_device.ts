import { DeviceClock } from '../device/clock.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { openDevice } from '../device/device.ts'
import { faultText } from '../device/fault.ts'

/**
 * Where an executor has its device from. `auto`: the best adapter, opened with the first call. A function opens one in
 * the same way. What an executor has opened, `close` destroys.
 *
 * Example: {@link ExecutorOptions}.
 */
export type DeviceSource = ComputeDevice | 'auto' | (() => Promise<ComputeDevice>)

/**
 * `reopen`: the next call opens another device. `leave`: the CPU tier executes from then on.
 *
 * Example: {@link ExecutorOptions}.
 */
export type LostDevicePolicy = 'reopen' | 'leave'

/** The options of an executor about its device. */
export interface DeviceTerms {
  readonly device?: DeviceSource
  readonly lostDevice?: LostDevicePolicy
  readonly deviceTimes?: boolean
}

/** Devices lost one after the other, none of which saw the end of a call, before no other is opened. */
const MOST_LOSSES = 3

/** The device of an executor: opened, lost, opened again. */
export class ExecutorDevice {
  readonly #open: () => Promise<ComputeDevice>
  readonly #policy: LostDevicePolicy
  #current: ComputeDevice | undefined
  /** The executor has opened it. */
  #isOwn = false
  /** There is none, and none is to be opened. */
  #isRefused = false
  #refusal = ''
  /** Opened and lost since the last call that a device outlived. */
  #losses = 0
  #lostText = ''
  /** The first device, while it opens. */
  #opening: Promise<readonly string[]> | undefined

  readonly #isTimed: boolean
  #clock: DeviceClock | undefined

  constructor({ device: source, lostDevice: policy, deviceTimes = false }: DeviceTerms) {
    this.#isTimed = deviceTimes
    const isGiven = typeof source === 'object'
    this.#open = typeof source === 'function' ? source : () => openDevice()
    this.#policy = policy ?? (isGiven ? 'leave' : 'reopen')
    this.#isRefused = source === undefined
    if (isGiven) this.#adopt(source, false)
  }

  /** The device of this call, lost or not. */
  get current(): ComputeDevice | undefined {
    return this.#clock?.device ?? this.#current
  }

  /** Where dispatches are timed. */
  get clock(): DeviceClock | undefined {
    return this.#clock
  }

  /**
   * Before a call: opens what is to be opened. Gives what there is to say of the device, in words; `changed` is told
   * first.
   */
  async prepare(changed: () => void): Promise<readonly string[]> {
    if (this.#isRefused) return this.#refusal === '' ? [] : [this.#refusal]
    if (this.#current === undefined) return this.#openFirst(changed)
    if (!this.#current.isLost) return []
    // Its news may be a turn of the event loop after it.
    await new Promise<void>((resolve) => setImmediate(resolve))
    const lost = this.#lostText || 'device lost: destroyed by its owner'
    if (this.#policy === 'leave') return [lost]
    if (this.#losses >= MOST_LOSSES) return [`${lost}; ${this.#losses} in a row, no other is opened`]
    if (this.#isOwn) this.#current.destroy()
    return this.#tryOpen(`${lost}; `, changed)
  }

  /** For what runs beside calls: opens the first device. Another one is opened by a call, whose turn it is. */
  async open(changed: () => void): Promise<void> {
    if (!this.#isRefused && this.#current === undefined) await this.#openFirst(changed)
  }

  /** After a call. */
  settle(): void {
    if (this.#current?.isLost === false) this.#losses = 0
  }

  close(): void {
    if (this.#isOwn) this.#current?.destroy()
    this.#current = undefined
    this.#clock = undefined
    this.#isRefused = true
  }

  #openFirst(changed: () => void): Promise<readonly string[]> {
    this.#opening ??= this.#tryOpen('', changed).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #tryOpen(before: string, changed: () => void): Promise<readonly string[]> {
    try {
      const device = await this.#open()
      if (this.#isRefused) {
        device.destroy()
        return []
      }
      if (before !== '') this.#losses++
      this.#adopt(device, true)
      changed()
      return before === '' ? [] : [`${before}opened again: ${device.name}`]
    } catch (thrown) {
      const text = `${before}no device: ${faultText(thrown)}`
      if (before === '') {
        this.#isRefused = true
        this.#refusal = text
      }
      return [text]
    }
  }

  #adopt(device: ComputeDevice, isOwn: boolean): void {
    this.#current = device
    this.#clock = this.#isTimed ? new DeviceClock(device) : undefined
    this.#isOwn = isOwn
    this.#lostText = ''
    void device.lost?.then(({ message }) => {
      if (this.#current === device) this.#lostText = message
    })
  }
}
