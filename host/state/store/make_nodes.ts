import { setImmediate } from 'node:timers/promises'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { keccakMany } from '../../primitives/keccak_many.ts'
import { addressFromBytes, wordFromBytes } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'
import { ArenaTrie } from '../trie/arena_trie.ts'
import { NO_PAGES } from '../trie/new_pages.ts'
import type { PagedRoot } from '../trie/state_pages.ts'
import { newWrites } from '../writes/new_writes.ts'
import type { Environment } from './environment.ts'
import type { Nodes } from './nodes.ts'
import { ADDRESS_BYTES, decodeAccount, decodeWord, SLOT_KEY_BYTES } from './records.ts'
import { checkRoomOf, sizeOfPages } from './room.ts'
import { StoreError } from './store_error.ts'
import { WriteParts } from './write_parts.ts'

/** Of an account or slot that is written to a trie, in the trie and in the writes. */
const ROW_BYTES = 512
const LEAST_ROWS = 2 ** 12
const MOST_ROWS = 2 ** 21
/** Rows that go to the trie, and are hashed there, at once. */
const SLICE = 2 ** 15
/** Accounts whose keys are hashed at once. */
const CHUNK = 4096
/** Parts are ranges of the first two bytes of keys. */
const PREFIXES = 2 ** 16
const WHAT = 'the trie of the state'

/** Told on the way: so many of all accounts and slots are in the trie. */
export type MakeProgress = (made: number, all: number) => void

/**
 * Makes the pages of the trie anew from the accounts and slots on disk, a range of keys after the other. Gives its
 * root, which the caller compares with the head's. Where the process ends on the way, the pages are of another root.
 * Nothing else may write meanwhile. Throws StoreError.
 *
 * Cost: linear in accounts and slots, and for each part of `bytes` all of them are read: minutes for ten millions. The
 * thread is left to others every quarter of a second or so, but for the cutting of a part into pages.
 */
export const makeNodes = async (
  environment: Environment,
  nodes: Nodes,
  bytes: number,
  progress?: MakeProgress,
): Promise<PagedRoot> => {
  const rows = Math.max(LEAST_ROWS, Math.min(MOST_ROWS, Math.floor(bytes / ROW_BYTES)))
  checkRoomOf(environment, WHAT, { puts: 1, bytes: 0 })
  environment.root.transactionSync(() => nodes.clear())
  const { accounts, slots } = environment.tables
  const all = entriesOf(accounts) + entriesOf(slots)
  const maker = new NodeMaker(environment, nodes, rows, (made) => progress?.(made, all))
  const parts = Math.min(PREFIXES, Math.ceil(all / (0.9 * rows)) || 1)
  for (let part = 0; part < parts; part++)
    await maker.make(Math.floor((PREFIXES * part) / parts), Math.floor((PREFIXES * (part + 1)) / parts))
  return maker.root
}

const entriesOf = (table: Environment['tables']['accounts']): number =>
  (table.getStats() as { readonly entryCount: number }).entryCount

class NodeMaker {
  root = NO_PAGES
  readonly #environment: Environment
  readonly #nodes: Nodes
  readonly #rows: number
  #writes: StateWrites
  #accountCount = 0
  #slotCount = 0

  readonly #tell: (made: number) => void
  #made = 0

  constructor(environment: Environment, nodes: Nodes, rows: number, tell: (made: number) => void) {
    this.#environment = environment
    this.#nodes = nodes
    this.#rows = rows
    this.#tell = tell
    this.#writes = newWrites(rows, rows)
  }

