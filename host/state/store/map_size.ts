import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { StoreError } from './store_error.ts'

/**
 * The database is read through a map of its file, which the binding lets grow by itself, whatever size was asked for:
 * it does not look at whether the system refuses the larger map, and reads through none at all (segmentation fault),
 * when it opens as well. So the whole map is taken where a folder is opened, after a look at what there is to take.
 * It costs address space alone.
 */
const DEFAULT_MAP_BYTES = 2 ** 40
/** Address space has 47 bits, and other things are in it. */
export const MOST_MAP_BYTES = 2 ** 44
/** Of the address space that is left: heaps and buffers grow as well. */
const PART = 1 / 2

/** Bytes for the map of a folder's database, of which `wanted` are asked for. Throws StoreError. */
export const mapBytesOf = (folder: string, wanted = DEFAULT_MAP_BYTES, left = addressSpaceLeft()): number => {
  const size = statSync(join(folder, 'data.mdb'), { throwIfNoEntry: false })?.size ?? 0
  const most = PART * left
  if (size > most)
    throw new StoreError(
      folder,
      'folder',
      `data.mdb (${size} bytes) cannot be mapped: the process may take ${left} bytes more of address space (ulimit -v)`,
    )
  return 4096 * Math.floor(Math.min(Math.max(wanted, size), most) / 4096)
}

/** What the limit of this process leaves, where the system tells of one. */
const addressSpaceLeft = (): number => {
  try {
    const limit = /^Max address space +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    const taken = /^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return limit === undefined || taken === undefined ? Infinity : Math.max(0, Number(limit) - 1024 * Number(taken))
  } catch {
    return Infinity
  }
}
