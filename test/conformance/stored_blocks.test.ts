import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { forkOfBlockTest, readBlockTest } from '../../conformance/block_test.ts'
import { entriesOf, objectOf, parseJson } from '../../conformance/json_field.ts'
import { readTar } from '../../host/device/tar.ts'
import { runStoredBlockTest } from '../fixtures/stored_block_test.ts'

const DATA = new URL('../../../shared/data/', import.meta.url)
const ARCHIVES = ['state-tests/multi-tx-blocks.tar.gz', 'block-tests/block-tests.tar.gz']
const IS_WHOLE = process.env['WGEVM_ALL_BLOCKS'] === '1'
/** Files of an archive where not all are asked for, of each the first test; WGEVM_RUNS asks for more. */
const SAMPLE = Number(process.env['WGEVM_RUNS'] ?? 6)

describe.each(ARCHIVES)('block tests of %s through a store (skipped where they are absent)', (archive) => {
  const path = new URL(archive, DATA)
  test.skipIf(!existsSync(path))('pass as in memory', { timeout: 7_200_000 }, async () => {
    const files = readTar(gunzipSync(readFileSync(path))).filter((file) => file.path.endsWith('.json'))
    const every = IS_WHOLE ? 1 : Math.max(1, Math.floor(files.length / SAMPLE))
    const failures: string[] = []
    let count = 0
    for (const { path: file, bytes } of files.filter((_, n) => n % every === 0)) {
      const tests = entriesOf(objectOf(parseJson(file, Buffer.from(bytes).toString(), 'JSON of block tests')))
      const known = tests
        .map(([name, at]) => [name, objectOf(at)] as const)
        .filter(([, at]) => forkOfBlockTest(at).isKnown)
      for (const [name, at] of IS_WHOLE ? known : known.slice(0, 1)) {
        const folder = mkdtempSync(join(tmpdir(), 'wgevm-stored-'))
        const error = await runStoredBlockTest(readBlockTest(name, at), join(folder, 'data'))
        rmSync(folder, { recursive: true })
        if (error !== undefined) failures.push(`${file} ${name}: ${error}`)
        count++
      }
    }
    expect(failures).toEqual([])
    expect(count).toBeGreaterThan(3)
    if (every === 1) console.log(`${archive}: ${count} tests`)
  })
})
