import { statSync } from 'node:fs'
import { join } from 'node:path'
import { bytesToHex, hexToBytes } from '../../primitives/hex.ts'
import type { DumpedAccount } from '../allocation.ts'
import type { StateWrites } from '../state.ts'
import { dumpStore } from './dump_store.ts'
import { type Environment, openEnvironment, SCHEMA, TABLE_NAMES, type Tables } from './environment.ts'
import { type DiskHead, decodeHead, encodeHead, numberKey } from './records.ts'
import { lineOf, StoreError } from './store_error.ts'
import { StoredState } from './stored_state.ts'
import { type Undone, UndoRecord, undo, writesOfUndone } from './undo_record.ts'
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
}

/** A canonical block. */
export interface CanonEntry {
  readonly hash: string
  /** Of the block and all before it. */
  readonly totalDifficulty: bigint
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const wordBytes = (value: bigint): Uint8Array => hexToBytes(`0x${value.toString(16).padStart(64, '0')}`)

const META_NAMES = ['chainId', 'configText', 'configHash', 'genesisHash'] as const
const DISK = text('disk')

/**
 * Blocks, receipts and one state in a folder. Every change is one transaction: all of it is on the disk when the call
 * returns, or, where it throws, nothing.
 */
export class Store {
  readonly state: StoredState
  readonly #environment: Environment
  #fault: StoreError | undefined

  private constructor(environment: Environment) {
    this.#environment = environment
    this.state = new StoredState(environment)
  }

  /** Opens a folder; `create` makes it where there is none. Throws StoreError. */
  static async open(folder: string, options: { readonly create: boolean }): Promise<Store> {
    return new Store(await openEnvironment(folder, options))
  }

  get #tables(): Tables {
    return this.#environment.tables
  }

  get folder(): string {
    return this.#environment.folder
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

  /** Begins a chain in an empty store. */
  begin(meta: StoreMeta, genesis: StoredBlock, writes: StateWrites): void {
    this.#write('the genesis', () => {
      this.#tables.meta.putSync(text('schema'), text(SCHEMA))
      for (const name of META_NAMES) this.#tables.meta.putSync(text(name), text(meta[name]))
      writeState(this.#tables, writes, new UndoRecord())
      this.#putBlock(genesis)
    })
  }

  /** Puts a block and the staged writes, which are its own, on the head. Keeps so many undo records. */
  append(block: StoredBlock, undoDepth: number): void {
    this.#write(`block ${block.number}`, () => {
      const { hash, number } = this.head
      if (block.parentHash !== hash || block.number !== number + 1n)
        throw this.#damaged(`block ${block.number} does not follow the head, block ${number}`)
      const record = new UndoRecord()
      for (const writes of this.state.staged.all) writeState(this.#tables, writes, record)
      if (undoDepth > 0) this.#tables.undo.putSync(numberKey(block.number), record.bytes)
      // More than one where the depth is less than it was.
      const oldest = block.number - BigInt(undoDepth) + 1n
      const end = numberKey(oldest < 0n ? 0n : oldest)
      for (const key of [...this.#tables.undo.getKeys({ end })]) this.#tables.undo.removeSync(key)
      this.#putBlock(block)
    })
    this.state.staged.clear()
  }

  #putBlock(block: StoredBlock): void {
    const { headers, bodies, receipts, canon, head } = this.#tables
    const hash = hexToBytes(block.hash)
    headers.putSync(hash, block.header)
    bodies.putSync(hash, block.body)
    receipts.putSync(hash, block.receipts)
    canon.putSync(numberKey(block.number), Buffer.concat([hash, wordBytes(block.totalDifficulty)]))
    head.putSync(DISK, encodeHead(block))
  }

  /** Values as they were after block `number`, from the records of the blocks above it. Throws StoreError. */
  undoneTo(number: bigint): { readonly undone: Undone; readonly writes: StateWrites } {
    const undone: Undone = new Map()
    for (let above = this.head.number; above > number; above--) {
      const record = this.#tables.undo.get(numberKey(above))
      if (record === undefined)
        throw new StoreError(
          this.folder,
          'depth',
          `block ${number} is too deep: the undo records begin with block ${above + 1n}`,
        )
      if (!undo(undone, record)) throw this.#damaged(`the undo record of block ${above}`)
    }
    const writes = writesOfUndone(undone)
    if (writes === undefined) throw this.#damaged('an undo record')
    return { undone, writes }
  }

  /** Makes an ancestor of the head the head, with the values of `undoneTo`; blocks above it are gone. */
  rewind(to: DiskHead, undone: Undone): void {
    this.#write(`the rewind to block ${to.number}`, () => {
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
      head.putSync(DISK, encodeHead(to))
    })
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

  #write(what: string, work: () => void): void {
    if (this.#fault !== undefined) throw this.#fault
    try {
      this.#environment.root.transactionSync(work)
    } catch (thrown) {
      if (thrown instanceof StoreError) throw thrown
      const fault = new StoreError(this.folder, 'write', `${what} was not written: ${lineOf(thrown)}`, thrown)
      // What the binding holds after a failed commit is not to be relied on.
      if ((thrown as { code?: unknown }).code !== undefined) this.#fault = fault
      throw fault
    }
  }

  #damaged(what: string): StoreError {
    return new StoreError(this.folder, 'damaged', `the store is damaged: ${what}`)
  }
}
