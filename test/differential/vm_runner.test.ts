import { afterAll, beforeAll, expect, test } from 'vitest'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import type { TransactionObject } from '../../host/block/batch.ts'
import { bytesToHex, encodeBatch } from '../../host/block/encode_batch.ts'
import type { BlockEnvironment } from '../../host/block/environment.ts'
import { openDevice } from '../../host/device/device.ts'
import type { ComputeDevice } from '../../host/index.ts'
import { type Allocation, MemoryState } from '../../host/state/memory_state.ts'
import { assemble } from '../fixtures/assembler.ts'
import { addressOf } from '../fixtures/cpu_world.ts'
import { openVm, serialOutcomes, type VmWorld } from '../fixtures/vm_lanes.ts'

let device: ComputeDevice

beforeAll(async () => {
  device = await openDevice()
})

afterAll(() => device.destroy())

const ALICE = addressOf('alice')
const ENV: BlockEnvironment = {
  number: 100n,
  timestamp: 1_700_000_000n,
  coinbase: addressOf('coinbase'),
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  prevRandao: 99n,
}

const at = (name: string): string => addressOf(name, 0xcc)

/** A world where each of these codes stands at the address of its name. */
const worldOf = (
  codes: Readonly<Record<string, string>>,
  calls: readonly (Partial<TransactionObject> & { readonly to: string })[],
  more: Allocation = {},
): VmWorld => {
  const state = MemoryState.from({
    [ALICE]: { balance: 10n ** 20n },
    ...Object.fromEntries(
      Object.entries(codes).map(([name, code]) => [
        at(name),
        { nonce: 1n, balance: 1000n, code: bytesToHex(assemble(code)), storage: { '0x1': 5n } },
      ]),
    ),
    ...more,
  })
  for (let n = 90n; n < 100n; n++) state.setBlockHash(n, `0x${(n * 12345n).toString(16).padStart(64, '0')}`)
  const batch = encodeBatch(
    calls.map((fields) => ({ type: 0, from: ALICE, nonce: 0n, gasLimit: 500_000n, gasPrice: 10n, ...fields })),
  )
  return { fork: DEFAULT_FORK, chainId: 1337n, env: ENV, state, batch }
}

const word = (value: bigint | number): string => BigInt(value).toString(16).padStart(64, '0')

const expectSame = async (world: VmWorld): Promise<void> => {
  const vm = await openVm(device, world)
  const groups = await vm.run()
  expect(vm.outcomes(groups)).toEqual(await serialOutcomes(world))
  vm.close()
}

test('a contract that adds and returns ends as on the CPU tier', async () => {
  const codes = { adder: 'PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD ADD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN' }
  const data = `0x${word(5)}${word(2n ** 255n + 7n)}`
  await expectSame(worldOf(codes, [{ to: at('adder'), data }, { to: at('adder') }]))
})
