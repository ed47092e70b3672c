import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readOpWitness } from '../../conformance/op_witness.ts'
import { runOpWitness, type WitnessOptions } from '../../conformance/run_op_witness.ts'
import { type ComputeDevice, openDevice } from '../../host/index.ts'

const FOLDER = fileURLToPath(new URL('../../../shared/data/op-blocks/', import.meta.url))
const isThere = existsSync(FOLDER)
const ALL = isThere ? readdirSync(FOLDER).filter((name) => name.endsWith('.json.gz')) : []
/** The two that take a second or less; all with WGEVM_ALL_BLOCKS. */
const FILES = process.env['WGEVM_ALL_BLOCKS'] === undefined ? ALL.filter((name) => /0796[03]/.test(name)) : ALL
const witnessOf = (file: string) => readOpWitness(`${FOLDER}${file}`)

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

describe.skipIf(!isThere)('real blocks of OP Sepolia (skipped where ../shared/data/op-blocks is absent)', () => {
  test.each(FILES)('%s has its hash on the CPU tier, built and executed', async (file) => {
    expect((await runOpWitness(witnessOf(file), { workers: 0 })).difference).toBeUndefined()
  })

  test.each<[string, string, WitnessOptions]>([
    ['26207960 in workers', 'cpu', { workers: 1 }],
    ['26207960 on the lane VM', 'laneVm', { workers: 0, paths: 'never', laneVm: 'always', compile: 'wait' }],
    [
      '26207960 as path programs',
      'pathProgram',
      { workers: 0, kernels: 'never', recordFrom: 1, laneVm: 'never', waves: 'always', compile: 'wait' },
    ],
  ])('%s has its hash', async (_, tier, options) => {
    const file = ALL.find((name) => name.includes('26207960'))!
    const isOnDevice = tier !== 'cpu'
    const { built, difference } = await runOpWitness(witnessOf(file), { ...options, ...(isOnDevice ? { device } : {}) })
    expect(difference).toBeUndefined()
    expect(built.execution.tiers[tier as 'laneVm']).toBeGreaterThan(0)
  })

  test('is another block where the witness or an attribute is another', async () => {
    const witness = witnessOf(ALL[0]!)
    const other = { ...witness, attributes: { ...witness.attributes, eip1559Params: '0x000000fa00000007' } }
    expect((await runOpWitness(other, { workers: 0 })).difference).toContain('hash is')
  })
})
