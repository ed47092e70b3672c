import { statSync } from 'node:fs'
import { join } from 'node:path'
import { bytesToHex, hexToBytes } from '../../primitives/hex.ts'
import type { DumpedAccount } from '../allocation.ts'
import type { StateWrites } from '../state.ts'
import type { ArenaTrie } from '../trie/arena_trie.ts'
import type { PageChanges } from '../trie/page_cuts.ts'
import { checkNodes, type StateCounts } from './check_nodes.ts'
import { dumpStore } from './dump_store.ts'
import {
  type Environment,
  type OpenOptions,
  openEnvironment,
  SCHEMA,
  TABLE_NAMES,
  type Tables,
  viewEnvironment,
} from './environment.ts'
import { fullDiskText } from './folder.ts'
import type { MakeProgress } from './make_nodes.ts'
import { Nodes } from './nodes.ts'
import { openStateTrie } from './open_trie.ts'
import { Places, type TransactionPlace } from './places.ts'
import { type DiskHead, decodeHead, encodeHead, numberKey, numberOfKey } from './records.ts'
import { checkRoom, checkRoomOf, sizeOfPlaces } from './room.ts'
import { lineOf, StoreError } from './store_error.ts'
import { type StateLayers, StoredState } from './stored_state.ts'
import { type UndoEntry, type Undone, UndoRecord, undo, undoEntries } from './undo_record.ts'
import { WriteParts } from './write_parts.ts'
import { writeState } from './write_state.ts'

/** What a store is of. Hashes are 0x-hex. */
export interface StoreMeta {
  readonly chainId: string
  readonly configText: string
  readonly configHash: string
  readonly genesisHash: string
}

/** A block as the store keeps it: bytes are RLP. */
export interface StoredBlock extends DiskHead {
  readonly parentHash: string
  readonly totalDifficulty: bigint
  readonly header: Uint8Array
  readonly body: Uint8Array
  readonly receipts: Uint8Array
  /** 32 bytes for each that is to be found by its hash, in the order of the block. */
  readonly transactionHashes: Uint8Array
}

/** A block that comes on the head, with what it writes to the state, in its order. */
export interface AppendedBlock {
  readonly block: StoredBlock
  readonly writes: readonly StateWrites[]
  /** The undo record where it is known (`undoOf`), of writes that delete no account; else it is read. */
  readonly undo?: Uint8Array | undefined
}

/** What makes an ancestor of the head the head. */
export interface StepBack {
  readonly to: DiskHead
  /** What `undoneTo` gives. */
  readonly undone: Undone
  /** Of the blocks that are gone then: 32 bytes a transaction. */
  readonly transactionHashes: readonly { readonly number: bigint; readonly hashes: Uint8Array }[]
}

/** Hashes of canonical blocks. */
export interface StoredForkChoice {
  readonly safe: string | undefined
  readonly finalized: string | undefined
}

/** From one head to another: back, then forward. */
export interface StoreMove {
  readonly back?: StepBack
  readonly blocks: readonly AppendedBlock[]
  /** What makes the trie on disk that of the new head; absent where the head is the same. */
  readonly pages?: PageChanges
  /** Where it changes. */
  readonly forkChoice?: StoredForkChoice
  /** Undo records of blocks below this one are dropped. */
  readonly oldestUndo: bigint
}

/** A canonical block. */
export interface CanonEntry {
  readonly hash: string
  /** Of the block and all before it. */
  readonly totalDifficulty: bigint
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const wordBytes = (value: bigint): Uint8Array => hexToBytes(`0x${value.toString(16).padStart(64, '0')}`)

const FORK_CHOICE_NAMES = ['safe', 'finalized'] as const
const META_NAMES = ['chainId', 'configText', 'configHash', 'genesisHash'] as const
const DISK = text('disk')
/** Of an upgrade: in one transaction. */
const BLOCKS_AT_ONCE = 128n

/**
 * Blocks, receipts and one state in a folder. Every change is one transaction: all of it is on the disk when the call
 * returns, or, where it throws, nothing.
 */
export class Store {
  readonly #environment: Environment
  readonly #places: Places
  readonly #nodes: Nodes
  #fault: StoreError | undefined
  #moves = 0
  /** Of a view: the hash of the head when `moves` was last asked for. */
  #seen: string | undefined

