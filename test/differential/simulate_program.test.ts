import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { programText } from '../../bench/simulation/report_text.ts'
import { runProgram, SimulationMismatchError } from '../../bench/simulation/run_program.ts'
import { openBlockState } from '../../cli/block_state.ts'
import { simulateCommand } from '../../cli/commands/simulate.ts'
import { type Program, readProgram } from '../../conformance/program_file.ts'
import { openChain, parseGenesis } from '../../host/index.ts'
import { attributesAfter, builtGenesis } from '../fixtures/built_chain.ts'
import { PROGRAM } from '../fixtures/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-simulate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const paymentsFile = join(folder, 'payments.json')
writeFileSync(paymentsFile, JSON.stringify(PROGRAM))

describe('wgevm simulate', () => {
  test('varies callers, recipients and amounts, and verifies every lane', async () => {
    const report = await runProgram(readProgram(paymentsFile), { lanes: 60, samples: 1, seed: 5, verify: 60 })
    expect(report.calls[0]!.varied.map(({ kind }) => kind)).toEqual(['person', 'person', 'amount'])
    expect(report.verified).toEqual({ lanes: 60, all: true })
    expect(report.status).toEqual({ success: 30, failure: 30, rejected: 0 })
    expect(report.serial.callsPerSecond).toBeGreaterThan(0)
    const text = programText(report)
    expect(text).toMatch(/verified all 60 lanes against @ethereumjs\/evm/)
    expect(text).toMatch(/pay: varies caller \(person\), word 0 \(person\), word 1 \(amount\)/)
  })

  test('says so where the file expects something else', async () => {
    const program = readProgram(paymentsFile)
    const expectation = { status: 'success', gasUsed: 1n, output: undefined }
    const wrong: Program = { ...program, expected: [expectation, { ...expectation, status: 'revert' }] }
    const run = runProgram(wrong, { lanes: 2, samples: 1, seed: 1 })
    await expect(run).rejects.toThrow(SimulationMismatchError)
    await expect(run).rejects.toThrow(/payments, call 'pay': the file expects 1 gas/)
  })

  test('runs on the state after a block of a chain in a folder', async () => {
    const data = join(folder, 'data')
    const late = `0x${'77'.repeat(20)}`
    // Reverts unless that account has a balance.
    const code = `0x73${late.slice(2)}31601c575f5ffd5b00`
    const file = JSON.parse(builtGenesis()) as { alloc: object }
    const alloc = { ...file.alloc, [`0x${'c0'.repeat(20)}`]: { balance: '0x0', code } }
    const chain = await openChain({ path: data, genesis: parseGenesis(JSON.stringify({ ...file, alloc })) })
    const withdrawals = [{ index: 0n, validatorIndex: 0n, address: late, amount: 1n }]
    const attributes = { ...attributesAfter(chain.head.header, 1), withdrawals }
    const { hash } = await chain.build({ attributes, pool: [] })
    await chain.setHead({ head: hash })
    await chain.close()
    const call = {
      label: 'ask',
      from: `0x${'f0'.repeat(20)}`,
      to: `0x${'c0'.repeat(20)}`,
      data: '0x',
      value: 0n,
      gas: 100_000n,
    }
    const program: Program = { ...readProgram(paymentsFile), fork: 'london', pre: {}, calls: [call], expected: [] }
    const statusAt = async (block: bigint | undefined) => {
      const on = await openBlockState(data, block)
      try {
        expect(on.env.number).toBe(block ?? 1n)
        const { status, verified, fork } = await runProgram(program, { lanes: 20, samples: 1, seed: 1, verify: 20, on })
        return { ...status, verified: verified.lanes, fork }
      } finally {
        await on.close()
      }
    }
    expect(await statusAt(0n)).toEqual({ success: 0, failure: 20, rejected: 0, verified: 20, fork: 'osaka' })
    expect(await statusAt(undefined)).toEqual({ success: 20, failure: 0, rejected: 0, verified: 20, fork: 'osaka' })
    await expect(openBlockState(data, 2n)).rejects.toThrow(`--block 2: the chain in ${data} ends with block 1`)
  })

  test('refuses what it cannot do before it does anything', async () => {
    const options = { program: paymentsFile, samples: '1', seed: '1' }
    const run = async (change: Readonly<Record<string, string>>) =>
      simulateCommand.handler({ ...options, ...change } as never)
    await expect(run({ block: '1' })).rejects.toThrow('--block is for --data')
    await expect(run({ lanes: '0' })).rejects.toThrow(/--lanes takes a whole number from 1/)
    await expect(run({ samples: 'many' })).rejects.toThrow(/--samples takes a whole number/)
    await expect(run({ json: join(folder, 'absent', 'x.json') })).rejects.toThrow(/there is no folder/)
    await expect(run({ program: join(folder, 'absent.json') })).rejects.toThrow(/cannot be read/)
  })
})
