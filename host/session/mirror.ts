import { BINDINGS } from '../../transpiler/layout/environment.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { BoundBuffer, Command, ComputeDevice, RunOptions, RunResult } from '../device/compute_device.ts'
import { doubledBytes } from '../device/limits.ts'
import { wordCopy } from '../primitives/word.ts'
import { HOST_LIMBS, ROW_LIMBS } from '../state/tables/account_table.ts'
import type { BucketIndex } from '../state/tables/bucket_index.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import type { SlotTable } from '../state/tables/slot_table.ts'
import { DirtyPages } from './dirty_pages.ts'
import type { BucketIndexName, IndexLists } from './index_lists.ts'

/** Rows per page of what changed: 64 KiB of slot values, 128 KiB of account rows. */
const ROWS_PER_PAGE = 2048

/** Rows of the mirror that settling reads. */
export interface SettlingRows {
  readonly slotValues: GPUBuffer
  readonly accountRows: GPUBuffer
  /** What the host keeps of accounts: nonce, code id, marks. */
  readonly accountHosts: GPUBuffer
}

/**
 * The resident tables on the device. `sync` brings it up to the host's arrays: new rows in one piece, changed rows by
 * page, an index whole, by bucket, or by a list that a kernel writes to its places. The device has base values only: in
 * the middle of a batch, what the batch wrote goes up as it was before. Account rows may then carry running values,
 * which no lane may rely on: the sweep refuses every read of a written account. Buffers grow by doubling and are then
 * filled again from the host's copy.
 */
export class DeviceTables {
  readonly #resident: ResidentState
  readonly #slotIndex: Mirror
  readonly #slotKeys: Mirror
  readonly #slotValues: Mirror
  readonly #accountIndex: Mirror
  readonly #accountRows: Mirror
  readonly #constants: Mirror
  /** Only once something is settled on the device. */
  #accountHosts: Mirror | undefined
  readonly #device: ComputeDevice
  readonly #lists: IndexLists
  /** What the next `run` submits first: lists that the last `sync` has uploaded. */
  #ahead: readonly Listed[] = []
  readonly #dirtySlots = new DirtyPages(ROWS_PER_PAGE)
  readonly #dirtyAccounts = new DirtyPages(ROWS_PER_PAGE)
  #generation = -1
  #buffers: readonly BoundBuffer[] | undefined
  #isAsked = false

  constructor(device: ComputeDevice, resident: ResidentState, lists: IndexLists) {
    this.#device = device
    this.#resident = resident
    this.#lists = lists
    this.#slotIndex = new Mirror(device, 'slot index', BINDINGS.slotIndex, 2)
    this.#slotKeys = new Mirror(device, 'slot keys', BINDINGS.slotKeys, LIMBS_PER_WORD)
    this.#slotValues = new Mirror(device, 'slot values', BINDINGS.slotValues, LIMBS_PER_WORD)
    this.#accountIndex = new Mirror(device, 'account index', BINDINGS.accountIndex, 2)
    this.#accountRows = new Mirror(device, 'account rows', BINDINGS.accountRows, ROW_LIMBS)
    this.#constants = new Mirror(device, 'constants', BINDINGS.constants, LIMBS_PER_WORD)
  }

  /** Bytes held on the device. */
  get sizeBytes(): number {
    return this.#all().reduce((sum, mirror) => sum + mirror.sizeBytes, this.#lists.sizeBytes)
  }

  /** Whether anything has asked for the tables: where nothing does, they may be larger than the device has room for. */
  get isAsked(): boolean {
    return this.#isAsked
  }

  /** Notes which rows a committed batch changed. Call it before the tables settle. */
  noteWrites(): void {
    const { slots, accounts } = this.#resident
    for (let entry = 0; entry < slots.entries; entry++) this.#dirtySlots.mark(slots.written[entry]!)
    for (let entry = 0; entry < accounts.entries; entry++) this.#dirtyAccounts.mark(accounts.written[entry]!)
  }

  /** Compiles what `sync` needs for what has changed. Rejects with a fault of the device. */
  open(): Promise<void> {
    const { slots, accounts } = this.#resident
    return this.#lists.open([slots.index, accounts.index])
  }

