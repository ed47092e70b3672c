import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { readProgram } from '../../conformance/program_file.ts'
import { PROGRAM } from '../fixtures/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-program-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const written = (content: string | Uint8Array): string => {
  const file = join(folder, 'program.json')
  writeFileSync(file, content)
  return file
}
const withChange = (change: (program: typeof PROGRAM & Record<string, unknown>) => void): string => {
  const program = structuredClone(PROGRAM)
  change(program)
  return written(JSON.stringify(program))
}

describe('a program file', () => {
  test('is read as JSON and as gzip of it', () => {
    const plain = readProgram(written(JSON.stringify(PROGRAM)))
    expect(plain).toMatchObject({ name: 'payments', fork: 'osaka', chainId: 1n, env: { number: 1n } })
    expect(plain.calls[0]).toMatchObject({ label: 'pay', gas: 100_000n, value: 0n })
    expect(readProgram(written(gzipSync(JSON.stringify(PROGRAM))))).toEqual(plain)
  })

  test('is refused with file, field and expectation', () => {
    expect(() => readProgram(join(folder, 'absent.json'))).toThrow(/absent\.json: cannot be read \(ENOENT\)/)
    expect(() => readProgram(written('{'))).toThrow(/program\.json: expected a program file/)
    expect(() => readProgram(written('[]'))).toThrow(/expected a program file/)
    expect(() => readProgram(written(Buffer.from([0x1f, 0x8b, 0x08, 0])))).toThrow(/gzip data is damaged/)
    const refused: [(program: Record<string, unknown> & typeof PROGRAM) => void, RegExp][] = [
      [(program) => Object.assign(program, { fork: 'Atlantis' }), /: fork: expected the name of a fork/],
      [(program) => Object.assign(program, { calls: [] }), /: calls: expected at least one call/],
      [(program) => Object.assign(program.calls[0]!, { to: '0x12' }), /: calls\[0\]\.to: expected an address/],
      [(program) => Object.assign(program.calls[0]!, { data: '0x1' }), /: calls\[0\]\.data: expected bytes/],
      [(program) => Object.assign(program.env, { coinbase: 7 }), /: env\.coinbase: expected an address/],
      [(program) => Object.assign(program.pre, { '0x1': {} }), /: pre\.0x1: expected an address/],
      [(program) => Object.assign(program, { expected: [] }), /: expected: expected 2 results/],
      [(program) => Reflect.deleteProperty(program, 'pre'), /: pre: expected a program file/],
    ]
    for (const [change, message] of refused) expect(() => readProgram(withChange(change))).toThrow(message)
  })
})
