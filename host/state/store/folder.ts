import { accessSync, constants, existsSync, mkdirSync, statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { lineOf, StoreError } from './store_error.ts'

/**
 * File systems over a network, or of the machine around this one, by the magic numbers of statfs(2). LMDB shares
 * memory, which none of them does.
 */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff53_4d42, 'CIFS'],
  [0xfe53_4d42, 'SMB2'],
  [0x5346_414f, 'AFS'],
  [0x6b41_4653, 'AFS'],
  [0x00c3_6400, 'Ceph'],
  [0x0bd0_0bd0, 'Lustre'],
  [0x4750_4653, 'GPFS'],
  [0x1983_0326, 'BeeGFS'],
  [0x2003_0528, 'OrangeFS'],
  [0x7375_7245, 'Coda'],
  [0x564c, 'NCP'],
  [0x0102_1997, '9P'],
  [0x786f_4256, 'a folder shared by VirtualBox'],
])

/** The name of a file system over a network, undefined for every other; `type` as statfs(2) has it, signed or not. */
export const networkFileSystem = (type: number): string | undefined => NETWORK_FILE_SYSTEMS.get(type >>> 0)

/**
 * Throws StoreError unless `folder` is one in which a database can be written, or none is there; `create` makes it.
 */
export const checkFolder = (folder: string, { create }: { readonly create: boolean }): void => {
  if (folder === '') throw new StoreError("''", 'folder', 'the name of a folder is empty')
  if (existsSync(folder) && !statSync(folder).isDirectory())
    throw new StoreError(folder, 'folder', 'is a file, expected a folder')
  if (!existsSync(folder)) {
    if (!create) throw new StoreError(folder, 'empty', 'there is no such folder')
    refuseNetwork(folder, nearestOf(folder))
    try {
      mkdirSync(folder, { recursive: true })
    } catch (thrown) {
      throw new StoreError(folder, 'folder', `cannot be made: ${lineOf(thrown)}`, thrown)
    }
  }
  refuseNetwork(folder, folder)
  refuseFull(folder)
  for (const path of [folder, ...['data.mdb', 'lock.mdb'].map((name) => resolve(folder, name))]) {
    if (!existsSync(path)) continue
    try {
      accessSync(path, constants.R_OK | constants.W_OK)
    } catch (thrown) {
      throw new StoreError(folder, 'folder', `cannot be written: ${lineOf(thrown)}`, thrown)
    }
  }
}

/**
 * What opening takes: lock files are mapped, and a page of them for which the disk has no room ends the process (bus
 * error).
 */
const ROOM_BYTES = 2 ** 20

const refuseFull = (folder: string): void => {
  const left = bytesLeft(folder)
  if (left >= ROOM_BYTES) return
  throw new StoreError(folder, 'write', `its disk has ${left} bytes left, opening takes up to ${ROOM_BYTES}`)
}

/** Bytes that the disk of a folder has left for this process; some file systems do not tell. */
const bytesLeft = (folder: string): number => {
  const { blocks, bavail, bsize } = statfsSync(folder)
  return blocks === 0 ? Infinity : bavail * bsize
}

/** What is to be said of the disk where a write has failed: of one that fits in part the system tells an I/O error. */
export const fullDiskText = (folder: string): string => {
  const left = bytesLeft(folder)
  return left < ROOM_BYTES ? ` (its disk has ${left} bytes left)` : ''
}

const nearestOf = (folder: string): string => {
  let nearest = resolve(folder)
  while (!existsSync(nearest)) nearest = dirname(nearest)
  return nearest
}

const refuseNetwork = (folder: string, at: string): void => {
  const name = networkFileSystem(statfsSync(at).type)
  if (name !== undefined)
    throw new StoreError(folder, 'folder', `lies on ${name}: a chain needs a local disk, whose memory is shared`)
}
