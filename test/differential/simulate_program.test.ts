import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { programText } from '../../bench/simulation/report_text.ts'
import { runProgram, SimulationMismatchError } from '../../bench/simulation/run_program.ts'
import { simulateCommand } from '../../cli/commands/simulate.ts'
import { type Program, readProgram } from '../../conformance/program_file.ts'
import { PROGRAM } from '../fixtures/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-simulate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'payments.json')
writeFileSync(file, JSON.stringify(PROGRAM))

describe('wgevm simulate', () => {
  test('varies callers, recipients and amounts, and verifies every lane', async () => {
    const report = await runProgram(readProgram(file), { lanes: 60, samples: 1, seed: 5, verify: 60 })
    expect(report.calls[0]!.varied.map(({ kind }) => kind)).toEqual(['person', 'person', 'amount'])
    expect(report.verified).toEqual({ lanes: 60, all: true })
    expect(report.status).toEqual({ success: 30, failure: 30, rejected: 0 })
    expect(report.serial.callsPerSecond).toBeGreaterThan(0)
    const text = programText(report)
    expect(text).toMatch(/verified all 60 lanes against @ethereumjs\/evm/)
    expect(text).toMatch(/pay: varies caller \(person\), word 0 \(person\), word 1 \(amount\)/)
  })

  test('says so where the file expects something else', async () => {
    const program = readProgram(file)
    const expectation = { status: 'success', gasUsed: 1n, output: undefined }
    const wrong: Program = { ...program, expected: [expectation, { ...expectation, status: 'revert' }] }
    const run = runProgram(wrong, { lanes: 2, samples: 1, seed: 1 })
    await expect(run).rejects.toThrow(SimulationMismatchError)
    await expect(run).rejects.toThrow(/payments, call 'pay': the file expects 1 gas/)
  })

  test('refuses what it cannot do before it does anything', async () => {
    const options = { program: file, samples: '1', seed: '1' }
    const run = async (change: Readonly<Record<string, string>>) =>
      simulateCommand.handler({ ...options, ...change } as never)
    await expect(run({ lanes: '0' })).rejects.toThrow(/--lanes takes a whole number from 1/)
    await expect(run({ samples: 'many' })).rejects.toThrow(/--samples takes a whole number/)
    await expect(run({ json: join(folder, 'absent', 'x.json') })).rejects.toThrow(/there is no folder/)
    await expect(run({ program: join(folder, 'absent.json') })).rejects.toThrow(/cannot be read/)
  })
})
