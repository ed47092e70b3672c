import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PRELUDE } from '../../kernels/linked.generated.ts'
import { PART_COMPILE_MS } from '../../transpiler/emit/parts.ts'
import { transpilePath } from '../../transpiler/transpile.ts'
import { NullDevice } from '../fixtures/null_device.ts'
import { randomLane } from '../fixtures/random_lanes.ts'
import { Random, randomProgram, sourceOf } from '../fixtures/random_programs.ts'
import { recordState } from '../fixtures/world.ts'

const RUNS = Number(process.env['WGEVM_RUNS'] ?? 40)
const FIRST_SEED = Number(process.env['WGEVM_SEED'] ?? 1)

describe('emitted WGSL', () => {
  let device: NullDevice
  beforeAll(async () => {
    device = await NullDevice.open()
  })
  afterAll(() => {
    device.close()
  })

  test.each([PART_COMPILE_MS, 1])(`is valid in parts of %d ms for ${RUNS} random programs`, async (partCompileMs) => {
    let kernels = 0
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
      const program = randomProgram(new Random(seed))
      const lane = randomLane(new Random(seed ^ 0x1a9e5), program)
      const result = await transpilePath(lane.transaction, recordState(lane.world, lane.transaction.fork), {
        partCompileMs,
      })
      if (result.kind === 'unsupported') continue
      kernels++
      const { parts, entryPoint } = result.kernel
      const wrong: string[] = []
      for (const part of parts) wrong.push(...(await device.validate(`${PRELUDE}\n${part}`, entryPoint)))
      if (wrong.length > 0) {
        const sources = program.contracts.map((contract, i) => `contract ${i}:\n${sourceOf(contract)}`).join('\n')
        expect.fail(`seed ${seed}: ${wrong.join('\n')}\n${sources}\n${parts.join('\n')}`)
      }
    }
    expect(kernels).toBeGreaterThan(RUNS / 3)
  })
})
