import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { kindOf } from '../../batch/footprints.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import type { CpuExecution } from '../../batch/outcome.ts'
import type { TransactionBatch } from '../../chain/batch.ts'
import { addressFromHex, wordFromBigInt } from '../../primitives/word.ts'
import { ROW_LIMBS } from '../../state/tables/account_table.ts'
import type { CodeMove } from '../../state/tables/code_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import { selectorOf } from './order.ts'

/** Accounts, and slots, kept per kind; the first ones are those that all calls of the kind share. */
const MAX_ITEMS = 2048
/** Gas of a call for each lane VM instruction that it is taken to run, before the lane VM ran one of its kind. */
const GAS_PER_INSTRUCTION = 60
const HIGH = 0x1_0000_0000
/** Of a kind with its name, and of an entry in a set of names, about. */
const KIND_BYTES = 512
const NAME_BYTES = 64
const SLOT_LIMBS = LIMBS_PER_ADDRESS + LIMBS_PER_WORD

/** What calls of one kind have taken, and what was not resident when they asked for it. */
export class VmKind {
  /** Instructions that the last of them ran, or is taken to; 0 = none is known. */
  steps = 0
  /** The quota that the last of them needed (VM_QUOTAS). */
  quota = 0
  /** Some ended in a lane; some left theirs. */
  ended = 0
  left = 0
  /** Times that lanes of the kind stopped for what cannot be foreseen. */
  stopped = 0
  readonly accounts = new Columns(LIMBS_PER_ADDRESS)
  /** Address of the owner, then the key. */
  readonly slots = new Columns(SLOT_LIMBS)
  /** Counts `trim` calls: when a call of the kind was last looked at. */
  usedAt = 0

  get sizeBytes(): number {
    return KIND_BYTES + this.accounts.sizeBytes + this.slots.sizeBytes
  }

  /** Such stops of a lane. */
  get stops(): number {
    return this.stopped / Math.max(1, this.ended + this.left)
  }

  /** Every lane of the kind has left, so the next one would. */
  get isRefused(): boolean {
    return this.left > 0 && this.ended === 0
  }
}

/** Different records of a few limbs each, the first MAX_ITEMS of them. */
class Columns {
  words: Uint32Array
  count = 0
  readonly #size: number
  readonly #seen = new Set<string>()

  constructor(size: number) {
    this.#size = size
    this.words = new Uint32Array(4 * size)
  }

  /** Where the next record is to be written; `add` then takes it. */
  get next(): number {
    const at = this.#size * this.count
    if (at === this.words.length) {
      const words = new Uint32Array(2 * at)
      words.set(this.words)
      this.words = words
    }
    return at
  }

  get isFull(): boolean {
    return this.count === MAX_ITEMS
  }

