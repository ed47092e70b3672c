import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { FixtureError } from '../host/block/json_field.ts'
import { readTar } from '../host/device/tar.ts'

/** A file of tests, on disk or inside an archive. */
export interface TestFile {
  readonly name: string
  readonly sizeBytes: number
  read(): string
}

/** Lists of tests that lie beside the tests. */
const INDEX = /(^|\/)index\.json$/i
const ARCHIVE = /\.(tar\.gz|tgz)$/

/**
 * The test files behind paths: JSON files, `.tar.gz` archives of them, and folders of either, in the order of their names.
 * Throws FixtureError for a path that is not there and for an archive that cannot be read.
 */
export const testFiles = (paths: readonly string[]): TestFile[] => paths.flatMap((path) => filesAt(path, true))

const filesAt = (path: string, named: boolean): TestFile[] => {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new FixtureError(path, '', 'cannot be read (ENOENT)')
  if (stat.isDirectory()) {
    const found = readdirSync(path)
      .sort()
      .flatMap((name) => filesAt(join(path, name), false))
    if (named && found.length === 0) {
      throw new FixtureError(path, '', 'expected *.json or *.tar.gz in this folder, found none')
    }
    return found
  }
  if (ARCHIVE.test(path)) return archived(path)
  if (!named && (!path.endsWith('.json') || INDEX.test(path))) return []
  return [{ name: path, sizeBytes: stat.size, read: () => readFileSync(path, 'utf8') }]
}

const archived = (path: string): TestFile[] => {
  let entries: ReturnType<typeof readTar>
  try {
    entries = readTar(gunzipSync(readFileSync(path)))
  } catch (thrown) {
    throw new FixtureError(path, '', `expected a whole .tar.gz archive: ${(thrown as Error).message}`)
  }
  return entries
    .filter((entry) => entry.path.endsWith('.json') && !INDEX.test(entry.path))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path: inner, bytes }) => ({
      name: `${path}/${inner}`,
      sizeBytes: bytes.length,
      read: () => new TextDecoder().decode(bytes),
    }))
}
