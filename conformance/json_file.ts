import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { type At, FixtureError, parseJson } from './json_field.ts'

/**
 * The text of a file, unpacked where it is gzip, whatever its name. `expectation` says in messages what it should be.
 * Throws FixtureError.
 */
export const readTextFile = (file: string, expectation: string): string => {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(file)
  } catch (thrown) {
    throw new FixtureError(file, '', `cannot be read (${(thrown as NodeJS.ErrnoException).code ?? String(thrown)})`)
  }
  return textOfBytes(file, bytes, expectation)
}

/** The same of bytes that were read already, as those of a file inside of an archive. */
export const textOfBytes = (file: string, bytes: Uint8Array, expectation: string): string => {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return new TextDecoder().decode(bytes)
  try {
    return new TextDecoder().decode(gunzipSync(bytes))
  } catch (thrown) {
    throw new FixtureError(file, '', `expected ${expectation}: the gzip data is damaged (${(thrown as Error).message})`)
  }
}

/** A JSON file, or gzip of one. Throws FixtureError. */
export const readJsonFile = (file: string, expectation: string): At =>
  parseJson(file, readTextFile(file, expectation), expectation)
