import type { Command, ComputeDevice, RunOptions, RunResult } from './compute_device.ts'

/**
 * What dispatches took on the device, by timestamp queries. They may overlap the host's work, and each other.
 *
 * Example: {@link ExecutorOptions}.
 */
export interface DeviceTimes {
  /** Undefined where the adapter has no timestamp queries. */
  readonly totalMs: number | undefined
  /** By kernel; those of single paths are one. */
  readonly kernels: Readonly<Record<string, KernelTime>>
}

/**
 * Dispatches of one kernel, and their milliseconds on the device in all.
 *
 * Example: {@link ExecutorOptions}.
 */
export interface KernelTime {
  readonly dispatches: number
  readonly ms: number
}

/** Path kernels are named `path <id> part <n>`. */
const nameOf = (label: string): string => (/^path [0-9a-f]+ part/.test(label) ? 'path kernels' : label)

/** Has the runs of a device time their dispatches, which then have a pass of their own each. */
export class DeviceClock {
  /** The device that is timed. */
  readonly device: ComputeDevice
  /** Off: runs are what they are without a clock. */
  isOn = true
  #kernels = new Map<string, { dispatches: number; ms: number }>()
  readonly #hasTimes: boolean

  constructor(target: ComputeDevice) {
    this.#hasTimes = target.features.has('timestamp-query')
    const run = async (commands: readonly Command[], options: RunOptions = {}): Promise<RunResult> => {
      if (!this.isOn) return target.run(commands, options)
      const result = await target.run(commands, { ...options, timestamps: true })
      if (result.dispatchNs !== undefined) this.#note(commands, result.dispatchNs)
      return result
    }
    this.device = new Proxy(target, {
      get: (_, name) => {
        if (name === 'run') return run
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  /** Starts the counters of a batch. */
  begin(): void {
    this.#kernels = new Map()
  }

  /** Since `begin`, as they are now. */
  get times(): DeviceTimes {
    let totalMs = 0
    for (const { ms } of this.#kernels.values()) totalMs += ms
    const kernels = Object.fromEntries(Array.from(this.#kernels, ([name, time]) => [name, { ...time }]))
    return { totalMs: this.#hasTimes ? totalMs : undefined, kernels }
  }

  #note(commands: readonly Command[], dispatchNs: readonly number[]): void {
    let n = 0
    for (const command of commands) {
      if (command.kind !== 'dispatch') continue
      const name = nameOf(command.kernel.label)
      const time = this.#kernels.get(name) ?? { dispatches: 0, ms: 0 }
      time.dispatches++
      time.ms += dispatchNs[n++]! / 1e6
      this.#kernels.set(name, time)
    }
  }
}
