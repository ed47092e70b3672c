import { KERNELS } from '../../kernels/linked.generated.ts'
import { WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import type { Command, ComputeDevice } from '../device/compute_device.ts'
import { type Kernel, ShaderCompileError } from '../device/kernel.ts'
import { doubledBytes } from '../device/limits.ts'
import type { BucketIndex } from '../state/tables/bucket_index.ts'

/** Words of a list before its items, and of an item: bucket, entry, tag (kernels/entry/index_scatter.wgsl). */
const HEAD_WORDS = 1
const ITEM_WORDS = 3
const BUCKET_BYTES = 8
const FIRST_BYTES = 1 << 12
/** What is copied in the time that a list takes beside its bytes: a bind group and a dispatch. */
const LIST_BYTES = 1 << 17
/** Changed buckets that go up one by one. */
const MOST_CALLS = 8

/** Lists of changed buckets, one for each index, which a kernel writes to their places. */
export class IndexLists {
  readonly #device: ComputeDevice
  readonly #faults: string[]
  readonly #always: boolean
  readonly #buffers = new Map<BucketIndexName, GPUBuffer>()
  #words = new Uint32Array(FIRST_BYTES / 4)
  #kernel: Kernel | undefined
  #compiling: Promise<void> | undefined

  /** `always`: also where fewer bytes went up without one. `faults` is told where the kernel does not compile. */
  constructor(device: ComputeDevice, { always, faults }: { readonly always: boolean; readonly faults: string[] }) {
    this.#device = device
    this.#always = always
    this.#faults = faults
  }

  get sizeBytes(): number {
    let bytes = 0
    for (const { size } of this.#buffers.values()) bytes += size
    return bytes
  }

  /** Makes ready for what changed of these indexes; rejects with a fault of the device. */
  async open(indexes: readonly BucketIndex[]): Promise<void> {
    if (this.#kernel !== undefined || !indexes.some((index) => this.#pays(index))) return
    this.#compiling ??= this.#compile()
    await this.#compiling
  }

  /** Whether what changed of the index is to go up as a list. */
  takes(index: BucketIndex): boolean {
    return this.#kernel !== undefined && this.#pays(index)
  }

  /** Uploads what changed of an index as a list. Gives the command that writes it to `target`. */
  put(name: BucketIndexName, index: BucketIndex, target: GPUBuffer): Command {
    const { changed, changedCount, words } = index
    const length = HEAD_WORDS + ITEM_WORDS * changedCount
    if (this.#words.length < length) this.#words = new Uint32Array(2 * length)
    const list = this.#words
    list[0] = changedCount
    for (let n = 0; n < changedCount; n++) {
      const bucket = changed[n]!
      const at = HEAD_WORDS + ITEM_WORDS * n
      list[at] = bucket
      list[at + 1] = words[2 * bucket]!
      list[at + 2] = words[2 * bucket + 1]!
    }
    const buffer = this.#bufferOf(name, 4 * length)
    this.#device.upload(buffer, 0, list.subarray(0, length))
    const kernel = this.#kernel!
    const bindGroup = this.#device.bindGroup(kernel, [
      { binding: 0, buffer },
      { binding: 1, buffer: target },
    ])
    return { kind: 'dispatch', kernel, bindGroup, workgroups: Math.ceil(changedCount / WORKGROUP_SIZE) }
  }

  destroy(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy()
    this.#buffers.clear()
  }

  #pays({ rebuilt, changedCount, capacity }: BucketIndex): boolean {
    if (rebuilt || changedCount === 0) return false
    const listBytes = LIST_BYTES + 4 * ITEM_WORDS * changedCount
    return this.#always || (changedCount > MOST_CALLS && listBytes < BUCKET_BYTES * capacity)
  }

  #bufferOf(name: BucketIndexName, bytes: number): GPUBuffer {
    const known = this.#buffers.get(name)
    if (known !== undefined && known.size >= bytes) return known
    known?.destroy()
    const buffer = this.#device.storage(name, doubledBytes(FIRST_BYTES, bytes, this.#device.limits))
    this.#buffers.set(name, buffer)
    return buffer
  }

  async #compile(): Promise<void> {
    try {
      const kernel = await this.#device.kernel({
        label: 'index_scatter',
        wgsl: KERNELS['index_scatter']!,
        entryPoint: 'index_scatter',
        bindings: [
          { binding: 0, type: 'read-only-storage' },
          { binding: 1, type: 'storage' },
        ],
      })
      await kernel.warmUp()
      this.#kernel = kernel
    } catch (thrown) {
      if (!(thrown instanceof ShaderCompileError)) throw thrown
      this.#faults.push(thrown.message)
    }
  }
}

export type BucketIndexName = 'slot index changes' | 'account index changes'
