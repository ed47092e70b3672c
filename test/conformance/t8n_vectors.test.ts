import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readTar } from '../../host/device/tar.ts'
import { runEvm } from '../fixtures/evm_tool.ts'

/** go-ethereum's own cases of `evm t8n`: arguments, exit code, and what stdout must hold as JSON. */
interface Vector {
  readonly args: readonly string[]
  readonly exit: number
  /** A file beside the inputs; null where stdout says nothing. */
  readonly stdout: string | null
}

const DATA = process.env['WGEVM_DATA'] ?? join(import.meta.dirname, '../../../shared/data')
const ARCHIVE = join(DATA, 't8n/geth_t8n_vectors.tar.gz')
const isThere = existsSync(ARCHIVE)
const files = isThere ? readTar(gunzipSync(readFileSync(ARCHIVE))) : []
const vectors = files
  .filter(({ path }) => path.endsWith('vectors.json'))
  .flatMap(({ bytes }) => (JSON.parse(new TextDecoder().decode(bytes)) as { vectors: readonly Vector[] }).vectors)
const title = ({ args }: Vector): string => args.filter((arg) => /\/|^[A-Z]/.test(arg)).join(' ')

describe.skipIf(!isThere)("go-ethereum's t8n vectors (skipped where ../shared/data/t8n is absent)", () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wgevm-t8n-'))
    for (const { path, bytes } of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), bytes)
    }
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('are 23', () => expect(vectors).toHaveLength(23))

  test.each(vectors.map((vector, n) => [`${n} ${title(vector)}`, vector] as const))('%s', async (_, vector) => {
    const args = vector.args.map((arg) => (/^\d+\//.test(arg) ? join(folder, arg) : arg))
    const { exitCode, stdout, stderr } = await runEvm(args)
    expect(exitCode, stderr).toBe(vector.exit)
    if (vector.exit !== 0) expect(stderr).toMatch(new RegExp(`^ERROR\\(${vector.exit}\\): .+\n$`))
    if (vector.stdout === null) expect(stdout).toBe('')
    else expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(join(folder, vector.stdout), 'utf8')))
  })
})
