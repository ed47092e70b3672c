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

  const first = () => witnessOf(ALL.find((name) => name.includes('26207960'))!)

  test('26207960 has its hash in workers', async () => {
    const { built, difference } = await runOpWitness(first(), { workers: 1 })
    expect(difference).toBeUndefined()
    expect(built.execution.tiers.cpu).toBeGreaterThan(0)
  })

  test('26207960 has its hash, built on the lane VM and executed as path programs', async () => {
    const vm: WitnessOptions = { device, workers: 0, paths: 'never', laneVm: 'always', compile: 'wait' }
    const kernels = { kernels: 'never', recordFrom: 1, laneVm: 'never', waves: 'always', compile: 'wait' } as const
    const { built, difference, again } = await runOpWitness(first(), vm, { device, workers: 0, ...kernels })
    expect(difference).toBeUndefined()
    expect(built.execution.tiers.laneVm).toBeGreaterThan(0)
    expect(again!.tiers.pathProgram).toBeGreaterThan(0)
  })

  test('is another block where the witness or an attribute is another', async () => {
    const witness = witnessOf(ALL[0]!)
    const other = { ...witness, attributes: { ...witness.attributes, eip1559Params: '0x000000fa00000007' } }
    expect((await runOpWitness(other, { workers: 0 })).difference).toContain('hash is')
  })
})
