/** Slots that each transaction of a block read and wrote, as small numbers; a slot may be in both. */
export interface AccessSets {
  readonly slotCount: number
  readonly reads: readonly (readonly number[])[]
  readonly writes: readonly (readonly number[])[]
}

/**
 * Row-major n x n: entry (j, i) is the number of slots that transaction j accesses and transaction i writes.
 */
export interface ConflictMatrix {
  readonly count: number
  readonly entries: Float32Array
}

/** Products of 0/1 matrices are sums of ones: exact in f32 up to here, so a block may touch that many slots at most. */
export const EXACT_IN_F32 = 2 ** 24

/** What this needs of gpu.js, whose own types are written for browsers. */
interface GpuJs {
  new (): {
    readonly mode: string
    createKernel(body: (...operands: never[]) => number): GpuKernel
    destroy(): void
  }
}
interface GpuKernel {
  setOutput(size: readonly number[]): GpuKernel
  setLoopMaxIterations(count: number): GpuKernel
  (...operands: unknown[]): Float32Array[] | Promise<Float32Array[]>
}

/** transactions x slots, 1 where the transaction is in one of `sets`. */
const incidence = (sets: readonly AccessSets['reads'][], count: number, slots: number): Float32Array[] =>
  Array.from({ length: count }, (_, i) => {
    const row = new Float32Array(slots)
    for (const set of sets) for (const slot of set[i]!) row[slot] = 1
    return row
  })

/** gpu.js brings a WebGPU of 88 MB of its own, so only a checkout has it; undefined elsewhere. */
const loadGpuJs = async (): Promise<GpuJs | undefined> => {
  try {
    return ((await import('gpu.js')) as unknown as { readonly GPU: GpuJs }).GPU
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw thrown
  }
}

/**
 * rows times transposed columns, both n x `length`, row-major n x n, by gpu.js (WebAssembly in Node) where that is
 * installed. The sums must stay below EXACT_IN_F32.
 */
export const matrixProduct = async (
  rows: readonly Float32Array[],
  columns: readonly Float32Array[],
  length: number,
): Promise<Float32Array> => {
  const Gpu = await loadGpuJs()
  return Gpu === undefined ? plainProduct(rows, columns) : gpuProduct(Gpu, rows, columns, length)
}

/** The same in a loop. */
export const plainProduct = (rows: readonly Float32Array[], columns: readonly Float32Array[]): Float32Array =>
  Float32Array.from(
    rows.flatMap((row) => columns.map((column) => row.reduce((sum, value, k) => sum + value * column[k]!, 0))),
  )

const gpuProduct = async (
  Gpu: GpuJs,
  rows: readonly Float32Array[],
  columns: readonly Float32Array[],
  length: number,
): Promise<Float32Array> => {
  const count = rows.length
  const gpu = new Gpu()
  try {
    const kernel = gpu
      .createKernel(function (
        this: { thread: { x: number; y: number } },
        left: number[][],
        right: number[][],
        length: number,
      ) {
        let sum = 0
        for (let k = 0; k < length; k++) sum += left[this.thread.y]![k]! * right[this.thread.x]![k]!
        return sum
      } as (...operands: never[]) => number)
      .setOutput([count, count])
      .setLoopMaxIterations(length)
    const product = await kernel(rows, columns, length)
    const entries = new Float32Array(count * count)
    product.forEach((row, j) => {
      entries.set(row, j * count)
    })
    return entries
  } finally {
    gpu.destroy()
  }
}

/**
 * The conflict matrix as one matrix product, accesses times transposed writes. It is the device-independent yardstick
 * for conflict rates; execution itself finds conflicts by its version log.
 */
export const conflictMatrix = async (sets: AccessSets): Promise<ConflictMatrix> => {
  const count = sets.reads.length
  const slots = Math.max(1, sets.slotCount)
  if (slots >= EXACT_IN_F32) throw new RangeError(`${slots} slots: sums above 2^24 are not exact in f32`)
  const accesses = incidence([sets.reads, sets.writes], count, slots)
  return { count, entries: await matrixProduct(accesses, incidence([sets.writes], count, slots), slots) }
}

/** The same by counting in integers: what the product is tested against. */
export const countedConflicts = (sets: AccessSets): ConflictMatrix => {
  const count = sets.reads.length
  const entries = new Float32Array(count * count)
  const writes = sets.writes.map((slots) => new Set(slots))
  for (let j = 0; j < count; j++) {
    const accesses = new Set([...sets.reads[j]!, ...sets.writes[j]!])
    for (let i = 0; i < count; i++) {
      for (const slot of accesses) if (writes[i]!.has(slot)) entries[j * count + i]!++
    }
  }
  return { count, entries }
}

/** Share of transactions that access a slot which an earlier transaction of the block writes. */
export const conflictRate = ({ count, entries }: ConflictMatrix): number => {
  let conflicting = 0
  for (let j = 0; j < count; j++) {
    let meets = false
    for (let i = 0; i < j && !meets; i++) meets = entries[j * count + i]! > 0
    if (meets) conflicting++
  }
  return count === 0 ? 0 : conflicting / count
}

/** Longest chain of transactions each of which meets the one before it: the rounds that no scheduler can save. */
export const longestChain = ({ count, entries }: ConflictMatrix): number => {
  const depth = new Uint32Array(count)
  let longest = 0
  for (let j = 0; j < count; j++) {
    let deepest = 0
    for (let i = 0; i < j; i++) if (entries[j * count + i]! > 0) deepest = Math.max(deepest, depth[i]!)
    depth[j] = deepest + 1
    longest = Math.max(longest, depth[j]!)
  }
  return longest
}
