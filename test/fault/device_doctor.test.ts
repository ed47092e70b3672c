import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ADAPTERS } from '../kernel/rig.ts'

const ROOT = resolve(import.meta.dirname, '../..')

const wgevm = (args: readonly string[], env: Record<string, string | undefined> = {}) => {
  const command = ['--import', 'tsx', 'cli/main.ts', ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    timeout: 120_000,
  })
  // Dawn and the Vulkan loader write warnings of their own to stderr.
  const errors = stderr
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('wgevm:') || /^\s+at .*\.ts/.test(line))
  return { status, output: stdout.toString(), errors }
}

describe('wgevm doctor', () => {
  test.each(ADAPTERS)('on %s prints the adapter and verified rates as JSON', (adapter) => {
    const { status, output } = wgevm(['doctor', '--json', '--adapter', adapter])
    const diagnosis = JSON.parse(output)
    expect(status).toBe(0)
    expect(diagnosis.chosen).toMatchObject({ kind: adapter, accepted: true, reason: `asked for: ${adapter}` })
    expect(diagnosis.adapters).toContainEqual(expect.objectContaining({ kind: adapter, accepted: true }))
    expect(diagnosis.limits.maxStorageBufferBindingSize).toBeGreaterThan(0)
    for (const rate of diagnosis.rates) {
      expect(rate.perSecond).toBeGreaterThan(0)
      expect(rate.verifiedLanes).toBe(4)
    }
    expect(diagnosis.rates).toHaveLength(2)
    const { library, forms, choices, faults } = diagnosis.senders
    expect([library, faults, choices[0].from]).toEqual(['native', [], 1])
    expect(forms.map(({ form }: { form: string }) => form)).toEqual(
      availableParallelism() > 1 ? ['thread', 'workers'] : ['thread'],
    )
    for (const { rowUs } of forms) expect(rowUs).toBeGreaterThan(0)
  })

  describe.runIf(ADAPTERS.includes('lavapipe'))('of vectors on lavapipe', () => {
    const clean = { LP_NATIVE_VECTOR_WIDTH: undefined, MESA_GLSL_CACHE_DIR: undefined }
    let cache: string
    beforeEach(() => {
      cache = mkdtempSync(join(tmpdir(), 'wgevm-cache-'))
    })
    afterEach(() => rmSync(cache, { recursive: true }))
    const diagnosis = (width: string | undefined) => {
      const env = { ...clean, LP_NATIVE_VECTOR_WIDTH: width, MESA_SHADER_CACHE_DIR: cache }
      return JSON.parse(wgevm(['doctor', '--json', '--adapter', 'lavapipe'], env).output)
    }

    test.each([256, 512])(
      'of %d bits by the user computes right on as many, and leaves the cache where it is',
      (bits) => {
        const { chosen, vectors, rates } = diagnosis(String(bits))
        expect(chosen.name).toContain(`${bits}-bits`)
        expect(vectors).toEqual({ bits, reason: 'LP_NATIVE_VECTOR_WIDTH says so', isChosen: false })
        for (const rate of rates) expect(rate.verifiedLanes).toBe(4)
        expect(existsSync(join(cache, 'vectors-512'))).toBe(false)
      },
    )

    test('chosen here are those of the driver, with a shader cache of their own', () => {
      const { chosen, vectors } = diagnosis(undefined)
      expect(vectors.isChosen).toBe(/\bavx512f\b/.test(readFileSync('/proc/cpuinfo', 'utf8')))
      expect(chosen.name).toContain(vectors.isChosen ? '512-bits' : '-bits')
      expect(existsSync(join(cache, 'vectors-512', 'mesa_shader_cache_db'))).toBe(vectors.isChosen)
      expect(existsSync(join(cache, 'mesa_shader_cache_db'))).toBe(!vectors.isChosen)
    })
  })

  test('with an adapter that is not there says so in one line and exits with 2', () => {
    const { status, output, errors } = wgevm(['doctor', '--adapter', 'voodoo'])
    expect(status).toBe(2)
    expect(output).toBe('')
    expect(errors).toEqual([expect.stringMatching(/^wgevm: no adapter 'voodoo' here; /)])
  })

  test('takes the adapter of WGEVM_ADAPTER, and says where with --verbose', () => {
    const { status, errors } = wgevm(['doctor', '--verbose'], { WGEVM_ADAPTER: 'voodoo' })
    expect(status).toBe(2)
    expect(errors.join('\n')).toMatch(/host\/device\/adapter\.ts/)
  })

  test('with an option or a command that is not there says so in one line and exits with 2', () => {
    expect(wgevm(['doctor', '--colour'])).toMatchObject({ status: 2, errors: [expect.stringContaining('colour')] })
    expect(wgevm(['docter'])).toMatchObject({
      status: 2,
      errors: [expect.stringMatching(/^wgevm: unknown command 'docter'; there is .*doctor/)],
    })
  })

  test.runIf(process.platform === 'linux' && ADAPTERS.includes('swiftshader'))(
    'finds the bundled driver where the system has none',
    () => {
      const { status, output } = wgevm(['doctor', '--json'], { VK_DRIVER_FILES: '/nowhere.json', WGEVM_ADAPTER: '' })
      expect(status).toBe(0)
      const diagnosis = JSON.parse(output)
      expect(diagnosis.chosen).toMatchObject({ kind: 'swiftshader', reason: 'the best that answers' })
      expect(diagnosis.advice).not.toEqual([])
    },
  )
})
