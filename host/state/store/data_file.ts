import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StoreError } from './store_error.ts'

/**
 * The head of LMDB's data file, of which the binding asks nothing: it maps what is there, and reading a page past the
 * end of the file ends the process.
 *
 * page 0, page 1   header (24 bytes), then magic u32, version u32, address u64, size of the map u64, two trees of 48
 *                  bytes (the first begins with the page size, u32), last page u64, transaction u64; little-endian
 *
 * The later transaction of the two counts. The file may be shorter than its last page without damage: pages at the end
 * that a transaction took and left free again are never written.
 */
const META_BYTES = 160
const MAGIC = 0xbeef_c0de
const MAGIC_AT = 24
const VERSION_AT = 28
const VERSION = 2
const PAGE_SIZE_AT = 48
const LAST_PAGE_AT = 144
const TRANSACTION_AT = 152

/** Its presence: the file was once shorter than its last page, and what it holds is not checked yet. */
const UNCHECKED = 'unchecked'

export interface DataFile {
  /** The file is, or was since its last check, shorter than its last page: all that it holds needs one. */
  readonly needsCheck: boolean
  /** What it holds was checked. */
  passed(): void
}

/**
 * Makes the data file of a folder, which this process has, one that LMDB may open. Throws StoreError where it is none,
 * or its head is damaged.
 */
export const prepareDataFile = (folder: string): DataFile => {
  const path = join(folder, 'data.mdb')
  const marker = join(folder, UNCHECKED)
  if (existsSync(path)) lengthen(folder, path, marker)
  return { needsCheck: existsSync(marker), passed: () => rmSync(marker, { force: true }) }
}

const lengthen = (folder: string, path: string, marker: string): void => {
  const file = openSync(path, 'r+')
  try {
    const { size } = fstatSync(file)
    const needed = size === 0 ? 0 : bytesNeeded(folder, file, size, 'data.mdb')
    if (size >= needed) return
    writeFileSync(marker, '')
    ftruncateSync(file, needed)
  } finally {
    closeSync(file)
  }
}

/** Throws StoreError where a file of a folder is there, and is no database. */
export const checkHead = (folder: string, name: string): void => {
  const path = join(folder, name)
  if (!existsSync(path)) return
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    if (size > 0) bytesNeeded(folder, file, size, name)
  } finally {
    closeSync(file)
  }
}

const bytesNeeded = (folder: string, file: number, size: number, name: string): number => {
  const first = readMeta(file, 0)
  const second = first === undefined ? undefined : readMeta(file, first.pageSize)
  if (first === undefined || second === undefined || first.pageSize !== second.pageSize)
    throw new StoreError(folder, 'damaged', `${name} (${size} bytes) does not begin as a database`)
  const { pageSize, lastPage } = second.transaction > first.transaction ? second : first
  const needed = (lastPage + 1n) * BigInt(pageSize)
  // A page number that no disk has is damage as well; a file must not grow to it.
  if (needed > 2n ** 46n) throw new StoreError(folder, 'damaged', `${name} names a last page of ${lastPage}`)
  return Number(needed)
}

interface Meta {
  readonly pageSize: number
  readonly lastPage: bigint
  readonly transaction: bigint
}

const readMeta = (file: number, at: number): Meta | undefined => {
  const meta = Buffer.alloc(META_BYTES)
  if (readSync(file, meta, 0, META_BYTES, at) < META_BYTES) return undefined
  const pageSize = meta.readUInt32LE(PAGE_SIZE_AT)
  const isMeta = meta.readUInt32LE(MAGIC_AT) === MAGIC && (meta.readUInt32LE(VERSION_AT) & 0xffff) === VERSION
  const isSize = pageSize >= 512 && pageSize <= 65_536 && (pageSize & (pageSize - 1)) === 0
  if (!isMeta || !isSize) return undefined
  return { pageSize, lastPage: meta.readBigUInt64LE(LAST_PAGE_AT), transaction: meta.readBigUInt64LE(TRANSACTION_AT) }
}
