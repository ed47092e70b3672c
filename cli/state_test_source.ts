import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { FixtureError } from '../conformance/json_field.ts'
import { readTextFile, textOfBytes } from '../conformance/json_file.ts'
import { readTar } from '../host/device/tar.ts'

/** A file of tests, on disk or inside an archive. */
export interface TestFile {
  readonly name: string
  /** The file on disk, which is the archive of one that lies in an archive. */
  readonly path: string
  readonly sizeBytes: number
  /** Throws FixtureError. */
  read(): string
}

const TESTS = /\.json(\.gz)?$/
/** Lists of tests that lie beside the tests. */
const INDEX = /(^|\/)index\.json(\.gz)?$/i
const EXPECTATION = 'JSON of state tests or block tests'
const ARCHIVE = /\.(tar\.gz|tgz)$/

/**
 * The test files at paths: JSON files, gzip of them, `.tar.gz` archives, and folders of these, in the order of their
 * names. Throws FixtureError for a path that is not there and for an archive that cannot be read.
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
  if (!named && (!TESTS.test(path) || INDEX.test(path))) return []
  return [{ name: path, path, sizeBytes: stat.size, read: () => readTextFile(path, EXPECTATION) }]
}

const archived = (path: string): TestFile[] => {
  let entries: ReturnType<typeof readTar>
  try {
    entries = readTar(gunzipSync(readFileSync(path)))
  } catch (thrown) {
    throw new FixtureError(path, '', `expected a whole .tar.gz archive: ${(thrown as Error).message}`)
  }
  return entries
    .filter((entry) => TESTS.test(entry.path) && !INDEX.test(entry.path))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path: inner, bytes }) => {
      const name = `${path}/${inner}`
      return { name, path, sizeBytes: bytes.length, read: () => textOfBytes(name, bytes, EXPECTATION) }
    })
}
