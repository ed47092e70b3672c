import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { EXIT_CODES } from '../../cli/exit_codes.ts'
import { readBlockFixture } from '../../conformance/block_fixture.ts'
import { readJsonFile } from '../../conformance/json_file.ts'
import { readProgram } from '../../conformance/program_file.ts'

const DOC = fileURLToPath(new URL('../../docs/formats.md', import.meta.url))
const DATA = fileURLToPath(new URL('../../examples/data/', import.meta.url))
const doc = readFileSync(DOC, 'utf8')
/** Names in backticks in the first column of the table under a heading. */
const fieldsOf = (heading: string): string[] => {
  const section = doc.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!
  return [...section.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
  )
}

describe('docs/formats.md', () => {
  test('has the exit codes that --help prints', () => {
    const rows = [...doc.matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, code, meaning]) => [Number(code), meaning])
    expect(rows).toEqual(EXIT_CODES)
  })

  test('names every field of the fixture and of the program in examples/data, which can be read', () => {
    const [block, program] = ['mainnet-1150000.json.gz', 'erc20.json.gz'].map((name) => join(DATA, name))
    expect(readBlockFixture(block!).transactions).toHaveLength(9)
    expect(readProgram(program!).calls.length).toBeGreaterThan(1)
    const keys = (file: string) => Object.keys(readJsonFile(file, '').value as object)
    expect(fieldsOf('Block fixtures').sort()).toEqual(keys(block!).sort())
    expect(fieldsOf('Programs')).toEqual(expect.arrayContaining(keys(program!)))
  })

  test('links to files that are there', () => {
    const links = [...doc.matchAll(/\]\((\.\.\/[^)]+)\)/g)].map(([, path]) => path!)
    expect(links.length).toBeGreaterThan(6)
    for (const path of links) expect(existsSync(join(dirname(DOC), path)), path).toBe(true)
  })
})
