import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename, join } from 'node:path'
import { makeFolder } from '../primitives/folder.ts'

/**
 * How wide the vectors of lavapipe are. Mesa takes the CPU's width up to 256 bits (8 lanes), or what
 * LP_NATIVE_VECTOR_WIDTH says. With 512 bits (16 lanes) multiplications are faster, and kernels compile two to six
 * times as long (docs/decisions/0033-vectors-of-512-bits.md).
 */
export interface VectorWidth {
  /** Undefined: Mesa's own choice. */
  readonly bits: number | undefined
  readonly reason: string
  /** Chosen here, not by Mesa or the user. */
  readonly isChosen: boolean
}

/** What of a machine and a process decides the width. */
export interface WidthFacts {
  readonly platform: NodeJS.Platform
  readonly arch: NodeJS.Architecture
  /** Text of /proc/cpuinfo. */
  readonly cpu: string
  /** Text of /proc/self/maps. */
  readonly maps: string
}

const WIDTH = 'LP_NATIVE_VECTOR_WIDTH'
const CACHE = 'MESA_SHADER_CACHE_DIR'
const WIDE_BITS = 512
const WIDE_FOLDER = `vectors-${WIDE_BITS}`
const DRIVER = 'libvulkan_lvp.so'

/**
 * The width for an environment. What the user said counts; a driver that is loaded has read its width already. An
 * environment that an earlier call, or a parent process, has widened is known by the folder of its cache.
 */
export const vectorWidth = (env: NodeJS.ProcessEnv, { platform, arch, cpu, maps }: WidthFacts): VectorWidth => {
  const given = env[WIDTH]
  if (given !== undefined) {
    if (given === String(WIDE_BITS) && basename(env[CACHE] ?? '') === WIDE_FOLDER) return CHOSEN
    return { bits: Number.parseInt(given, 10) || undefined, reason: `${WIDTH} says so`, isChosen: false }
  }
  const left = (reason: string): VectorWidth => ({ bits: undefined, reason, isChosen: false })
  if (platform !== 'linux' || arch !== 'x64') return left('only Linux on x64 has wider ones')
  if (!/^flags\s*:.*\bavx512f\b/m.test(cpu)) return left('the CPU has no AVX-512')
  return maps.includes(DRIVER) ? left('the driver was loaded before') : CHOSEN
}

const CHOSEN: VectorWidth = { bits: WIDE_BITS, reason: 'the CPU has AVX-512', isChosen: true }

/**
 * The folder of the shader cache for the chosen width, in the folder that the user named, else in Mesa's own
 * (src/util/disk_cache_os.c): Mesa's cache does not know for which width a kernel was compiled.
 */
export const wideCache = (env: NodeJS.ProcessEnv, home: string): string => {
  const named = env[CACHE] || env['MESA_GLSL_CACHE_DIR']
  const base = named || join(env['XDG_CACHE_HOME'] || join(home, '.cache'), 'mesa_shader_cache_db')
  return basename(base) === WIDE_FOLDER ? base : join(base, WIDE_FOLDER)
}

/**
 * Before lavapipe is loaded: sets the width and its shader cache in the environment of the process where the width is
 * chosen here. Both stay, since Mesa reads the folder when a device opens, and child processes take over both. Mesa
 * reads the environment of the process, which a worker thread without SHARE_ENV does not change.
 */
export const widenVectors = (): VectorWidth => {
  const width = machineWidth()
  if (!width.isChosen) return width
  const folder = wideCache(process.env, userInfo().homedir)
  process.env[WIDTH] = String(WIDE_BITS)
  process.env[CACHE] = folder
  try {
    makeFolder(folder)
  } catch {
    // Mesa, which makes only the last folder of a path, then has no cache on disk.
  }
  return width
}

/** The width that lavapipe has in this process, or will have. */
export const machineWidth = (): VectorWidth =>
  vectorWidth(process.env, {
    platform: process.platform,
    arch: process.arch,
    cpu: textOf('/proc/cpuinfo'),
    maps: textOf('/proc/self/maps'),
  })

const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // Not on Linux.
    return ''
  }
}
