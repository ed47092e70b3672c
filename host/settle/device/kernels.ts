import { KERNELS } from '../../../kernels/linked.generated.ts'
import type { Command, ComputeDevice } from '../../device/compute_device.ts'
import type { Kernel } from '../../device/kernel.ts'

/** What each kernel binds from binding 1 on, by name; binding 0 is the uniform. `>`: written. */
const ENTRIES = {
  scan_reduce: ['values', '>parts'],
  scan_parts: ['>parts'],
  scan_spread: ['parts', '>values'],
  sort_count: ['total', 'pairs', '>counts'],
  sort_scatter: ['total', 'pairs', 'counts', '>sorted'],
  settle_overlay: ['columns', '>overlayOf'],
  settle_count: ['columns', 'lanes', 'accountRows', 'overlayOf', 'overlays', '>counts', '>plans', '>stop'],
  settle_log: ['columns', 'lanes', 'slotValues', 'counts', 'plans', '>entries', '>pairs'],
  settle_order: ['pairs', 'total', 'slotValues', 'accountRows', 'accountHosts', 'overlayOf', 'overlays', '>places'],
  settle_reduce: ['places', 'entries', '>stateParts'],
  settle_parts: ['>stateParts'],
  settle_check: ['places', 'entries', 'stateParts', '>states', '>stop'],
  settle_last: ['places', 'states', 'stop', '>rowsBefore'],
  settle_rows: ['places', 'entries', 'states', 'rowsBefore', '>rows'],
} as const

export type SettleEntry = keyof typeof ENTRIES

type Written<Name extends string> = Name extends `>${infer Bare}` ? Bare : Name
/** The buffers of an entry by the names of its bindings. */
export type SettleBuffers<Entry extends SettleEntry> = Readonly<
  Record<'uniform' | Written<(typeof ENTRIES)[Entry][number]>, GPUBuffer>
>

/** The kernels of settling on a device, compiled. */
export class SettleKernels {
  readonly #device: ComputeDevice
  readonly #kernels: ReadonlyMap<string, Kernel>

  /** Rejects with ShaderCompileError, or a fault of the device. */
  static async compile(device: ComputeDevice): Promise<SettleKernels> {
    const kernels = await Promise.all(
      Object.entries(ENTRIES).map(async ([entry, names]) => {
        const bindings = [
          { binding: 0, type: 'uniform' as const },
          ...names.map((name, n) => ({
            binding: 1 + n,
            type: name.startsWith('>') ? ('storage' as const) : ('read-only-storage' as const),
          })),
        ]
        const kernel = await device.kernel({ label: entry, wgsl: KERNELS[entry]!, entryPoint: entry, bindings })
        await kernel.warmUp()
        return [entry, kernel] as const
      }),
    )
    return new SettleKernels(device, new Map(kernels))
  }

  private constructor(device: ComputeDevice, kernels: ReadonlyMap<string, Kernel>) {
    this.#device = device
    this.#kernels = kernels
  }

  dispatch<Entry extends SettleEntry>(entry: Entry, buffers: SettleBuffers<Entry>, workgroups: number): Command {
    const kernel = this.#kernels.get(entry)!
    const byName: Readonly<Record<string, GPUBuffer>> = buffers
    const bound = ENTRIES[entry].map((name, n) => ({ binding: 1 + n, buffer: byName[name.replace('>', '')]! }))
    const bindGroup = this.#device.bindGroup(kernel, [{ binding: 0, buffer: buffers.uniform }, ...bound])
    return { kind: 'dispatch', kernel, bindGroup, workgroups }
  }
}
