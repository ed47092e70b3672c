import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import { addressToHex, wordToBigInt } from '../primitives/word.ts'
import type { SlotName } from '../state/base_reader.ts'
import type { SnapshotReads } from '../state/snapshot.ts'

/** What calls of one kind have read, in the order of first sight. */
interface Footprint {
  readonly accounts: Set<string>
  readonly slots: Map<string, SlotName>
  /** Counts `trim` calls: when a transaction of the kind was last executed. */
  usedAt: number
}

/** Items kept per kind; the first ones are the ones that all calls of the kind share. */
const MAX_ITEMS = 256
/** Of a kind with its name, of an address in a set, and of a slot with its key and name, about. */
const KIND_BYTES = 512
const ACCOUNT_BYTES = 128
const SLOT_BYTES = 384

/**
 * What transactions of the CPU tier are likely to read: what others with the same (to, selector) did, and what they
 * name.
 */
export class Footprints {
  #kinds = new Map<string, Footprint>()
  #trims = 0

  /** Bytes of what is known, about. */
  get sizeBytes(): number {
    let bytes = 0
    for (const kind of this.#kinds.values()) bytes += bytesOf(kind)
    return bytes
  }

  /** Between batches: past `mostBytes` the kinds that came up longest ago are dropped, to half of that. */
  trim(mostBytes: number): void {
    this.#trims++
    if (this.sizeBytes <= mostBytes) return
    const kinds = [...this.#kinds].sort(([, a], [, b]) => b.usedAt - a.usedAt)
    this.#kinds = new Map()
    let bytes = 0
    for (const [name, kind] of kinds) {
      bytes += bytesOf(kind)
      if (2 * bytes > mostBytes) break
      this.#kinds.set(name, kind)
    }
  }

  note(batch: TransactionBatch, index: number, { accounts, slots }: SnapshotReads): void {
    const kind = kindOf(batch, index)
    let known = this.#kinds.get(kind)
    if (known === undefined) {
      known = { accounts: new Set(), slots: new Map(), usedAt: 0 }
      this.#kinds.set(kind, known)
    }
    known.usedAt = this.#trims
    for (const address of accounts) if (known.accounts.size < MAX_ITEMS) known.accounts.add(address)
    for (const slot of slots) {
      if (known.slots.size === MAX_ITEMS) break
      known.slots.set(`${slot.address}${slot.key}`, { address: slot.address, key: slot.key })
    }
  }

  /** Everything that these transactions are expected to read; senders and called accounts are resident anyway. */
  of(batch: TransactionBatch, indices: readonly number[]): { accounts: string[]; slots: SlotName[] } {
    const accounts = new Set<string>()
    const slots = new Map<string, SlotName>()
    const kinds = new Set<string>()
    for (const i of indices) {
      const kind = kindOf(batch, i)
      if (!kinds.has(kind)) {
        kinds.add(kind)
        const known = this.#kinds.get(kind)
        for (const address of known?.accounts ?? []) accounts.add(address)
        for (const [name, slot] of known?.slots ?? []) slots.set(name, slot)
      }
      for (let entry = batch.accessStart[i]!; entry < batch.accessStart[i + 1]!; entry++) {
        const address = addressToHex(batch.accessAddress, LIMBS_PER_ADDRESS * entry)
        accounts.add(address)
        for (let k = batch.accessKeyStart[entry]!; k < batch.accessKeyStart[entry + 1]!; k++) {
          const key = wordToBigInt(batch.accessKey, LIMBS_PER_WORD * k)
          slots.set(`${address}${key}`, { address, key })
        }
      }
    }
    return { accounts: [...accounts], slots: [...slots.values()] }
  }
}

const bytesOf = ({ accounts, slots }: Footprint): number =>
  KIND_BYTES + ACCOUNT_BYTES * accounts.size + SLOT_BYTES * slots.size

/** Calls of one kind do much the same to much the same storage: called account and selector. */
export const kindOf = (batch: TransactionBatch, i: number): string => {
  const { to, data, dataStart, creates } = batch
  if (creates[i] === 1) return 'create'
  const start = dataStart[i]!
  const selector = Buffer.from(data.buffer, data.byteOffset + start, Math.min(4, dataStart[i + 1]! - start))
  return `${addressToHex(to, LIMBS_PER_ADDRESS * i)}${selector.toString('latin1')}`
}
