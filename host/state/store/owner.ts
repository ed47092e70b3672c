import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { checkHead } from './data_file.ts'
import { StoreError } from './store_error.ts'

/**
 * Which process has a folder, in its file `owner`: process id, the time at which it started, the boot of the machine,
 * its name. A process that was killed leaves the file; it counts while that process lives.
 */
interface Owner {
  readonly pid: number
  /** Clock ticks since the boot, where the system tells them: a later process may have the same id. */
  readonly started: string
  readonly boot: string
  readonly host: string
}

const OWNER = 'owner'

/** What has a write lock of LMDB, which the system frees when a process dies. */
type Open = typeof import('lmdb').open

/**
 * Takes a folder for this process. The write lock of an empty database beside it keeps two from doing so at once.
 * Throws StoreError where another process has the folder, or this one already.
 */
export const claimFolder = async (folder: string, open: Open): Promise<void> => {
  checkHead(folder, 'claim.mdb')
  const lock = open({ path: join(folder, 'claim.mdb'), noSubdir: true, overlappingSync: false })
  try {
    lock.transactionSync(() => {
      refuseOwner(folder)
      const path = join(folder, OWNER)
      const whole = `${path}.${process.pid}`
      writeFileSync(whole, JSON.stringify(ownerOf(process.pid)))
      renameSync(whole, path)
    })
  } finally {
    await lock.close()
  }
}

/** Throws StoreError where a process that lives has the folder. */
const refuseOwner = (folder: string): void => {
  const owner = readOwner(folder)
  if (owner === undefined || !isAlive(owner)) return
  const here = owner.host === hostname()
  const who =
    here && owner.pid === process.pid ? 'this process' : `process ${owner.pid}${here ? '' : ` on ${owner.host}`}`
  const way = here ? '' : `; where that has ended, remove ${join(folder, OWNER)}`
  throw new StoreError(folder, 'inUse', `is in use by ${who}${way}`)
}

/** Gives the folder back. */
export const releaseFolder = (folder: string): void => {
  if (readOwner(folder)?.pid === process.pid) rmSync(join(folder, OWNER), { force: true })
}

const readOwner = (folder: string): Owner | undefined => {
  try {
    return JSON.parse(readFileSync(join(folder, OWNER), 'utf8')) as Owner
  } catch {
    // None, or one that a loss of power left empty.
    return undefined
  }
}

const isAlive = (owner: Owner): boolean => {
  const boot = bootOf()
  if (owner.host !== hostname()) return boot === owner.boot || boot === ''
  if (boot !== owner.boot) return false
  try {
    process.kill(owner.pid, 0)
  } catch (thrown) {
    // EPERM: it lives, as another user.
    if ((thrown as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return startOf(owner.pid) === owner.started
}

const ownerOf = (pid: number): Owner => ({ pid, started: startOf(pid), boot: bootOf(), host: hostname() })

/**
 * Field 22 of /proc/PID/stat; the name in field 2 may hold anything, and ends with the last bracket. A zombie (state Z
 * in field 3) runs no more.
 */
const startOf = (pid: number): string => {
  const stat = textOf(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '')
}

const bootOf = (): string => textOf('/proc/sys/kernel/random/boot_id').trim()

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
