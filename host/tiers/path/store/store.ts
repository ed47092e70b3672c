import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { PathKernel, PathKey } from '../../../../transpiler/path_kernel.ts'
import { cacheRoots } from '../../../device/swiftshader.ts'
import { makeFolder } from '../../../primitives/folder.ts'
import { decodePath, encodePath, pathKeyHash } from './file.ts'
import { transpilerVersion } from './version.ts'

/**
 * Recorded paths that outlive the process. Never fails: what cannot be read or written is not there.
 *
 * Example: {@link openPathStore}.
 */
export interface PathStore {
  /** The paths kept for this key. */
  load(key: PathKey): readonly PathKernel[]
  /** Keeps a path; written a moment later. */
  save(kernel: PathKernel): void
  /** Resolves when everything saved so far is written, or given up. */
  flush(): Promise<void>
}

/**
 * Options of `openPathStore`.
 *
 * @example
 * import type { PathStoreOptions } from 'wgevm'
 *
 * const options: PathStoreOptions = { folder: '/var/cache/wgevm', maxBytes: 2 ** 30, warn: console.error }
 * console.log(options.version) // undefined
 */
export interface PathStoreOptions {
  /** Default: `wgevm/paths` in the user's cache folder (XDG_CACHE_HOME, else ~/.cache). */
  readonly folder?: string
  /** Names the transpiler whose paths these are. Default: a hash of its files. */
  readonly version?: string
  /** Oldest paths go when the files of this version pass it. Default 64 MiB. */
  readonly maxBytes?: number
  /** Told the first thing that goes wrong, in one line. Default: a process warning. */
  readonly warn?: (text: string) => void
}

/**
 * A folder of paths: `<version>/<hash of the key>-<id of the path>.path` (host/tiers/path/store/file.ts). A file
 * appears by one rename and never changes, so any number of processes may read and write at once. The names are the
 * index; files are read when their key is asked for. The first write removes paths of other versions, but for the
 * newest of those.
 *
 * A path decides what a transaction does, so a folder that another user owns or may write to is not used.
 *
 * @example
 * import { createExecutor, MemoryState, openPathStore } from 'wgevm'
 *
 * const pathStore = openPathStore({ maxBytes: 16 * 2 ** 20 })
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState(), pathStore })
 * executor.close()
 * await pathStore.flush()
 */
export const openPathStore = (options: PathStoreOptions = {}): PathStore => new FolderStore(options)

const SUFFIX = '.path'
const VERSION = /^[0-9a-f]{16}$/
const NAME = /^([0-9a-f]{32})-([0-9a-f]+)\.path$/
const DEFAULT_BYTES = 64 << 20
/** Keys whose paths stay in memory; those of others are read from their files again. */
const MOST_LOADED = 1024
/** A path that takes more is not kept. */
const MOST_PATH_BYTES = 1 << 20
/** A path's age counts from its last use, to within this. */
const TOUCH_MS = 24 * 3_600_000
/** What a killed process left half-written goes after this. */
const STALE_MS = 3_600_000

class FolderStore implements PathStore {
  readonly #root: string
  readonly #version: string | undefined
  readonly #maxBytes: number
  readonly #warn: (text: string) => void
  #hasWarned = false
  /** File names by hash of the key; undefined until the folder was read. */
  #files: Map<string, string[]> | undefined
  readonly #loaded = new Map<string, readonly PathKernel[]>()
  readonly #known = new Set<string>()
  #queue: PathKernel[] = []
  #writing: Promise<void> | undefined
  #cannotWrite = false
  /** Bytes of this version; undefined until they were counted. */
  #bytes: number | undefined

  constructor({ folder, version, maxBytes, warn }: PathStoreOptions) {
    this.#root = folder ?? join(cacheRoots()[0]!, 'paths')
    this.#version = version ?? transpilerVersion()
    this.#maxBytes = maxBytes ?? DEFAULT_BYTES
    this.#warn = warn ?? ((text) => process.emitWarning(text))
  }

