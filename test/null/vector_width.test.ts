import { describe, expect, test } from 'vitest'
import { vectorWidth, type WidthFacts, wideCache } from '../../host/device/vector_width.ts'

const flags = (text: string): string => `processor\t: 0\nmodel name\t: some CPU\nflags\t\t: fpu ${text} sse2\n\n`
const WIDE: WidthFacts = { platform: 'linux', arch: 'x64', cpu: flags('avx2 avx512f avx512bw'), maps: 'libc.so.6\n' }

describe('the width of vectors', () => {
  test('is 512 bits on a CPU with AVX-512', () => {
    expect(vectorWidth({}, WIDE)).toEqual({ bits: 512, reason: 'the CPU has AVX-512', isChosen: true })
  })

  test.each([
    ['avx512f is not among the flags', { cpu: flags('avx2 avx512fp16_of_another_name') }, 'the CPU has no AVX-512'],
    ['avx512f is named elsewhere', { cpu: 'model name\t: avx512f\nflags\t\t: avx2\n' }, 'the CPU has no AVX-512'],
    ['there is no /proc', { cpu: '', maps: '' }, 'the CPU has no AVX-512'],
    ['the processor is another', { arch: 'arm64' as const }, 'only Linux on x64 has wider ones'],
    ['the system is another', { platform: 'win32' as const }, 'only Linux on x64 has wider ones'],
    ['the driver is loaded', { maps: 'r-xp /usr/lib/libvulkan_lvp.so\n' }, 'the driver was loaded before'],
  ])('is left to Mesa where %s', (_, facts, reason) => {
    expect(vectorWidth({}, { ...WIDE, ...facts })).toEqual({ bits: undefined, reason, isChosen: false })
  })

  test.each([
    ['256', 256],
    ['512', 512],
    ['1024', 1024],
    ['', undefined],
    ['wide', undefined],
  ])('is what the user says: %j', (given, bits) => {
    const said = { bits, reason: 'LP_NATIVE_VECTOR_WIDTH says so', isChosen: false }
    expect(vectorWidth({ LP_NATIVE_VECTOR_WIDTH: given }, WIDE)).toEqual(said)
    expect(vectorWidth({ LP_NATIVE_VECTOR_WIDTH: given, MESA_SHADER_CACHE_DIR: '/own' }, WIDE)).toEqual(said)
  })

  test('is known again in an environment that was widened, with the driver loaded', () => {
    const widened = { LP_NATIVE_VECTOR_WIDTH: '512', MESA_SHADER_CACHE_DIR: wideCache({}, '/home/u') }
    expect(vectorWidth(widened, { ...WIDE, maps: 'libvulkan_lvp.so' }).isChosen).toBe(true)
    expect(vectorWidth({ ...widened, LP_NATIVE_VECTOR_WIDTH: '256' }, WIDE).isChosen).toBe(false)
  })
})

describe('the shader cache of the chosen width', () => {
  test.each([
    [{}, '/home/u/.cache/mesa_shader_cache_db/vectors-512'],
    [{ XDG_CACHE_HOME: '/cache' }, '/cache/mesa_shader_cache_db/vectors-512'],
    [{ MESA_GLSL_CACHE_DIR: '/old' }, '/old/vectors-512'],
    [{ MESA_SHADER_CACHE_DIR: '/own', MESA_GLSL_CACHE_DIR: '/old', XDG_CACHE_HOME: '/cache' }, '/own/vectors-512'],
    [{ MESA_SHADER_CACHE_DIR: '/own/vectors-512' }, '/own/vectors-512'],
  ])('of %j is %s', (env, folder) => {
    expect(wideCache(env, '/home/u')).toBe(folder)
  })
})
