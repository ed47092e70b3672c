import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path'

/**
 * `gpu` drives hardware; the other two are software.
 *
 * Example: {@link openDevice}.
 */
export type AdapterKind = 'gpu' | 'lavapipe' | 'swiftshader'

/** A Vulkan driver manifest (`*_icd.json`) of the system. @internal */
export interface Manifest {
  readonly path: string
  readonly kind: AdapterKind
  /** `library_path` as the manifest has it: a file name, or a path. */
  readonly library: string
}

/** Where container runtimes mount NVIDIA's driver; the loader does not look there. */
const NVIDIA_ROOT = '/usr/local/nvidia/share'

/**
 * NVIDIA's EGL vendor file in such a container, without which its Vulkan driver finds no display library; undefined
 * where another folder has one, or the user names them.
 */
export const nvidiaEglVendor = (
  env: NodeJS.ProcessEnv = process.env,
  exists: (path: string) => boolean = existsSync,
): string | undefined => {
  if (env['__EGL_VENDOR_LIBRARY_FILENAMES'] || env['__EGL_VENDOR_LIBRARY_DIRS']) return undefined
  const fileOf = (root: string): string => join(root, 'glvnd', 'egl_vendor.d', '10_nvidia.json')
  if (['/etc', '/usr/share'].some((root) => exists(fileOf(root)))) return undefined
  return exists(fileOf(NVIDIA_ROOT)) ? fileOf(NVIDIA_ROOT) : undefined
}

/**
 * The folders where the Vulkan loader looks for driver manifests on Linux, in its order
 * (Vulkan-Loader, LoaderDriverInterface.md, "Driver Discovery on Linux"), and the one of NVIDIA's containers.
 *
 * @internal
 */
export const manifestFolders = (env: NodeJS.ProcessEnv = process.env): string[] => {
  const home = env['HOME'] || homedir()
  const roots = [
    env['XDG_CONFIG_HOME'] || join(home, '.config'),
    ...(env['XDG_CONFIG_DIRS'] || '/etc/xdg').split(delimiter),
    '/usr/local/etc',
    '/etc',
    env['XDG_DATA_HOME'] || join(home, '.local', 'share'),
    ...(env['XDG_DATA_DIRS'] || '/usr/local/share:/usr/share').split(delimiter),
    NVIDIA_ROOT,
  ]
  return [...new Set(roots.filter((root) => root !== '').map((root) => join(root, 'vulkan', 'icd.d')))]
}

/**
 * Manifests of the system. VK_DRIVER_FILES (VK_ICD_FILENAMES before loader 1.3.207) replaces the search, as in the
 * loader.
 *
 * @internal
 */
export const systemManifests = (env: NodeJS.ProcessEnv = process.env): Manifest[] => {
  const given = env['VK_DRIVER_FILES'] || env['VK_ICD_FILENAMES']
  const paths = given
    ? given.split(delimiter)
    : [...(env['VK_ADD_DRIVER_FILES'] || '').split(delimiter), ...manifestFolders(env)]
  return paths.filter((path) => path !== '').flatMap(manifestsAt)
}

const manifestsAt = (path: string): Manifest[] => {
  if (!existsSync(path)) return []
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => join(path, name))
    : [path]
  return files.flatMap((path) => {
    try {
      const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
      const library = (parsed as { ICD?: { library_path?: unknown } }).ICD?.library_path
      return typeof library === 'string' ? [{ path, library, kind: manifestKind(path, library) }] : []
    } catch {
      // The loader skips a manifest that it cannot read as well.
      return []
    }
  })
}

/** The kind of adapter a driver gives, by the names of its manifest and library. */
export const manifestKind = (path: string, library: string): AdapterKind => {
  const names = `${path} ${library}`.toLowerCase()
  if (/lvp_icd|libvulkan_lvp|lavapipe/.test(names)) return 'lavapipe'
  return names.includes('swiftshader') ? 'swiftshader' : 'gpu'
}

const LIBRARY_FOLDERS = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/lib/x86_64-linux-gnu',
  '/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
]

/**
 * The Mesa version a driver library was built from, as in `22.3.6`, or undefined where it cannot be found.
 *
 * @internal
 */
export const mesaVersion = (manifest: Manifest): string | undefined => {
  const { library, path } = manifest
  const files = isAbsolute(library)
    ? [library]
    : library.includes('/')
      ? [resolve(dirname(path), library)]
      : LIBRARY_FOLDERS.map((folder) => join(folder, library))
  const file = files.find((candidate) => existsSync(candidate))
  if (file === undefined) return undefined
  return mesaVersionIn(readFileSync(file))
}

/** Mesa writes `Mesa <version>` as its driver text into the library. @internal */
export const mesaVersionIn = (library: Uint8Array): string | undefined =>
  /Mesa (\d+\.\d+\.\d+)/.exec(
    Buffer.from(library.buffer, library.byteOffset, library.byteLength).toString('latin1'),
  )?.[1]

/** Device files through which a hardware GPU would be driven on Linux (DRM render nodes, NVIDIA, WSL, Adreno, Mali). */
export const gpuFiles = (root = '/dev'): string[] => [
  ...filesIn(root, /^(nvidia\d+|dxg|kgsl-3d0|mali\d+)$/),
  ...filesIn(join(root, 'dri'), /^renderD\d+$/),
]

const filesIn = (folder: string, pattern: RegExp): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => pattern.test(name))
        .map((name) => join(folder, name))
    : []
