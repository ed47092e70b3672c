import { afterAll, beforeAll, expect, test } from 'vitest'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import { openDevice } from '../../host/device/device.ts'
import { type ComputeDevice, createExecutor, type ExecutorOptions, MemoryState } from '../../host/index.ts'
import { wordToBigInt } from '../../host/primitives/word.ts'
import { limitedDevice } from '../fixtures/limited_device.ts'

/**
 * A tenth of them reach a new holder, so lanes miss; their keys are more than comes along with results unasked.
 */
const SIZE = 4200
const BLOCKS = 2

let device: ComputeDevice

beforeAll(async () => {
  device = await openDevice()
})

afterAll(() => device.destroy())

/** What successive blocks come to: gas, blooms, some logs, and every slot that the workload models. */
const outcomeOf = async (options: Partial<ExecutorOptions>) => {
  const workload = WORKLOADS.find(({ name }) => name === 'erc20-program')!
  const scenario = await workload.build({ fork: DEFAULT_FORK, size: SIZE, seed: 5, blocks: BLOCKS })
  const state = new MemoryState()
  state.commit(scenario.genesis)
  const { fork, chainId } = scenario
  const executor = createExecutor({ fork, chainId, state, recordFrom: 1, compile: 'wait', laneVm: 'never', ...options })
  const blocks = []
  for (let k = 0; k < BLOCKS; k++) {
    const block = scenario.next()
    const { receipts, tiers, faults, chunks } = await executor.execute({
      env: block.env,
      transactions: block.transactions,
    })
    expect(faults).toEqual([])
    const { count, addresses, keys, values } = block.expected
    const found = await state.readSlots(addresses, keys, count)
    const wrong = Array.from({ length: count }, (_, i) => i).filter(
      (i) => wordToBigInt(found, 8 * i) !== wordToBigInt(values, 8 * i),
    )
    expect(wrong.slice(0, 3)).toEqual([])
    const sampled = Array.from({ length: 20 }, (_, i) => receipts.logs((i * SIZE) / 20))
    blocks.push({ gas: receipts.cumulativeGasUsed, blooms: receipts.blooms(), logs: sampled, tiers, chunks })
  }
  executor.close()
  return blocks
}

test('programs give what own kernels give, on a device that cannot bind all lanes too', async () => {
  const own = await outcomeOf({ device, programs: 'never' })
  const programs = await outcomeOf({ device, kernels: 'never' })
  // The tables outgrow half of the limit, which is no multiple of 16.
  const small = limitedDevice(device, { bindingBytes: 2 ** 19 - 4 })
  const chunked = await outcomeOf({ device: small, kernels: 'never' })
  const chunkedOwn = await outcomeOf({ device: small, programs: 'never' })
  for (let k = 0; k < BLOCKS; k++) {
    const { gas, blooms, logs, tiers } = own[k]!
    expect(tiers.pathKernel).toBe(SIZE)
    for (const other of [programs[k]!, chunked[k]!]) {
      expect(other.tiers.pathProgram).toBe(SIZE)
      expect(other.gas).toEqual(gas)
      expect(Buffer.compare(other.blooms, blooms)).toBe(0)
      expect(other.logs).toEqual(logs)
    }
    expect(programs[k]!.chunks).toBe(0)
    expect(chunked[k]!.chunks).toBeGreaterThan(0)
    expect(chunkedOwn[k]!.chunks).toBeGreaterThan(0)
    expect(chunkedOwn[k]!.tiers.pathKernel).toBe(SIZE)
    expect(chunkedOwn[k]!.gas).toEqual(gas)
  }
})
