import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'
import { makeFolder } from '../primitives/folder.ts'
import { readTar } from './tar.ts'

/** The software Vulkan driver that comes with the package, unpacked. */
export interface BundledDriver {
  /** Vulkan driver manifest, for VK_DRIVER_FILES. */
  readonly manifest: string
  /** A Vulkan loader, for systems without one. */
  readonly loader: string
}

export type BundledDriverResult = BundledDriver | { readonly missing: string }

const MANIFEST = 'vk_swiftshader_icd.json'
const DRIVER = 'libvk_swiftshader.so'
const LOADER = 'libvulkan.so.1'
/** What is unpacked of the archive. */
export const DRIVER_FILES: readonly string[] = [MANIFEST, DRIVER, LOADER]
/** Hashes of these files, beside them. */
const SUMS = 'SHA256SUMS'
/** The archive's name, here and in the package that it comes from: tar, compressed by brotli. */
export const ARCHIVE = 'swiftshader.tar.br'

/**
 * Finds the SwiftShader that comes with the package and unpacks it once into the user's cache folder (the temporary
 * folder where that is not writable). 1.8 MB of brotli, 7 MB unpacked, about 0.2 s the first time.
 * The folder appears by one rename, so a killed or a concurrent process leaves a whole folder or none.
 */
export const bundledSwiftShader = (): BundledDriverResult => {
  found ??= findBundled()
  return found
}

let found: BundledDriverResult | undefined

const findBundled = (): BundledDriverResult => {
  if (process.platform !== 'linux') return { missing: 'the bundled SwiftShader is for Linux only' }
  const archive = archivePath()
  if (archive === undefined) return { missing: 'no SwiftShader is bundled here' }
  const packed = readFileSync(archive)
  const name = `swiftshader-${sha256(packed).slice(0, 16)}`
  const reasons: string[] = []
  for (const root of cacheRoots()) {
    try {
      const folder = unpackOnce(packed, root, name)
      const machine = elfMachine(join(folder, DRIVER))
      if (machine !== process.arch) {
        return { missing: `the bundled SwiftShader is for ${machine}, this machine is ${process.arch}` }
      }
      return { manifest: join(folder, MANIFEST), loader: join(folder, LOADER) }
    } catch (thrown) {
      reasons.push(`${root}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    }
  }
  return { missing: `cannot unpack the bundled SwiftShader (${reasons.join('; ')})` }
}

/**
 * The archive of the package, which its build makes (scripts/build.ts); a checkout has that of its development
 * dependency.
 */
const archivePath = (): string | undefined => {
  const own = fileURLToPath(new URL(`./${ARCHIVE}`, import.meta.url))
  if (existsSync(own)) return own
  try {
    let folder = dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium'))
    while (dirname(folder) !== folder) {
      const archive = join(folder, 'bin', ARCHIVE)
      if (existsSync(archive)) return archive
      folder = dirname(folder)
    }
  } catch {
    // Not installed.
  }
  return undefined
}

/** Folders that may hold the driver, best first. */
export const cacheRoots = (env: NodeJS.ProcessEnv = process.env): string[] => {
  const own = env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache')
  return [join(own, 'wgevm'), join(tmpdir(), `wgevm-${process.getuid?.() ?? 0}`)]
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What SUMS has of a file, as sha256sum writes it. */
const sumLine = (file: string, bytes: Uint8Array): string => `${sha256(bytes)}  ${file}\n`

/** Whether all files are there as they were unpacked: 7 MB to hash, 10 ms, once in a process. */
const isIntact = (folder: string): boolean => {
  try {
    const found = DRIVER_FILES.map((file) => sumLine(file, readFileSync(join(folder, file)))).join('')
    return found === readFileSync(join(folder, SUMS), 'utf8')
  } catch {
    // A file is missing, or not readable.
    return false
  }
}

/**
 * The folder `root/name` with the driver's files, made from the archive if it is not there or is damaged: a file cut
 * short by a full disk would end the process inside of the Vulkan loader. Code is loaded from it, so a root that
 * another user owns or may write to is refused.
 */
export const unpackOnce = (packed: Uint8Array, root: string, name: string): string => {
  makeFolder(root)
  const owner = statSync(root)
  if (process.getuid !== undefined && owner.uid !== process.getuid()) throw new Error('owned by another user')
  if ((owner.mode & 0o022) !== 0) throw new Error('writable by other users')
  const folder = join(root, name)
  if (isIntact(folder)) return folder
  const partial = join(root, `.${name}-${process.pid}-${Date.now()}`)
  try {
    mkdirSync(partial, { mode: 0o700 })
    const entries = readTar(brotliDecompressSync(packed))
    let sums = ''
    for (const file of DRIVER_FILES) {
      const entry = entries.find(({ path }) => path === file || path === `./${file}`)
      if (entry === undefined) throw new Error(`the archive has no ${file}`)
      writeFileSync(join(partial, file), entry.bytes, { mode: entry.mode & 0o755 })
      sums += sumLine(file, entry.bytes)
    }
    writeFileSync(join(partial, SUMS), sums)
    // Another process may have made it whole meanwhile, and may be using it.
    if (!isIntact(folder)) rmSync(folder, { recursive: true, force: true })
    renameSync(partial, folder)
  } catch (thrown) {
    rmSync(partial, { recursive: true, force: true })
    if (!isIntact(folder)) throw thrown
  }
  return folder
}

/** The processor an ELF file is for, in Node's names (e_machine, ELF specification). */
const elfMachine = (file: string): string => {
  const machine = readFileSync(file).readUInt16LE(18)
  if (machine === 0x3e) return 'x64'
  return machine === 0xb7 ? 'arm64' : `ELF machine ${machine}`
}