  load(key: PathKey): readonly PathKernel[] {
    const hash = pathKeyHash(key)
    const loaded = this.#loaded.get(hash)
    if (loaded !== undefined) return loaded
    const names = this.#index().get(hash) ?? []
    const kernels = names.flatMap((name) => this.#read(name, hash))
    this.#keep(hash, kernels)
    return kernels
  }

  /** In memory; the keys that came first go. */
  #keep(hash: string, kernels: readonly PathKernel[]): void {
    this.#loaded.delete(hash)
    this.#loaded.set(hash, kernels)
    for (const oldest of this.#loaded.keys()) {
      if (this.#loaded.size <= MOST_LOADED) break
      this.#loaded.delete(oldest)
    }
  }

  save(kernel: PathKernel): void {
    const hash = pathKeyHash(kernel.key)
    const name = fileName(hash, kernel)
    if (this.#known.has(name)) return
    this.#known.add(name)
    this.#keep(hash, [...this.load(kernel.key), kernel])
    if (this.#version === undefined || this.#cannotWrite) return
    this.#queue.push(kernel)
    this.#writing ??= this.#write()
  }

  async flush(): Promise<void> {
    await this.#writing
  }

  get #folder(): string {
    return join(this.#root, this.#version ?? '')
  }

  #index(): Map<string, string[]> {
    if (this.#files !== undefined) return this.#files
    const files = new Map<string, string[]>()
    this.#files = files
    if (this.#version === undefined || !existsSync(this.#folder)) return files
    try {
      assertOwn(this.#root)
      assertOwn(this.#folder)
      for (const name of readdirSync(this.#folder)) {
        const hash = NAME.exec(name)?.[1]
        if (hash === undefined) continue
        const list = files.get(hash)
        if (list === undefined) files.set(hash, [name])
        else list.push(name)
        this.#known.add(name)
      }
    } catch (thrown) {
      this.#cannotWrite = true
      this.#complain(this.#root, thrown)
    }
    return files
  }

  #read(name: string, hash: string): PathKernel[] {
    const file = join(this.#folder, name)
    try {
      const { size, mtimeMs } = statSync(file)
      if (size > MOST_PATH_BYTES) throw new Error('is too large for a recorded path')
      const kernel = decodePath(readFileSync(file), this.#version!)
      if (fileName(hash, kernel) !== name || pathKeyHash(kernel.key) !== hash)
        throw new Error('is not what its name says')
      const now = Date.now()
      if (now - mtimeMs > TOUCH_MS) utimesSync(file, now / 1000, now / 1000)
      return [kernel]
    } catch (thrown) {
      // Another process may have evicted it.
      if (!isMissing(thrown)) {
        this.#complain(file, thrown)
        this.#known.delete(name)
      }
      return []
    }
  }

  /** Writes what is queued, one file a turn of the event loop. */
  async #write(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      const kernel = this.#queue.shift()
      if (kernel === undefined) break
      try {
        this.#writeOne(kernel)
      } catch (thrown) {
        this.#cannotWrite = true
        this.#queue = []
        this.#complain(this.#folder, thrown)
      }
    }
    this.#writing = undefined
  }

  #writeOne(kernel: PathKernel): void {
    const folder = this.#folder
    if (this.#bytes === undefined) {
      makeFolder(folder)
      assertOwn(this.#root)
      assertOwn(folder)
      this.#bytes = this.#clean()
    }
    const bytes = encodePath(kernel, this.#version!)
    if (bytes.length > MOST_PATH_BYTES) return
    const hash = pathKeyHash(kernel.key)
    const name = fileName(hash, kernel)
    const partial = join(folder, `.${name}-${process.pid}-${Date.now()}`)
    // Another process may have removed the folder of this version.
    makeFolder(folder)
    try {
      writeFileSync(partial, bytes, { mode: 0o600 })
      renameSync(partial, join(folder, name))
    } catch (thrown) {
      rmSync(partial, { force: true })
      throw thrown
    }
    this.#index().set(hash, [...(this.#index().get(hash) ?? []), name])
    this.#bytes += bytes.length
    if (this.#bytes > this.#maxBytes) this.#bytes = this.#evict()
  }

  /** Removes other versions but the newest, and what was left half-written. Returns the bytes of this version. */
  #clean(): number {
    const others = filesOf(this.#root)
      .filter(({ file }) => VERSION.test(basename(file)) && basename(file) !== this.#version)
      .sort((a, b) => b.mtimeMs - a.mtimeMs)
    for (const { file } of others.slice(1)) rmSync(file, { recursive: true, force: true })
    let bytes = 0
    for (const { file, size, mtimeMs } of filesOf(this.#folder)) {
      if (file.endsWith(SUFFIX)) bytes += size
      else if (Date.now() - mtimeMs > STALE_MS) rmSync(file, { force: true })
    }
    return bytes
  }

  /** Removes the oldest paths down to three quarters of the bound. Returns the bytes that stay. */
  #evict(): number {
    const files = filesOf(this.#folder)
      .filter(({ file }) => file.endsWith(SUFFIX))
      .sort((a, b) => a.mtimeMs - b.mtimeMs)
    let bytes = files.reduce((sum, { size }) => sum + size, 0)
    for (const { file, size } of files) {
      if (bytes <= 0.75 * this.#maxBytes) break
      rmSync(file, { force: true })
      bytes -= size
      this.#drop(basename(file))
    }
    return bytes
  }

  /** A file that is not there any more. */
  #drop(name: string): void {
    this.#known.delete(name)
    const hash = NAME.exec(name)?.[1]
    const names = hash === undefined ? [] : (this.#index().get(hash) ?? []).filter((one) => one !== name)
    if (names.length === 0) this.#index().delete(hash ?? name)
    else this.#index().set(hash!, names)
  }

  #complain(place: string, thrown: unknown): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const text = thrown instanceof Error ? thrown.message.split('\n', 1)[0] : String(thrown)
    this.#warn(`path store: ${place}: ${text}; recorded paths that cannot be used are recorded again`)
  }
}

const fileName = (keyHash: string, { id }: PathKernel): string => `${keyHash}-${id}${SUFFIX}`

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'

const assertOwn = (folder: string): void => {
  const { uid, mode } = statSync(folder)
  if (process.getuid !== undefined && uid !== process.getuid()) throw new Error('owned by another user')
  if ((mode & 0o022) !== 0) throw new Error('writable by other users')
}

const filesOf = (folder: string): { file: string; size: number; mtimeMs: number }[] =>
  readdirSync(folder).flatMap((name) => {
    const file = join(folder, name)
    try {
      const { size, mtimeMs } = statSync(file)
      return [{ file, size, mtimeMs }]
    } catch {
      return []
    }
  })
