import { expect, test } from 'vitest'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { openDevice } from '../../host/device/device.ts'
import type { ComputeDevice } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { liftCode } from '../../transpiler/index.ts'
import { LANE_PARTIES, LANE_REQUEST, LANE_STATE, VM_EXITS } from '../../transpiler/layout/lane_vm.ts'
import { assemble } from '../fixtures/assembler.ts'
import { addressOf } from '../fixtures/cpu_world.ts'
import { openVm, serialOutcomes } from '../fixtures/vm_lanes.ts'

/** The contracts of "One divergent batch" in docs/architecture.md. */
const CODES: Readonly<Record<string, string>> = {
  ledger: 'PUSH 1 PUSH 0 CALLDATALOAD SLOAD ADD PUSH 0 CALLDATALOAD SSTORE PUSH 5 PUSH 1 SSTORE STOP',
  hasher: `CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY PUSH 32 PUSH 0 CALLDATASIZE PUSH 0 PUSH 2 GAS STATICCALL POP
    PUSH 0 MLOAD PUSH 9 SSTORE STOP`,
  maker: `PUSH 0 CALLDATALOAD DUP1 PUSH @deeper JUMPI PUSH 0 PUSH 0 PUSH 0 CREATE POP STOP
    deeper: PUSH 1 SWAP1 SUB DUP1 PUSH 0 MSTORE DUP1 ISZERO PUSH @done JUMPI
    PUSH 0 PUSH 0 PUSH 32 PUSH 0 PUSH 0 ADDRESS GAS CALL POP done: STOP`,
}
const word = (value: number): string => value.toString(16).padStart(64, '0')
const CALLS: readonly (readonly [contract: string, data: string])[] = [
  ['ledger', word(7)],
  ['hasher', '616263'],
  ['maker', word(20)],
  ['ledger', word(8)],
  ['hasher', '616263'],
  ['maker', word(0)],
  ['ledger', word(7)],
  ['hasher', '64'],
]
const FORK = 'osaka'
const ALICE = addressOf('alice')
const at = (name: string): string => addressOf(name, 0xcc)

/** The device, which tells of the columns that come back from each dispatch of the lane VM. */
const watched = (device: ComputeDevice, onColumns: (columns: Uint32Array) => void): ComputeDevice => {
  const run: ComputeDevice['run'] = (commands, options) => {
    // Before the first one its columns are cleared.
    const command = commands.find(({ kind }) => kind === 'dispatch')
    if (command?.kind !== 'dispatch' || command.kernel.label !== 'lane VM') return device.run(commands, options)
    return device.run(commands, {
      ...options,
      consume: (views) => {
        onColumns(views[0]!.slice())
        options!.consume!(views)
      },
    })
  }
  return new Proxy(device, {
    get: (target, name) => {
      if (name === 'run') return run
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

test('the batch of docs/architecture.md moves through its dispatches as written there', async () => {
  const device = await openDevice()
  const dispatches: string[][] = []
  const exits = new Map<number, string>(Object.entries(VM_EXITS).map(([name, code]) => [code, name]))
  const vm = await openVm(
    watched(device, (columns) => {
      const lanes = columns.length / 4 / LANE_PARTIES
      dispatches.push(
        Array.from({ length: lanes }, (_, lane) => {
          const exit = columns[4 * (LANE_STATE * lanes + lane)]!
          return `${exits.get(exit)} ${columns[4 * (LANE_REQUEST * lanes + lane) + 3]}`
        }),
      )
    }),
    worldOf(),
  )
  // Compiling dispatches nothing that is a lane.
  dispatches.length = 0
  const groups = await vm.run()
  expect(groups.map(({ transactions }) => [...transactions])).toEqual([[0, 3, 6, 7, 1, 4, -1, 5], [2]])
  expect(dispatches).toEqual([
    [...times(3, 'missSlot 2'), ...times(3, 'missAccount 6'), 'quota 88', 'refused 3'],
    [...times(3, 'missSlot 6'), ...times(3, 'missPrecompile 11'), 'quota 88', 'refused 3'],
    [...times(3, 'succeeded 8'), ...times(3, 'missSlot 29'), 'quota 88', 'refused 3'],
    [...times(3, 'succeeded 8'), ...times(3, 'succeeded 31'), 'quota 88', 'refused 3'],
    ['succeeded 234'],
  ])
  const serial = await serialOutcomes(worldOf())
  vm.outcomes(groups).forEach((outcome, i) => {
    if (i === 5) expect(outcome.status).toBe('refused: opcode CREATE')
    else expect(outcome).toEqual(serial[i])
  })
  expect(serial.map(({ gasUsed }) => gasUsed)).toEqual([7224, 22316, 3579, 24324, 22316, 32033, 7224, 22316])
  const sizes = Object.values(CODES).map((code) => {
    const bytes = assemble(code)
    const { pcs, blocks } = liftCode(bytes, FORK)
    return [bytes.length, pcs.length, blocks.length / 4]
  })
  expect(sizes).toEqual([
    [17, 7, 2],
    [25, 10, 3],
    [48, 26, 8],
  ])
  vm.close()
  device.destroy()
})

const times = (count: number, text: string): string[] => new Array<string>(count).fill(text)

const worldOf = () =>
  ({
    fork: FORK,
    chainId: 1337n,
    env: {
      number: 100n,
      timestamp: 1_700_000_000n,
      coinbase: addressOf('coinbase'),
      gasLimit: 30_000_000n,
      baseFeePerGas: 7n,
      prevRandao: 99n,
    },
    state: MemoryState.from({
      [ALICE]: { balance: 10n ** 20n },
      ...Object.fromEntries(
        Object.entries(CODES).map(([name, code]) => [
          at(name),
          { nonce: 1n, balance: 1000n, code: bytesToHex(assemble(code)), storage: { '0x1': 5n, '0x7': 70n } },
        ]),
      ),
    }),
    batch: encodeBatch(
      CALLS.map(([name, data]) => ({
        type: 0,
        from: ALICE,
        to: at(name),
        data: `0x${data}`,
        nonce: 0n,
        gasLimit: 500_000n,
        gasPrice: 10n,
      })),
    ),
  }) as const
