import {
  SETTLE_ENTRY_VECTORS,
  SETTLE_ITEMS,
  SETTLE_ROW_VECTORS,
  SETTLE_STATE_VECTORS,
} from '../../../transpiler/layout/settle.ts'
import type { BufferRange } from '../../device/compute_device.ts'
import { appendScan, appendSort, type Encoding } from './sort.ts'

const VECTOR_BYTES = 16
const GROUP = 64

/** Sizes of a range on the device. */
export interface RangeSizes {
  readonly transactions: number
  /** Entries at most, those of the block aside. */
  readonly capacity: number
  readonly slots: number
  readonly accounts: number
  /** Cells that may have been written, at most. */
  readonly rows: number
}

/** What is on the device before the passes. */
export interface RangeBuffers {
  readonly uniform: GPUBuffer
  readonly columns: GPUBuffer
  readonly lanes: GPUBuffer
  readonly overlays: GPUBuffer
  readonly overlayCount: number
  readonly slotValues: GPUBuffer
  readonly accountRows: GPUBuffer
  readonly accountHosts: GPUBuffer
}

/** The passes over a range, in order. Gives what is read back: stop, number of rows, plans, rows. */
export const appendRange = (encoding: Encoding, sizes: RangeSizes, given: RangeBuffers): readonly BufferRange[] => {
  const { kernels, lease, commands } = encoding
  const { transactions, capacity, slots, accounts } = sizes
  const { uniform, columns, lanes, overlays, slotValues, accountRows, accountHosts } = given
  const places = capacity + transactions
  const groups = (count: number): number => Math.ceil(count / GROUP)
  const overlayOf = lease.storage(4 * (slots + accounts))
  commands.push({ kind: 'clear', buffer: overlayOf, byteOffset: 0, sizeBytes: 4 * (slots + accounts) })
  if (given.overlayCount > 0)
    commands.push(kernels.dispatch('settle_overlay', { uniform, columns, overlayOf }, groups(given.overlayCount)))
  const stop = lease.storage(4)
  // `transactions` is the first word of the uniform.
  commands.push({ kind: 'copy', from: uniform, fromOffset: 0, to: stop, toOffset: 0, sizeBytes: 4 })
  const counts = lease.storage(4 * (transactions + 1))
  const plans = lease.storage(8 * transactions)
  const bound = { uniform, columns, lanes, accountRows, overlayOf, overlays, counts, plans, stop }
  commands.push(kernels.dispatch('settle_count', bound, groups(transactions)))
  appendScan(encoding, counts, transactions)
  const total = lease.storage(4)
  commands.push({ kind: 'copy', from: counts, fromOffset: 4 * transactions, to: total, toOffset: 0, sizeBytes: 4 })
  const entries = lease.storage(VECTOR_BYTES * SETTLE_ENTRY_VECTORS * places)
  const unsorted = { pairs: lease.storage(8 * capacity), spare: lease.storage(8 * capacity), total }
  const log = { uniform, columns, lanes, slotValues, counts, plans, entries, pairs: unsorted.pairs }
  commands.push(kernels.dispatch('settle_log', log, groups(transactions)))
  const pairs = appendSort(encoding, unsorted, capacity, 32 - Math.clz32(slots + accounts))
  const stateBytes = VECTOR_BYTES * SETTLE_STATE_VECTORS
  const placed = lease.storage(stateBytes * places)
  const states = lease.storage(stateBytes * places)
  const runs = Math.ceil(places / SETTLE_ITEMS)
  const stateParts = lease.storage(stateBytes * runs)
  const order = { uniform, pairs, total, slotValues, accountRows, accountHosts, overlayOf, overlays, places: placed }
  const scanned = { uniform, places: placed, entries, stateParts }
  commands.push(
    kernels.dispatch('settle_order', order, groups(places)),
    kernels.dispatch('settle_reduce', scanned, groups(runs)),
    kernels.dispatch('settle_parts', scanned, 1),
    kernels.dispatch('settle_check', { ...scanned, states, stop }, groups(runs)),
  )
  const rowsBefore = lease.storage(4 * (places + 1))
  commands.push(kernels.dispatch('settle_last', { uniform, places: placed, states, stop, rowsBefore }, groups(places)))
  appendScan(encoding, rowsBefore, places)
  const rows = lease.storage(VECTOR_BYTES * SETTLE_ROW_VECTORS * sizes.rows)
  const last = { uniform, places: placed, entries, states, rowsBefore, rows }
  commands.push(kernels.dispatch('settle_rows', last, groups(places)))
  return [
    { buffer: stop, byteOffset: 0, byteLength: 4 },
    { buffer: rowsBefore, byteOffset: 4 * places, byteLength: 4 },
    { buffer: plans, byteOffset: 0, byteLength: 8 * transactions },
    { buffer: rows, byteOffset: 0, byteLength: VECTOR_BYTES * SETTLE_ROW_VECTORS * sizes.rows },
  ]
}
