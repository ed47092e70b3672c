import { WORKGROUP_SIZE } from '../../../transpiler/layout/environment.ts'
import {
  SCAN_BLOCK,
  SCAN_ITEMS,
  SORT_BITS,
  SORT_BLOCK,
  SORT_DIGITS,
  SORT_ITEMS,
} from '../../../transpiler/layout/settle.ts'
import type { BufferLease } from '../../device/buffer_pool.ts'
import type { Command, ComputeDevice } from '../../device/compute_device.ts'
import type { SettleKernels } from './kernels.ts'

/** Values that one workgroup scans alone in less time than two more dispatches take. */
const MOST_ALONE = 4096

/** What the steps of a submission are made with. */
export interface Encoding {
  readonly device: ComputeDevice
  readonly kernels: SettleKernels
  readonly lease: BufferLease
  readonly commands: Command[]
}

const UNIFORM_WORDS = 8

const uniformOf = ({ device, lease }: Encoding, words: readonly number[]): GPUBuffer => {
  const uniform = lease.uniform(4 * UNIFORM_WORDS)
  const padded = new Uint32Array(UNIFORM_WORDS)
  padded.set(words)
  device.upload(uniform, 0, padded)
  return uniform
}

const scanUniform = (encoding: Encoding, count: number): GPUBuffer =>
  uniformOf(encoding, [count, SCAN_ITEMS, WORKGROUP_SIZE])

/**
 * Exclusive scan of `count` u32 in place; the element after them becomes their sum. Reduce, then scan: three
 * dispatches, of which the second is one workgroup.
 */
export const appendScan = (encoding: Encoding, values: GPUBuffer, count: number): void => {
  const { kernels, lease, commands } = encoding
  const uniform = scanUniform(encoding, count)
  const blocks = Math.floor(count / SCAN_BLOCK) + 1
  const parts = lease.storage(4 * blocks)
  commands.push(
    kernels.dispatch('scan_reduce', { uniform, values, parts }, blocks),
    kernels.dispatch('scan_parts', { uniform: scanUniform(encoding, blocks), parts }, 1),
    kernels.dispatch('scan_spread', { uniform, parts, values }, blocks),
  )
}

/**
 * Sorts (key, number) pairs by keys below 2^bits; equal keys keep their order. `total` begins with the number of pairs,
 * at most `capacity`. Gives the buffer where they are then, one of the two.
 */
export const appendSort = (
  encoding: Encoding,
  { pairs, spare, total }: { readonly pairs: GPUBuffer; readonly spare: GPUBuffer; readonly total: GPUBuffer },
  capacity: number,
  bits: number,
): GPUBuffer => {
  const { kernels, lease, commands } = encoding
  const blocks = Math.ceil(capacity / SORT_BLOCK)
  const digits = SORT_DIGITS * blocks
  const counts = lease.storage(4 * (digits + 1))
  let [from, to] = [pairs, spare]
  for (let shift = 0; shift < bits; shift += SORT_BITS) {
    const uniform = uniformOf(encoding, [capacity, blocks, shift, SORT_ITEMS, SORT_DIGITS, WORKGROUP_SIZE])
    commands.push(kernels.dispatch('sort_count', { uniform, total, pairs: from, counts }, blocks))
    if (digits <= MOST_ALONE)
      commands.push(kernels.dispatch('scan_parts', { uniform: scanUniform(encoding, digits), parts: counts }, 1))
    else appendScan(encoding, counts, digits)
    commands.push(kernels.dispatch('sort_scatter', { uniform, total, pairs: from, counts, sorted: to }, blocks))
    ;[from, to] = [to, from]
  }
  return from
}