  private constructor(environment: Environment, seen?: string) {
    this.#environment = environment
    this.#seen = seen
    this.#places = new Places(environment)
    this.#nodes = new Nodes(environment)
  }

  /** Opens a folder; `create` makes it where there is none. Throws StoreError. */
  static async open(folder: string, options: OpenOptions): Promise<Store> {
    return new Store(await openEnvironment(folder, options))
  }

  /** Opens for reading a folder that a store of this process has open, in any of its threads. Throws StoreError. */
  static async view(folder: string): Promise<Store> {
    return new Store(await viewEnvironment(folder), 'none')
  }

  get #tables(): Tables {
    return this.#environment.tables
  }

  get folder(): string {
    return this.#environment.folder
  }

  /** How often the head or its state has changed since the store was opened. */
  get moves(): number {
    if (this.#seen === undefined) return this.#moves
    const { hash } = this.head
    if (hash !== this.#seen) this.#moves++
    this.#seen = hash
    return this.#moves
  }

  /** Why nothing may be written any more. */
  get fault(): StoreError | undefined {
    return this.#fault
  }

  /** What the folder holds may not be whole: its file was cut short, or its end never written. */
  get needsCheck(): boolean {
    return this.#environment.dataFile.needsCheck
  }

  /** A check of all blocks and of the state has found nothing wrong. */
  passCheck(): void {
    this.#environment.dataFile.passed()
  }

  /** Undefined where nothing was begun here. */
  get schema(): string | undefined {
    const schema = this.#tables.meta.get(text('schema'))
    return schema === undefined ? undefined : new TextDecoder().decode(schema)
  }

  /** Makes a store that has no `places` one that has: those of `hashesOf`. */
  makePlaces(hashesOf: (number: bigint) => Uint8Array): void {
    const { number: last } = this.head
    // Of an upgrade that did not end.
    this.#write('the places', () => this.#places.clear())
    for (let first = 0n; first <= last; first += BLOCKS_AT_ONCE) {
      const end = first + BLOCKS_AT_ONCE <= last ? first + BLOCKS_AT_ONCE : last + 1n
      const what = `places of blocks ${first} to ${end - 1n}`
      const hashes = Array.from({ length: Number(end - first) }, (_, n) => hashesOf(first + BigInt(n)))
      const bytes = hashes.reduce((sum, { length }) => sum + length, 0)
      checkRoomOf(this.#environment, what, sizeOfPlaces(bytes))
      this.#write(what, (parts) => {
        for (const [n, ofBlock] of hashes.entries()) this.#places.put(first + BigInt(n), ofBlock, parts)
      })
    }
  }

  /** All that this schema has is there. */
  setSchema(): void {
    checkRoomOf(this.#environment, 'the schema', { puts: 1, bytes: 0 })
    this.#write('the schema', () => this.#tables.meta.putSync(text('schema'), text(SCHEMA)))
  }

  /**
   * The trie of the state on disk. Where the pages are not there, or not those of the head, they are made anew from
   * accounts and slots, which `progress` is told. `bytes`: about what it may take. Throws StoreError where its root is
   * not the head's.
   */
  openTrie(bytes: number, progress?: MakeProgress): Promise<ArenaTrie> {
    return openStateTrie(this.#environment, this.#nodes, this.head, bytes, progress)
  }

  /** Whether there is a trie that says it is that of the head. */
  get hasTrie(): boolean {
    return this.#nodes.root?.hash === this.head.stateRoot
  }

  /** Compares the state on disk with its trie, and both with the root of the head. Throws StoreError. */
  checkTrie(): StateCounts {
    return checkNodes(this.#environment, this.#nodes, this.head.stateRoot)
  }

  /** Undefined where nothing was begun here. */
  get meta(): StoreMeta | undefined {
    const entries = META_NAMES.map((name) => [name, this.#tables.meta.get(text(name))] as const)
    if (entries.every(([, value]) => value === undefined)) return undefined
    const missing = entries.find(([, value]) => value === undefined)
    if (missing !== undefined) throw this.#damaged(`meta has no ${missing[0]}`)
    return Object.fromEntries(
      entries.map(([name, value]) => [name, new TextDecoder().decode(value)]),
    ) as unknown as StoreMeta
  }

  /** The block whose state this is. Throws StoreError where there is none. */
  get head(): DiskHead {
    const bytes = this.#tables.head.get(DISK)
    const head = bytes === undefined ? undefined : decodeHead(bytes)
    if (head === undefined) throw this.#damaged('there is no head')
    return head
  }

  /** The state on disk under layers, which are asked for at every read. */
  stateUnder(layers: () => StateLayers): StoredState {
    return new StoredState(this.#environment, layers)
  }

  get forkChoice(): StoredForkChoice {
    const [safe, finalized] = FORK_CHOICE_NAMES.map((name) => this.#tables.forkchoice.get(text(name)))
    const hashOf = (hash: Uint8Array | undefined): string | undefined =>
      hash === undefined ? undefined : bytesToHex(hash)
    return { safe: hashOf(safe), finalized: hashOf(finalized) }
  }

  /** Begins a chain in an empty store. */
  begin(meta: StoreMeta, genesis: StoredBlock, writes: StateWrites, pages?: PageChanges): void {
    checkRoom(this.#environment, 'the genesis', { blocks: [{ block: genesis, writes: [writes] }], pages })
    this.#write('the genesis', (parts) => {
      this.#tables.meta.putSync(text('schema'), text(SCHEMA))
      for (const name of META_NAMES) this.#tables.meta.putSync(text(name), text(meta[name]))
      writeState(this.#tables, writes, new UndoRecord(), parts)
      if (pages !== undefined) this.#nodes.put(pages, parts)
      this.#putBlock(genesis, parts)
    })
  }

  /** Changes the head, its state and all that goes with it. */
  move(change: StoreMove): void {
    const { back, blocks, pages, forkChoice, oldestUndo } = change
    const [first] = blocks
    const last = blocks.at(-1)
    const named =
      first === last ? `block ${first?.block.number}` : `blocks ${first?.block.number} to ${last?.block.number}`
    const empty = back === undefined ? 'the fork choice' : `the rewind to block ${back.to.number}`
    const what = first === undefined ? empty : named
    const { undo } = this.#tables
    const dropped = [...undo.getKeys({ end: numberKey(oldestUndo < 0n ? 0n : oldestUndo) })]
    checkRoom(this.#environment, what, { ...change, droppedUndo: dropped.length })
    this.#write(what, (parts) => {
      if (back !== undefined) this.#goBack(back, parts)
      for (const block of blocks) this.#append(block, oldestUndo, parts)
      for (const key of dropped) undo.removeSync(key)
      if (pages !== undefined) this.#nodes.put(pages, parts)
      if (forkChoice !== undefined) this.#putForkChoice(forkChoice)
    })
    this.#moves++
  }

  #append({ block, writes, undo }: AppendedBlock, oldestUndo: bigint, parts: WriteParts): void {
    const { hash, number } = this.head
    if (block.parentHash !== hash || block.number !== number + 1n)
      throw this.#damaged(`block ${block.number} does not follow the head, block ${number}`)
    const record = undo === undefined ? new UndoRecord() : undefined
    for (const of of writes) writeState(this.#tables, of, record, parts)
    if (block.number >= oldestUndo) this.#tables.undo.putSync(numberKey(block.number), undo ?? record!.bytes)
    this.#putBlock(block, parts)
  }

  #putBlock(block: StoredBlock, parts: WriteParts): void {
    const { headers, bodies, receipts, canon, head } = this.#tables
    const hash = hexToBytes(block.hash)
    headers.putSync(hash, block.header)
    bodies.putSync(hash, block.body)
    receipts.putSync(hash, block.receipts)
    canon.putSync(numberKey(block.number), Buffer.concat([hash, wordBytes(block.totalDifficulty)]))
    this.#places.put(block.number, block.transactionHashes, parts)
    head.putSync(DISK, encodeHead(block))
  }

  #goBack({ to, undone, transactionHashes }: StepBack, parts: WriteParts): void {
    const { accounts, slots, headers, bodies, receipts, canon, undo: records, head } = this.#tables
    for (const { key, value } of undone.values()) {
      const table = key.length === 20 ? accounts : slots
      if (value === undefined) table.removeSync(key)
      else table.putSync(key, value)
    }
    for (let above = this.head.number; above > to.number; above--) {
      const key = numberKey(above)
      const hash = hexToBytes(this.canonical(above)!.hash)
      for (const table of [headers, bodies, receipts]) table.removeSync(hash)
      canon.removeSync(key)
      records.removeSync(key)
    }
    for (const { number, hashes } of transactionHashes) this.#places.remove(number, hashes, parts)
    head.putSync(DISK, encodeHead(to))
  }

  #putForkChoice(forkChoice: StoredForkChoice): void {
    for (const name of FORK_CHOICE_NAMES) {
      const hash = forkChoice[name]
      if (hash === undefined) this.#tables.forkchoice.removeSync(text(name))
      else this.#tables.forkchoice.putSync(text(name), hexToBytes(hash))
    }
  }

  /** What a canonical block wrote over. Throws StoreError where its undo record is gone. */
  undoEntries(number: bigint): readonly UndoEntry[] {
    const record = this.#tables.undo.get(numberKey(number))
    if (record === undefined) throw new StoreError(this.folder, 'depth', `block ${number} has no undo record any more`)
    const entries = undoEntries(record)
    if (entries === undefined) throw this.#damaged(`the undo record of block ${number}`)
    return entries
  }

  /** The lowest block that the undo records lead back to. */
  get oldestState(): bigint {
    const [first] = [...this.#tables.undo.getKeys({ limit: 1 })]
    return first === undefined ? this.head.number : numberOfKey(first) - 1n
  }

  /** Throws StoreError where the undo records do not lead back to a block. */
  checkReach(number: bigint): void {
    const { oldestState } = this
    if (number >= oldestState) return
    throw new StoreError(
      this.folder,
      'depth',
      `block ${number} is too deep: the undo records begin with block ${oldestState + 1n}`,
    )
  }

  /** Values as they were after block `number`, from the records of the blocks above it. Throws StoreError. */
  undoneTo(number: bigint): Undone {
    this.checkReach(number)
    const undone: Undone = new Map()
    for (let above = this.head.number; above > number; above--) undo(undone, this.undoEntries(above))
    return undone
  }

  canonical(number: bigint): CanonEntry | undefined {
    const entry = number < 0n || number >> 64n !== 0n ? undefined : this.#tables.canon.get(numberKey(number))
    if (entry === undefined) return undefined
    return {
      hash: bytesToHex(entry.subarray(0, 32)),
      totalDifficulty: BigInt(bytesToHex(entry.subarray(32))),
    }
  }

  header(hash: string): Uint8Array | undefined {
    return this.#tables.headers.get(hexToBytes(hash))
  }

  body(hash: string): Uint8Array | undefined {
    return this.#tables.bodies.get(hexToBytes(hash))
  }

  receipts(hash: string): Uint8Array | undefined {
    return this.#tables.receipts.get(hexToBytes(hash))
  }

  /** Where a transaction of a canonical block is, by its hash (32 bytes). */
  place(hash: Uint8Array): TransactionPlace | undefined {
    return this.#places.of(hash)
  }

  /** The state on disk in object form. */
  dump(): Record<string, DumpedAccount> {
    return dumpStore(this.#environment)
  }

  /** Entries by table. */
  counts(): Readonly<Record<keyof Tables, number>> {
    const entries = TABLE_NAMES.map((name) => {
      const { entryCount } = this.#tables[name].getStats() as { readonly entryCount: number }
      return [name, entryCount] as const
    })
    return Object.fromEntries(entries) as unknown as Record<keyof Tables, number>
  }

  /** Bytes of the data file. */
  get sizeBytes(): number {
    return statSync(join(this.folder, 'data.mdb')).size
  }

  close(): Promise<void> {
    return this.#environment.close()
  }

  #write(what: string, work: (parts: WriteParts) => void): void {
    if (this.#fault !== undefined) throw this.#fault
    try {
      const { root } = this.#environment
      root.transactionSync(() => work(new WriteParts(root)))
    } catch (thrown) {
      this.#places.forget()
      if (thrown instanceof StoreError) throw thrown
      const cause = `${lineOf(thrown)}${fullDiskText(this.folder)}`
      const fault = new StoreError(this.folder, 'write', `${what} was not written: ${cause}`, thrown)
      // What the binding holds after a failed commit is not to be relied on.
      if ((thrown as { code?: unknown }).code !== undefined) this.#fault = fault
      throw fault
    }
  }

  #damaged(what: string): StoreError {
    return new StoreError(this.folder, 'damaged', `the store is damaged: ${what}`)
  }
}