  /**
   * Uploads what is behind and returns the buffers with their bindings; the list is the same object while it holds.
   * What reads them goes to `run`, in the same turn: changes of an index count as uploaded once they are submitted.
   */
  sync(): readonly BoundBuffer[] {
    this.#isAsked = true
    const { slots, accounts, codes, generation } = this.#resident
    if (generation !== this.#generation) {
      for (const mirror of this.#all()) mirror.rows = 0
      slots.index.rebuilt = true
      accounts.index.rebuilt = true
      this.#generation = generation
    }
    const slotIndex = this.#syncIndex('slot index changes', this.#slotIndex, slots.index)
    const accountIndex = this.#syncIndex('account index changes', this.#accountIndex, accounts.index)
    this.#ahead = [slotIndex, accountIndex].flatMap(({ listed }) => listed ?? [])
    const moved = [
      slotIndex.moved,
      accountIndex.moved,
      this.#slotKeys.append(slots.keys, slots.count),
      this.#constants.append(codes.constants, codes.constantCount),
    ]
    this.#dirtySlots.drain(this.#slotValues.rows, (first, end) =>
      this.#slotValues.put(baseValues(slots, first, end), first),
    )
    this.#dirtyAccounts.drain(this.#accountRows.rows, (first, end) => {
      this.#accountRows.upload(accounts.rows, first, end)
      const hosts = this.#accountHosts
      if (hosts !== undefined && first < hosts.rows) hosts.upload(accounts.hosts, first, Math.min(end, hosts.rows))
    })
    moved.push(
      this.#slotValues.append(slots.values, slots.count, slots),
      this.#accountRows.append(accounts.rows, accounts.count),
    )
    if (this.#buffers === undefined || moved.includes(true))
      this.#buffers = this.#mirrors().map((mirror) => ({ binding: mirror.binding, buffer: mirror.buffer }))
    return this.#buffers
  }

  /** Submits commands on the tables as `sync` has left them. */
  run(commands: readonly Command[], options?: RunOptions): Promise<RunResult> {
    const ahead = this.#ahead
    this.#ahead = []
    for (const { index } of ahead) index.settleChanges()
    return this.#device.run([...ahead.map(({ command }) => command), ...commands], options)
  }

  /** `sync`, and what settling reads: rows that the batch has written may carry any of their values. */
  syncSettling(): SettlingRows {
    this.sync()
    const { accounts } = this.#resident
    this.#accountHosts ??= new Mirror(this.#device, 'account hosts', NO_BINDING, HOST_LIMBS)
    this.#accountHosts.append(accounts.hosts, accounts.count)
    return {
      slotValues: this.#slotValues.buffer,
      accountRows: this.#accountRows.buffer,
      accountHosts: this.#accountHosts.buffer,
    }
  }

  /** The tables have fewer rows than they had: gives back what they do not need, and is filled again by `sync`. */
  shrink(): void {
    const { slots, accounts, codes } = this.#resident
    this.#slotIndex.shrink(slots.index.words)
    this.#slotKeys.shrink(slots.keys)
    this.#slotValues.shrink(slots.values)
    this.#accountIndex.shrink(accounts.index.words)
    this.#accountRows.shrink(accounts.rows)
    this.#constants.shrink(codes.constants)
    this.#accountHosts?.shrink(accounts.hosts)
    this.#buffers = undefined
  }

  /** After the device ran out of memory: takes all buffers for lost, and is filled again by the next `sync`. */
  renew(): void {
    for (const mirror of this.#all()) mirror.renew()
    this.#lists.destroy()
    this.#generation = -1
    this.#buffers = undefined
  }

  destroy(): void {
    for (const mirror of this.#all()) mirror.destroy()
    this.#lists.destroy()
  }

  #syncIndex(
    name: BucketIndexName,
    mirror: Mirror,
    index: BucketIndex,
  ): { moved: boolean; listed: Listed | undefined } {
    const moved = mirror.reserve(index.capacity)
    if (!moved && this.#lists.takes(index))
      return { moved, listed: { index, command: this.#lists.put(name, index, mirror.buffer) } }
    mirror.uploadIndex(index, moved)
    index.settleChanges()
    return { moved, listed: undefined }
  }

  #all(): readonly Mirror[] {
    return this.#accountHosts === undefined ? this.#mirrors() : [...this.#mirrors(), this.#accountHosts]
  }

  #mirrors(): readonly Mirror[] {
    return [this.#slotIndex, this.#slotKeys, this.#slotValues, this.#accountIndex, this.#accountRows, this.#constants]
  }
}

/** The values of slots [first, end) before the open batch. */
const baseValues = (slots: SlotTable, first: number, end: number): Uint32Array => {
  const values = slots.values.subarray(first * LIMBS_PER_WORD, end * LIMBS_PER_WORD)
  if (slots.entries === 0) return values
  const base = values.slice()
  for (let id = first; id < end; id++) {
    const entry = slots.entryOf[id]!
    if (entry !== 0) wordCopy(base, (id - first) * LIMBS_PER_WORD, slots.base, (entry - 1) * LIMBS_PER_WORD)
  }
  return base
}

/** Changes of an index that are uploaded, and wait for the command that writes them. */
interface Listed {
  readonly index: BucketIndex
  readonly command: Command
}

/** One array on the device, with room to grow. */
class Mirror {
  readonly binding: number
  /** Rows that the device has. */
  rows = 0
  buffer: GPUBuffer
  readonly #device: ComputeDevice
  readonly #label: string
  readonly #limbsPerRow: number

  constructor(device: ComputeDevice, label: string, binding: number, limbsPerRow: number) {
    this.#device = device
    this.#label = label
    this.binding = binding
    this.#limbsPerRow = limbsPerRow
    this.buffer = device.storage(label, FIRST_ROWS * limbsPerRow * 4)
  }

  get sizeBytes(): number {
    return this.buffer.size
  }

  upload(source: Uint32Array, first: number, end: number): void {
    const limbs = this.#limbsPerRow
    this.put(source.subarray(first * limbs, end * limbs), first)
  }

  /** Uploads rows that begin at `first`. */
  put(rows: Uint32Array, first: number): void {
    this.#device.upload(this.buffer, first * this.#limbsPerRow * 4, rows)
  }

  /**
   * Uploads the rows that the device has not, with the base values of `slots`; returns whether the buffer is another
   * one now.
   */
  append(source: Uint32Array, count: number, slots?: SlotTable): boolean {
    if (count === this.rows) return false
    const moved = this.reserve(count)
    const first = moved ? 0 : this.rows
    if (slots === undefined) this.upload(source, first, count)
    else this.put(baseValues(slots, first, count), first)
    this.rows = count
    return moved
  }

  /** `isEmpty`: nothing of it is there. */
  uploadIndex(index: BucketIndex, isEmpty: boolean): void {
    if (index.rebuilt || isEmpty || index.capacity <= index.changedCount * BUCKETS_PER_CALL) {
      this.upload(index.words, 0, index.capacity)
    } else {
      for (let n = 0; n < index.changedCount; n++) this.upload(index.words, index.changed[n]!, index.changed[n]! + 1)
    }
  }

  /** Another buffer, without rows, where this one has more than twice the room of the host's array. */
  shrink({ byteLength }: Uint32Array): void {
    if (this.buffer.size > 2 * Math.max(byteLength, FIRST_ROWS * this.#limbsPerRow * 4)) this.renew()
  }

  /** Another buffer, without rows. */
  renew(): void {
    this.buffer.destroy()
    this.buffer = this.#device.storage(this.#label, FIRST_ROWS * this.#limbsPerRow * 4)
    this.rows = 0
  }

  destroy(): void {
    this.buffer.destroy()
  }

  /** Makes room for so many rows. Whether that took another buffer, without rows. */
  reserve(rows: number): boolean {
    const needed = rows * this.#limbsPerRow * 4
    if (needed <= this.buffer.size) return false
    const size = doubledBytes(this.buffer.size, needed, this.#device.limits)
    this.buffer.destroy()
    this.buffer = this.#device.storage(this.#label, size)
    return true
  }
}

const FIRST_ROWS = 1024
/** It is in no execution kernel. */
const NO_BINDING = -1
/** Buckets that are copied in the time that one more upload takes: 16 KiB, some microseconds. */
const BUCKETS_PER_CALL = 2048
