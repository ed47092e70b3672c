import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { TransactionBatch } from '../chain/batch.ts'
import { addressToHex, wordToBigInt } from '../primitives/word.ts'
import type { SlotName } from '../state/base_reader.ts'
import type { SnapshotReads } from '../state/snapshot.ts'

/** What calls of one kind have read, in the order of first sight. */
interface Footprint {
  readonly accounts: Set<string>
  readonly slots: Map<string, SlotName>
}

const MAX_KINDS = 4096
/** Items kept per kind; the first ones are the ones that all calls of the kind share. */
const MAX_ITEMS = 256

/**
 * What transactions of the CPU tier are likely to read: what others with the same (to, selector) did, and what they
 * name.
 */
export class Footprints {
  readonly #kinds = new Map<string, Footprint>()

  note(batch: TransactionBatch, index: number, { accounts, slots }: SnapshotReads): void {
    const kind = kindOf(batch, index)
    let known = this.#kinds.get(kind)
    if (known === undefined) {
      if (this.#kinds.size === MAX_KINDS) this.#kinds.clear()
      known = { accounts: new Set(), slots: new Map() }
      this.#kinds.set(kind, known)
    }
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

/** Calls of one kind do much the same to much the same storage: called account and selector. */
export const kindOf = (batch: TransactionBatch, i: number): string => {
  const { to, data, dataStart, creates } = batch
  if (creates[i] === 1) return 'create'
  const start = dataStart[i]!
  const selector = Buffer.from(data.buffer, data.byteOffset + start, Math.min(4, dataStart[i + 1]! - start))
  return `${addressToHex(to, LIMBS_PER_ADDRESS * i)}${selector.toString('latin1')}`
}
