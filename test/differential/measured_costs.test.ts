import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createBlock } from '@ethereumjs/block'
import { Common, Mainnet } from '@ethereumjs/common'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { createLegacyTx } from '@ethereumjs/tx'
import { createAccount, createAddressFromPrivateKey, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { createVM, runBlock } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Replayer } from '../../bench/replay.ts'
import { runReplay } from '../../bench/replay_session.ts'
import { silentProgress } from '../../bench/report/progress.ts'
import { runProgram, runProgramOn } from '../../bench/simulation/run_program.ts'
import { readBlockFixture } from '../../conformance/block_fixture.ts'
import { readProgram } from '../../conformance/program_file.ts'
import { type DeviceCosts, SOFTWARE_COSTS } from '../../host/batch/cost.ts'
import type { Command, RunOptions } from '../../host/device/compute_device.ts'
import { deviceCosts } from '../../host/flows/device_costs.ts'
import { type ComputeDevice, createGpuEvm, openDevice } from '../../host/index.ts'
import { PROGRAM } from '../fixtures/program.ts'

vi.mock('../../host/flows/device_costs.ts', async (original) => ({
  ...(await original<typeof import('../../host/flows/device_costs.ts')>()),
  deviceCosts: vi.fn(),
}))

const BLOCK = fileURLToPath(new URL('../file/blocks/made_up.json', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'wgevm-costs-'))
writeFileSync(join(folder, 'payments.json'), JSON.stringify(PROGRAM))
const program = readProgram(join(folder, 'payments.json'))

/** The built-in costs times `factor`, as what was measured on every device. */
const measuredAs = (factor: number): void => {
  const costs = Object.entries(SOFTWARE_COSTS).map(([name, us]) => [name, us * factor])
  vi.mocked(deviceCosts).mockResolvedValue(Object.fromEntries(costs) as unknown as DeviceCosts)
}

interface Watched {
  readonly device: ComputeDevice
  /** Runs that dispatch something, by whether they are timed. */
  readonly runs: { timed: number; untimed: number }
}

const watched = (target: ComputeDevice): Watched => {
  const runs = { timed: 0, untimed: 0 }
  const device = new Proxy(target, {
    get: (_, name) => {
      if (name === 'run')
        return (commands: readonly Command[], options: RunOptions = {}) => {
          if (commands.some(({ kind }) => kind === 'dispatch'))
            runs[options.timestamps === true ? 'timed' : 'untimed']++
          return target.run(commands, options)
        }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { device, runs }
}

let own: ComputeDevice
beforeAll(async () => {
  own = await openDevice()
})
afterAll(() => {
  own.destroy()
  rmSync(folder, { recursive: true })
})

/** One block of 40 calls that add to a slot of their caller each. */
const runUnderVm = async (device: ComputeDevice): Promise<void> => {
  const common = new Common({ chain: Mainnet, hardfork: 'prague' })
  const stateManager = new MerkleStateManager({ common, caches: new Caches() })
  const evm = await createGpuEvm({ common, stateManager, device, executor: { compile: 'wait', recordFrom: 1 } })
  const vm = await createVM({ common, stateManager, evm })
  const keys = Array.from({ length: 40 }, (_, n) => hexToBytes(`0x${(n + 1).toString(16).padStart(64, '0')}`))
  for (const key of keys)
    await stateManager.putAccount(createAddressFromPrivateKey(key), createAccount({ balance: 10n ** 18n }))
  const ledger = createAddressFromString(`0x${'1ed9'.repeat(10)}`)
  await stateManager.putAccount(ledger, createAccount({ nonce: 1n }))
  await stateManager.putCode(ledger, hexToBytes('0x600035335401335500'))
  const transactions = keys.map((key) =>
    createLegacyTx({ gasPrice: 10n, gasLimit: 100_000n, to: ledger, data: new Uint8Array(32) }, { common }).sign(key),
  )
  const header = { number: 1n, timestamp: 1n, gasLimit: 30_000_000n, baseFeePerGas: 7n }
  const block = createBlock({ header, transactions }, { common, skipConsensusFormatValidation: true })
  await runBlock(vm, { block, generate: true, skipHeaderValidation: true, skipBlockValidation: true })
  expect(evm.report).toMatchObject({ blocks: 1, served: 40, faults: [] })
  await evm.close()
}

const onDeviceIn = {
  replay: async () => {
    const options = { samples: 1, serial: false, keepPaths: false, merged: false, conflicts: false, workers: 0 }
    const { blocks } = await runReplay({
      ...options,
      files: [BLOCK],
      progress: silentProgress,
      onBlock: () => {},
      onMerged: () => {},
    })
    return blocks[0]!.tiers.pathProgram + blocks[0]!.tiers.laneVm
  },
  simulate: async () => {
    const { tiers } = await runProgram(program, { lanes: 60, samples: 1, seed: 5 })
    return tiers.pathKernel + tiers.pathProgram + tiers.laneVm
  },
  createGpuEvm: async () => {
    const { device, runs } = watched(own)
    await runUnderVm(device)
    return runs.untimed
  },
} as const

describe.each(Object.keys(onDeviceIn) as (keyof typeof onDeviceIn)[])('%s', (name) => {
  test('goes by the costs that were measured on its device', async () => {
    measuredAs(0)
    expect(await onDeviceIn[name]()).toBeGreaterThan(0)
    measuredAs(1e6)
    expect(await onDeviceIn[name]()).toBe(0)
  })
})

describe('the clock of the device', () => {
  const tiers = { laneVm: 'never', waves: 'always' } as const

  test('does not run in measured passes of a replay, and runs in one that is not', async () => {
    const { device, runs } = watched(own)
    const replayer = new Replayer({ device, samples: 2, serial: false, tiers, workers: 0 })
    const { replay } = await replayer.block(readBlockFixture(BLOCK))
    replayer.close()
    expect(runs.timed).toBeGreaterThan(0)
    expect(runs.untimed).toBeGreaterThan(runs.timed)
    const { totalMs, kernels } = replay.deviceTimes!
    expect(totalMs === undefined).toBe(!own.features.has('timestamp-query'))
    // Of one pass alone.
    if (totalMs !== undefined) expect(kernels['path programs']!.dispatches).toBeLessThan(runs.timed)
  })

  test('runs in one simulation of a program, which is no sample', async () => {
    const { device, runs } = watched(own)
    const report = await runProgramOn(device, program, { lanes: 60, samples: 2, seed: 5, tiers })
    expect(runs.untimed).toBeGreaterThan(runs.timed)
    expect(runs.timed).toBeGreaterThan(0)
    const { totalMs, kernels } = report.deviceTimes!
    if (totalMs === undefined) return
    expect(Object.values(kernels).reduce((sum, { dispatches }) => sum + dispatches, 0)).toBe(runs.timed)
  })
})
