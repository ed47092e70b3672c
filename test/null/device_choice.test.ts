import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type AdapterReport,
  candidates,
  fits,
  kindOf,
  mesaReason,
  NoAdapterError,
  requestedKind,
} from '../../host/device/adapter.ts'
import {
  gpuFiles,
  type Manifest,
  manifestFolders,
  manifestKind,
  mesaVersion,
  mesaVersionIn,
  nvidiaEglVendor,
  systemManifests,
} from '../../host/device/manifest.ts'

const RADEON: Manifest = { path: '/icd.d/radeon_icd.json', library: 'libvulkan_radeon.so', kind: 'gpu' }
const NVIDIA: Manifest = { path: '/icd.d/nvidia_icd.json', library: 'libGLX_nvidia.so.0', kind: 'gpu' }
const LAVAPIPE: Manifest = { path: '/icd.d/lvp_icd.json', library: 'libvulkan_lvp.so', kind: 'lavapipe' }
const SWIFTSHADER: Manifest = { path: '/icd.d/vk_swiftshader_icd.json', library: 'libx.so', kind: 'swiftshader' }

const LLVMPIPE = {
  kind: 'lavapipe',
  name: 'llvmpipe-llvm-15-0-6-256-bits',
  driver: 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1',
  vendor: 'mesa',
} as const

describe('candidates', () => {
  test('are hardware as one, then lavapipe, system SwiftShader, bundled SwiftShader, whatever the order found', () => {
    const list = candidates('linux', [SWIFTSHADER, LAVAPIPE, RADEON, NVIDIA])
    expect(list.map(({ label }) => label)).toEqual([
      'hardware Vulkan driver',
      'system lavapipe',
      'system SwiftShader',
      'bundled SwiftShader',
    ])
    expect(list[0]!.manifests).toEqual([RADEON, NVIDIA])
  })

  test('with no manifest are the bundled driver alone', () => {
    expect(candidates('linux', [])).toEqual([
      { kind: 'swiftshader', label: 'bundled SwiftShader', manifests: 'bundled' },
    ])
  })

  test.each(['darwin', 'win32'] as const)('on %s are what the platform has', (platform) => {
    expect(candidates(platform, [LAVAPIPE])).toEqual([
      { kind: 'gpu', label: 'the GPU of this system', manifests: 'platform' },
    ])
  })
})

describe('a request', () => {
  test.each([
    ['GPU', 'gpu'],
    ['lavapipe', 'lavapipe'],
    ['SwiftShader', 'swiftshader'],
    ['llvmpipe', undefined],
    [undefined, undefined],
  ] as const)('%s asks for the kind %s', (request, kind) => {
    expect(requestedKind(request)).toBe(kind)
  })

  test.each([
    [undefined, true],
    ['lavapipe', true],
    ['LLVM', true],
    ['25.0', true],
    ['Mesa', true],
    ['swiftshader', false],
    ['gpu', false],
    ['radeon', false],
  ] as const)('%s fits lavapipe: %s', (request, expected) => {
    expect(fits(request, LLVMPIPE)).toBe(expected)
  })

  test('that is a kind is not looked for in names', () => {
    expect(fits('gpu', { ...LLVMPIPE, name: 'gpu of some vendor' })).toBe(false)
  })
})

describe('an adapter kind', () => {
  test.each([
    ['llvmpipe (LLVM 15.0.6, 256 bits)', 'lavapipe'],
    ['SwiftShader driver 5.0.0', 'swiftshader'],
    ['NVIDIA H200', 'gpu'],
  ] as const)('of %s is %s', (description, kind) => {
    expect(kindOf(description)).toBe(kind)
  })

  test.each([
    ['/usr/share/vulkan/icd.d/lvp_icd.x86_64.json', '/usr/lib64/libvulkan_lvp.so', 'lavapipe'],
    ['/opt/x.json', './libvk_swiftshader.so', 'swiftshader'],
    ['/etc/vulkan/icd.d/nvidia_icd.json', 'libGLX_nvidia.so.0', 'gpu'],
    ['/usr/share/vulkan/icd.d/intel_icd.json', 'libvulkan_intel.so', 'gpu'],
  ] as const)('of manifest %s is that of its driver', (path, library, kind) => {
    expect(manifestKind(path, library)).toBe(kind)
  })
})

describe('a refused lavapipe', () => {
  test('older than Mesa 24 is said to be too old, with the version that is needed', () => {
    expect(mesaReason('22.3.6')).toBe('Mesa 22.3.6 is too old: Dawn needs lavapipe from Mesa >= 24')
    expect(mesaReason('23.9.9')).toContain('too old')
  })

  test('of Mesa 24 or later is not called old', () => {
    expect(mesaReason('24.0.0')).toBe('Mesa 24.0.0 gives no device that Dawn accepts')
  })

  test('gives its version from the text that Mesa writes into the library', () => {
    expect(mesaVersionIn(Buffer.from('\0\x7fELF\0Mesa 22.3.6 (LLVM %s)\0'))).toBe('22.3.6')
    expect(mesaVersionIn(Buffer.from('Mesa-IR/SPIR-V Translator'))).toBeUndefined()
  })
})

