import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { FixtureError } from '../conformance/json_field.ts'

/** Files as they are, folders as their `*.json` and `*.json.gz` but for an index, by number where names have one. */
export const fixtureFiles = (inputs: readonly string[]): readonly string[] =>
  inputs.flatMap((input) => {
    if (!existsSync(input) || !statSync(input).isDirectory()) return [input]
    const files = readdirSync(input)
      .filter((name) => /\.json(\.gz)?$/.test(name) && name !== 'index.json')
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    if (files.length === 0) throw new FixtureError(input, '', 'expected *.json or *.json.gz in this folder, found none')
    return files.map((name) => join(input, name))
  })
