import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { parseStateTests, type StateTestEntry } from '../../host/block/state_test.ts'
import { openDevice } from '../../host/device/device.ts'
import { readTar } from '../../host/device/tar.ts'
import { StateTestRunner } from '../../host/execute/run_state_test.ts'

/** All of the Ethereum state tests that the project is measured by, outside of it; its README names the form. */
const ARCHIVE = new URL('../../../shared/data/state-tests/state-tests.tar.gz', import.meta.url)
const SEED = Number(process.env['WGEVM_SEED'] ?? 1)
/** Tests of millions of steps are in larger files; `npm run test:full` runs them. */
const LARGEST_BYTES = 150_000

/** Test files by folder. */
const readFolders = (): Map<string, { readonly path: string; readonly bytes: Uint8Array }[]> => {
  const folders = new Map<string, { readonly path: string; readonly bytes: Uint8Array }[]>()
  if (!existsSync(ARCHIVE)) return folders
  for (const file of readTar(gunzipSync(readFileSync(ARCHIVE)))) {
    if (!file.path.endsWith('.json') || /(^|\/)index\.json$/i.test(file.path) || file.bytes.length > LARGEST_BYTES)
      continue
    const folder = file.path.slice(0, file.path.lastIndexOf('/'))
    folders.set(folder, [...(folders.get(folder) ?? []), file])
  }
  return folders
}

const folders = readFolders()

/** One file of each folder, and up to `count` entries of it, drawn by the seed. */
const sample = (names: readonly string[], count: number, stream: string): StateTestEntry[] => {
  const random = createRandom(SEED, stream)
  return names.flatMap((name) => {
    const files = folders.get(name)!
    const { path, bytes } = files[random.below(files.length)]!
    const entries = parseStateTests(path, new TextDecoder().decode(bytes))
    return Array.from({ length: Math.min(count, entries.length) }, () => entries[random.below(entries.length)]!)
  })
}

const SLOW = /TimeConsuming|QuadraticComplexity|RecursiveCreate|frontier\/create/

describe.skipIf(folders.size === 0)(
  `Ethereum state tests, a sample of every folder by seed ${SEED} (skipped where ../shared/data/state-tests is absent)`,
  () => {
    const names = [...folders.keys()].sort()
    const runner = new StateTestRunner()
    afterAll(() => runner.close())

    it('pass on the CPU tier and as transfers', async () => {
      expect(names.length).toBeGreaterThan(150)
      for (const entry of sample(names, 1, 'cpu')) {
        const { pass, error } = await runner.run(entry)
        expect(pass, `${entry.file} ${entry.name} ${entry.forkName} ${JSON.stringify(entry.indexes)}: ${error}`).toBe(
          true,
        )
      }
    }, 60_000)

    it('pass on the device, where every path is recorded and run at once', async () => {
      const random = createRandom(SEED, 'folders')
      const quick = names.filter((name) => !SLOW.test(name))
      const drawn = Array.from({ length: 40 }, () => quick[random.below(quick.length)]!)
      const device = await openDevice()
      const onDevice = new StateTestRunner({
        device,
        recordFrom: 1,
        compile: 'wait',
        kernels: 'never',
        waves: 'always',
      })
      let programs = 0
      for (const entry of sample(drawn, 1, 'device')) {
        const { pass, error, tier } = await onDevice.run(entry)
        if (tier === 'pathProgram') programs++
        expect(pass, `${entry.file} ${entry.name} ${entry.forkName} ${JSON.stringify(entry.indexes)}: ${error}`).toBe(
          true,
        )
      }
      onDevice.close()
      device.destroy()
      expect(programs).toBeGreaterThan(5)
    }, 120_000)
  },
)