  /** The accounts whose keys begin with first .. end, with their slots. */
  async make(first: number, end: number): Promise<void> {
    const { accounts, slots } = this.#environment.tables
    const slotEntries = slots.getRange({})[Symbol.iterator]()
    let slot = slotEntries.next()
    for (const chunk of chunksOf(accounts.getRange({}))) {
      const prefixes = prefixesOf(chunk.map(({ key }) => key))
      for (const [n, { key, value }] of chunk.entries()) {
        const isMine = prefixes[n]! >= first && prefixes[n]! < end
        if (isMine) {
          if (this.#accountCount === this.#rows) await this.#enter()
          this.#addAccount(key, value)
        }
        for (; !slot.done && isBelow(key, slot.value.key); slot = slotEntries.next()) {
          if (!isMine) continue
          if (this.#slotCount === this.#rows) await this.#enter()
          this.#addSlot(slot.value.key, slot.value.value)
        }
        if (!slot.done && Buffer.compare(slot.value.key, key) < 0) throw this.#damaged('slots', slot.value.key)
      }
      await setImmediate()
    }
    if (!slot.done) throw this.#damaged('slots', slot.value.key)
    await this.#enter()
  }

  #addAccount(key: Uint8Array, value: Uint8Array): void {
    const i = this.#accountCount++
    addressFromBytes(this.#writes.accountAddresses, 5 * i, key, 0)
    if (!decodeAccount(this.#writes.accounts, i, value, value.length)) throw this.#damaged('accounts', key)
  }

  #addSlot(key: Uint8Array, value: Uint8Array): void {
    if (key.length !== SLOT_KEY_BYTES || value.length === 0 || value.length > 32) throw this.#damaged('slots', key)
    const i = this.#slotCount++
    addressFromBytes(this.#writes.slotAddresses, 5 * i, key, 0)
    wordFromBytes(this.#writes.slotKeys, 8 * i, key, ADDRESS_BYTES)
    decodeWord(this.#writes.slotValues, i, value, 0, value.length)
  }

  /** What was gathered goes to the trie, and the trie's pages to the disk. */
  async #enter(): Promise<void> {
    const trie = new ArenaTrie({ historyBytes: 0 }, { source: this.#nodes, root: this.root })
    // A slot whose account is not there would be left out.
    for (const slices of [accountSlices(this.#writes, this.#accountCount), slotSlices(this.#writes, this.#slotCount)])
      for (const slice of slices) {
        trie.build(slice)
        this.#made += slice.accountCount + slice.slotCount
        this.#tell(this.#made)
        await setImmediate()
      }
    const changes = trie.changedPages()
    checkRoomOf(this.#environment, WHAT, sizeOfPages(changes))
    const { root } = this.#environment
    root.transactionSync(() => this.#nodes.put(changes, new WriteParts(root)))
    this.root = changes
    this.#accountCount = 0
    this.#slotCount = 0
  }

  #damaged(table: string, key: Uint8Array): StoreError {
    const name = `0x${Buffer.from(key).toString('hex')}`
    return new StoreError(this.#environment.folder, 'damaged', `the state is damaged: ${name} in ${table}`)
  }
}

function* accountSlices(writes: StateWrites, count: number): Generator<StateWrites> {
  const { exists, nonce, balance, codeHash } = writes.accounts
  for (let first = 0; first < count; first += SLICE) {
    const end = Math.min(count, first + SLICE)
    const of = (column: Uint32Array, limbs: number): Uint32Array => column.subarray(limbs * first, limbs * end)
    const accounts = {
      exists: exists.subarray(first, end),
      nonce: of(nonce, 2),
      balance: of(balance, LIMBS_PER_WORD),
      codeHash: of(codeHash, LIMBS_PER_WORD),
    }
    const accountAddresses = of(writes.accountAddresses, LIMBS_PER_ADDRESS)
    yield { ...writes, accountCount: end - first, accountAddresses, accounts, slotCount: 0 }
  }
}

function* slotSlices(writes: StateWrites, count: number): Generator<StateWrites> {
  for (let first = 0; first < count; first += SLICE) {
    const end = Math.min(count, first + SLICE)
    const of = (column: Uint32Array, limbs: number): Uint32Array => column.subarray(limbs * first, limbs * end)
    const slotAddresses = of(writes.slotAddresses, LIMBS_PER_ADDRESS)
    const slotKeys = of(writes.slotKeys, LIMBS_PER_WORD)
    const slotValues = of(writes.slotValues, LIMBS_PER_WORD)
    yield { ...writes, accountCount: 0, slotCount: end - first, slotAddresses, slotKeys, slotValues }
  }
}

interface Entry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

function* chunksOf(entries: Iterable<Entry>): Generator<readonly Entry[]> {
  let chunk: Entry[] = []
  for (const entry of entries) {
    chunk.push(entry)
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = []
  }
  yield chunk
}

/** The first two bytes of the hash of each. */
const prefixesOf = (keys: readonly Uint8Array[]): Uint16Array => {
  const bytes = new Uint8Array(ADDRESS_BYTES * keys.length)
  for (const [n, key] of keys.entries()) bytes.set(key.subarray(0, ADDRESS_BYTES), ADDRESS_BYTES * n)
  const offsets = Uint32Array.from(keys, (_, n) => ADDRESS_BYTES * n)
  const lengths = new Uint32Array(keys.length).fill(ADDRESS_BYTES)
  const hashes = keccakMany({ count: keys.length, bytes, offsets, lengths })
  return Uint16Array.from(keys, (_, n) => (hashes[32 * n]! << 8) | hashes[32 * n + 1]!)
}

/** Whether a slot is one of this address. */
const isBelow = (address: Uint8Array, slot: Uint8Array): boolean => {
  for (let n = 0; n < ADDRESS_BYTES; n++) if (slot[n] !== address[n]) return false
  return true
}