describe('NoAdapterError', () => {
  const refused: AdapterReport = {
    kind: 'lavapipe',
    name: 'system lavapipe',
    driver: '',
    vendor: '',
    accepted: false,
    reason: mesaReason('22.3.6'),
  }
  const accepted: AdapterReport = { ...LLVMPIPE, accepted: true, reason: 'system lavapipe' }

  test('is one line that names the request, what is there and what was refused', () => {
    expect(new NoAdapterError('gpu', [refused, accepted]).message).toBe(
      "no adapter 'gpu' here; there is lavapipe (llvmpipe-llvm-15-0-6-256-bits); " +
        'refused: system lavapipe: Mesa 22.3.6 is too old: Dawn needs lavapipe from Mesa >= 24',
    )
  })

  test('without a request and without adapters says so', () => {
    expect(new NoAdapterError(undefined, []).message).toBe('no WebGPU adapter works here')
  })
})

describe('system manifests', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'wgevm-manifests-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const write = (path: string, text: string): string => {
    const file = join(root, path)
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, text)
    return file
  }
  const icd = (library: string) => JSON.stringify({ ICD: { library_path: library, api_version: '1.3.0' } })
  const only = (env: Record<string, string>): NodeJS.ProcessEnv => ({
    HOME: join(root, 'nobody'),
    XDG_CONFIG_DIRS: join(root, 'nothing'),
    XDG_DATA_DIRS: join(root, 'share'),
    ...env,
  })

  test('are the JSON files of the folders that the loader searches, in name order', () => {
    const second = write('share/vulkan/icd.d/lvp_icd.json', icd('libvulkan_lvp.so'))
    const first = write('share/vulkan/icd.d/a_icd.json', icd('liba.so'))
    write('share/vulkan/icd.d/readme.txt', 'no')
    const found = systemManifests(only({})).filter(({ path }) => path.startsWith(root))
    expect(found).toEqual([
      { path: first, library: 'liba.so', kind: 'gpu' },
      { path: second, library: 'libvulkan_lvp.so', kind: 'lavapipe' },
    ])
  })

  test('are those of VK_DRIVER_FILES alone when it is set, files and folders', () => {
    write('share/vulkan/icd.d/lvp_icd.json', icd('libvulkan_lvp.so'))
    const file = write('own/x.json', icd('libx.so'))
    const inFolder = write('folder/y.json', icd('liby.so'))
    const given = `${file}:${join(root, 'folder')}:${join(root, 'missing.json')}`
    expect(systemManifests(only({ VK_DRIVER_FILES: given })).map(({ path }) => path)).toEqual([file, inFolder])
  })

  test('fall back to VK_ICD_FILENAMES, the older name', () => {
    const file = write('own/x.json', icd('libx.so'))
    expect(systemManifests(only({ VK_ICD_FILENAMES: file })).map(({ path }) => path)).toEqual([file])
  })

  test('that cannot be read are skipped', () => {
    const broken = write('own/broken.json', '{"ICD":')
    const empty = write('own/empty.json', '{}')
    expect(systemManifests(only({ VK_DRIVER_FILES: `${broken}:${empty}` }))).toEqual([])
  })

  test('are searched in the configuration before the data folders', () => {
    const folders = manifestFolders({ HOME: '/h', XDG_DATA_DIRS: '/d1:/d2' })
    expect(folders[0]).toBe('/h/.config/vulkan/icd.d')
    expect(folders.indexOf('/etc/vulkan/icd.d')).toBeLessThan(folders.indexOf('/h/.local/share/vulkan/icd.d'))
    expect(folders.slice(-3, -1)).toEqual(['/d1/vulkan/icd.d', '/d2/vulkan/icd.d'])
  })

  test("and the EGL vendor file of NVIDIA's containers are found where no other place has one", () => {
    const root = '/usr/local/nvidia/share'
    expect(manifestFolders({ HOME: '/h' }).at(-1)).toBe(`${root}/vulkan/icd.d`)
    const vendor = 'glvnd/egl_vendor.d/10_nvidia.json'
    const among = (files: readonly string[], env = {}) => nvidiaEglVendor(env, (path) => files.includes(path))
    expect(among([`${root}/${vendor}`])).toBe(`${root}/${vendor}`)
    expect(among([])).toBeUndefined()
    expect(among([`${root}/${vendor}`, `/usr/share/${vendor}`])).toBeUndefined()
    expect(among([`${root}/${vendor}`], { __EGL_VENDOR_LIBRARY_FILENAMES: '/own.json' })).toBeUndefined()
  })

  test('find the Mesa version of a library given relative to the manifest', () => {
    const path = write('own/lvp_icd.json', icd('./libvulkan_lvp.so'))
    write('own/libvulkan_lvp.so', 'xxMesa 23.2.1-1ubuntu3 (LLVM')
    expect(mesaVersion({ path, library: './libvulkan_lvp.so', kind: 'lavapipe' })).toBe('23.2.1')
    expect(mesaVersion({ path, library: './gone.so', kind: 'lavapipe' })).toBeUndefined()
  })

  test('GPU device files are render nodes and vendor nodes, nothing else in /dev', () => {
    write('dev/dri/renderD128', '')
    write('dev/dri/card0', '')
    write('dev/nvidia0', '')
    write('dev/nvidiactl', '')
    write('dev/null', '')
    expect(gpuFiles(join(root, 'dev'))).toEqual([join(root, 'dev/nvidia0'), join(root, 'dev/dri/renderD128')])
    expect(gpuFiles(join(root, 'nothing'))).toEqual([])
  })
})