  /** Limbs of a name have up to ten digits and a comma. */
  get sizeBytes(): number {
    return this.words.byteLength + this.count * (NAME_BYTES + 11 * this.#size)
  }

  add(): void {
    const at = this.#size * this.count
    const name = this.words.subarray(at, at + this.#size).join()
    if (this.#seen.has(name)) return
    this.#seen.add(name)
    this.count++
  }
}

/**
 * What the lane VM knows of calls by called account, its code, and selector, from batch to batch: it decides whether
 * they are worth a wave, and what is made resident before it, so lanes do not stop at each thing that they miss.
 */
export class VmKinds {
  #kinds = new Map<string, VmKind>()
  #trims = 0

  /** The kinds of these transactions, by position. */
  of({ batch, toIds, toCodes }: OpenBatch, transactions: readonly number[]): VmKind[] {
    const known = new Map<number, VmKind>()
    return transactions.map((i) => {
      // Past 2^21 accounts a double no longer tells neighbouring selectors apart: they are then one kind.
      const call = toIds[i]! * HIGH + selectorOf(batch, i)
      let kind = known.get(call)
      if (kind === undefined) {
        kind = this.#kind(batch, i, toCodes[i]!)
        known.set(call, kind)
      }
      return kind
    })
  }

  /** Bytes of what is known, about. */
  get sizeBytes(): number {
    let bytes = 0
    for (const kind of this.#kinds.values()) bytes += kind.sizeBytes
    return bytes
  }

  /**
   * Between batches: goes on with the ids of another code table, and past `mostBytes` drops the kinds that were looked
   * at longest ago, to half of that.
   */
  trim(move: CodeMove | undefined, mostBytes: number): void {
    this.#trims++
    const isOver = this.sizeBytes > mostBytes
    if (move === undefined && !isOver) return
    const kinds = [...this.#kinds].sort(([, a], [, b]) => b.usedAt - a.usedAt)
    this.#kinds = new Map()
    let bytes = 0
    for (const [name, kind] of kinds) {
      bytes += kind.sizeBytes
      if (isOver && 2 * bytes > mostBytes) break
      const renamed = move === undefined ? name : renamedKind(name, move)
      if (renamed !== undefined) this.#kinds.set(renamed, kind)
    }
  }

  /** Learns from an execution of the CPU tier what a lane would read. */
  noteCpu({ batch, rules, toCodes }: OpenBatch, i: number, { reads, gasUsed }: CpuExecution): void {
    const kind = this.#kind(batch, i, toCodes[i]!)
    if (kind.ended > 0 || kind.left > 0) return
    kind.steps = Math.max(1, Math.ceil((Number(gasUsed) - rules.intrinsic[i]!) / GAS_PER_INSTRUCTION))
    for (const address of reads.accounts) {
      if (kind.accounts.isFull) break
      addressFromHex(kind.accounts.words, kind.accounts.next, address)
      kind.accounts.add()
    }
    for (const { address, key } of reads.slots) {
      if (kind.slots.isFull) break
      const at = kind.slots.next
      addressFromHex(kind.slots.words, at, address)
      wordFromBigInt(kind.slots.words, at + LIMBS_PER_ADDRESS, key)
      kind.slots.add()
    }
  }

  #kind(batch: TransactionBatch, i: number, codeId: number): VmKind {
    const name = `${codeId} ${kindOf(batch, i)}`
    let kind = this.#kinds.get(name)
    if (kind === undefined) {
      kind = new VmKind()
      this.#kinds.set(name, kind)
    }
    kind.usedAt = this.#trims
    return kind
  }
}

/** The name of a kind begins with its code id. */
const renamedKind = (name: string, { ids }: CodeMove): string | undefined => {
  const end = name.indexOf(' ')
  const id = ids[Number(name.slice(0, end))]!
  return id < 0 ? undefined : `${id}${name.slice(end)}`
}

/** Notes the account at the address in the low limbs of `word`, which a lane missed. */
export const noteMissedAccount = ({ accounts }: VmKind, word: Uint32Array): void => {
  if (accounts.isFull) return
  const at = accounts.next
  for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) accounts.words[at + limb] = word[limb]!
  accounts.add()
}

/** Notes slot `key` of account `owner`, which a lane missed. */
export const noteMissedSlot = (
  { slots }: VmKind,
  { accounts }: ResidentState,
  owner: number,
  key: Uint32Array,
): void => {
  if (slots.isFull) return
  const at = slots.next
  for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) slots.words[at + limb] = accounts.rows[owner * ROW_LIMBS + limb]!
  for (let limb = 0; limb < LIMBS_PER_WORD; limb++) slots.words[at + LIMBS_PER_ADDRESS + limb] = key[limb]!
  slots.add()
}

/** Makes resident what calls of these kinds have missed so far. Ids of the accounts among it. */
export const loadKinds = async (kinds: ReadonlySet<VmKind>, resident: ResidentState): Promise<Int32Array> => {
  let accountCount = 0
  let slotCount = 0
  for (const { accounts, slots } of kinds) {
    accountCount += accounts.count
    slotCount += slots.count
  }
  const addresses = new Uint32Array(LIMBS_PER_ADDRESS * (accountCount + slotCount))
  const keys = new Uint32Array(LIMBS_PER_WORD * slotCount)
  let account = 0
  let slot = 0
  for (const { accounts, slots } of kinds) {
    addresses.set(accounts.words.subarray(0, LIMBS_PER_ADDRESS * accounts.count), LIMBS_PER_ADDRESS * account)
    account += accounts.count
    for (let n = 0; n < slots.count; n++, slot++) {
      const at = SLOT_LIMBS * n
      const to = LIMBS_PER_ADDRESS * (accountCount + slot)
      for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++) addresses[to + limb] = slots.words[at + limb]!
      for (let limb = 0; limb < LIMBS_PER_WORD; limb++)
        keys[LIMBS_PER_WORD * slot + limb] = slots.words[at + LIMBS_PER_ADDRESS + limb]!
    }
  }
  const ids = new Int32Array(accountCount + slotCount)
  if (ids.length === 0) return ids
  await resident.accountIds(addresses, ids.length, ids)
  if (slotCount > 0) await resident.slotIds(ids.subarray(accountCount), keys, slotCount, new Int32Array(slotCount))
  return ids.subarray(0, accountCount)
}
