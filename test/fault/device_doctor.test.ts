import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ADAPTERS } from '../kernel/rig.ts'

const ROOT = resolve(import.meta.dirname, '../..')

const wgevm = (args: readonly string[], env: Record<string, string> = {}) => {
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
