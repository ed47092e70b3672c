import type { Database, RootDatabase } from 'lmdb'
import { type DataFile, prepareDataFile } from './data_file.ts'
import { checkFolder } from './folder.ts'
import { mapBytesOf } from './map_size.ts'
import { claimFolder, releaseFolder } from './owner.ts'
import { lineOf, StoreError } from './store_error.ts'

/** Keys and values are bytes. */
export type Table = Database<Uint8Array, Uint8Array>

/**
 * The tables of a store. Numbers are big-endian, so keys stand in their order.
 *
 * meta       name                       schema version, chain id, configuration and its hash, hash of the genesis
 * head       `disk`                     number u64, hash, state root: the one state on disk
 * headers    hash                       RLP
 * bodies     hash                       RLP of transactions, uncles and withdrawals
 * receipts   hash                       receipt_list.ts
 * canon      number u64                 hash, then the difficulty of the block and all before it (32)
 * accounts   address (20)               records.ts
 * slots      address (20), slot (32)    value without leading zeros; zero is no entry
 * code       hash                       bytes
 * undo       number u64                 undo_record.ts
 * forkchoice `safe`, `finalized`        hash of a canonical block; none until it is told
 * places     volume u32, hash of a      number of its canonical block u64, position there u32 (places.ts)
 *            transaction
 * volumes    volume u32                 number of its first block u64, transactions in it u32
 * nodes      number of a page u32       part of the trie of the state (page_writer.ts); 0: what the pages are of
 *
 * Slots stand only under addresses of accounts that exist.
 */
export interface Tables {
  readonly meta: Table
  readonly head: Table
  readonly headers: Table
  readonly bodies: Table
  readonly receipts: Table
  readonly canon: Table
  readonly accounts: Table
  readonly slots: Table
  readonly code: Table
  readonly undo: Table
  readonly forkchoice: Table
  readonly places: Table
  readonly volumes: Table
  readonly nodes: Table
}

const TABLES: Readonly<Record<keyof Tables, true>> = {
  meta: true,
  head: true,
  headers: true,
  bodies: true,
  receipts: true,
  canon: true,
  accounts: true,
  slots: true,
  code: true,
  undo: true,
  forkchoice: true,
  places: true,
  volumes: true,
  nodes: true,
}

export const TABLE_NAMES = Object.keys(TABLES) as readonly (keyof Tables)[]

/**
 * Of the tables and their values; `1` has no `forkchoice` and no `places`, `1` and `2` no `nodes`; in all three
 * receipts are lists of RLP, and up to `4` places have no volume: both stay as they are. They become `5` where a chain
 * is opened. Any other is refused.
 */
export const SCHEMA = '5'
export const SCHEMA_WITHOUT_PLACES = '1'
const OLD_SCHEMAS = [SCHEMA_WITHOUT_PLACES, '2', '3', '4']

/** A database that this process owns. `root` and `tables` throw StoreError once it is closed. */
export interface Environment {
  readonly folder: string
  readonly root: RootDatabase<Uint8Array, Uint8Array>
  readonly tables: Tables
  readonly dataFile: DataFile
  close(): Promise<void>
}

/** The owner has checked it. */
const WHOLE: DataFile = { needsCheck: false, passed: () => undefined }

const OPEN_OPTIONS = {
  noSubdir: false,
  maxDbs: 2 * TABLE_NAMES.length,
  encoding: 'binary',
  keyEncoding: 'binary',
} as const

/** Opens for reading a folder that this process owns: another thread of it does. Throws StoreError. */
export const viewEnvironment = async (folder: string): Promise<Environment> => {
  const { open } = await loadDatabase(folder)
  try {
    const root = open<Uint8Array, Uint8Array>({ ...OPEN_OPTIONS, path: folder, readOnly: true })
    const table = (name: string): Table => root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
    const tables = Object.fromEntries(TABLE_NAMES.map((name) => [name, table(name)])) as unknown as Tables
    return { folder, root, tables, dataFile: WHOLE, close: () => root.close() }
  } catch (thrown) {
    throw openFault(folder, thrown)
  }
}

export interface OpenOptions {
  /** Makes the folder where there is none. */
  readonly create: boolean
  /** Bytes that the file may come to, where that is not left to the address space. */
  readonly mapBytes?: number
}

export const openEnvironment = async (folder: string, options: OpenOptions): Promise<Environment> => {
  checkFolder(folder, options)
  const { open } = await loadDatabase(folder)
  try {
    await claimFolder(folder, open)
  } catch (thrown) {
    throw openFault(folder, thrown)
  }
  let root: Environment['root'] | undefined
  let isClosed = false
  const checkOpen = (): void => {
    if (isClosed) throw new StoreError(folder, 'closed', 'the store is closed')
  }
  const close = async (): Promise<void> => {
    isClosed = true
    await root?.close()
    releaseFolder(folder)
  }
  try {
    const dataFile = prepareDataFile(folder)
    const database = open<Uint8Array, Uint8Array>({
      ...OPEN_OPTIONS,
      path: folder,
      mapSize: mapBytesOf(folder, options.mapBytes),
      // A commit is on the disk when it returns.
      overlappingSync: false,
    })
    root = database
    const tables = openTables(folder, database, dataFile)
    return {
      folder,
      get root() {
        checkOpen()
        return database
      },
      get tables() {
        checkOpen()
        return tables
      },
      dataFile,
      close,
    }
  } catch (thrown) {
    await close()
    throw openFault(folder, thrown)
  }
}

const openFault = (folder: string, thrown: unknown): StoreError => {
  if (thrown instanceof StoreError) return thrown
  // Codes of LMDB's own are negative, those of the system positive or names.
  const { code } = thrown as { readonly code?: unknown }
  const fault = typeof code === 'number' && code < 0 ? 'damaged' : 'folder'
  return new StoreError(folder, fault, `the database does not open: ${lineOf(thrown)}`, thrown)
}

/** Refuses another's database before anything is written there: a table is made by opening it. */
const openTables = (folder: string, root: Environment['root'], { needsCheck }: DataFile): Tables => {
  const table = (name: string): Table => root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
  const { entryCount } = root.getStats() as { readonly entryCount: number }
  if (entryCount > 0) {
    // The name of a table is a key that ends with a zero byte.
    const isOurs = root.doesExist(new TextEncoder().encode('meta\0'))
    const schema = isOurs ? table('meta').get(new TextEncoder().encode('schema')) : undefined
    // A folder that was made, and whose genesis was not written, has tables and no schema.
    const found = schema === undefined ? undefined : new TextDecoder().decode(schema)
    if (!isOurs && needsCheck) throw new StoreError(folder, 'damaged', 'data.mdb was cut short')
    if (!isOurs) throw new StoreError(folder, 'schema', 'holds a database of another program')
    if (found !== undefined && found !== SCHEMA && !OLD_SCHEMAS.includes(found))
      throw new StoreError(
        folder,
        'schema',
        `has schema ${found}, this version reads schemas ${OLD_SCHEMAS.join(', ')} and ${SCHEMA}, and writes ${SCHEMA}`,
      )
  }
  return Object.fromEntries(TABLE_NAMES.map((name) => [name, table(name)])) as unknown as Tables
}

/** Loaded where a store is opened, so that the library starts without it, and works where it is not installed. */
const loadDatabase = async (folder: string): Promise<typeof import('lmdb')> => {
  try {
    return await import('lmdb')
  } catch (thrown) {
    throw new StoreError(folder, 'package', `the package lmdb does not load: ${lineOf(thrown)}`, thrown)
  }
}
