import { createBlock } from '@ethereumjs/block'
import { createEVM } from '@ethereumjs/evm'
import { createAddressFromString } from '@ethereumjs/util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import type { EvmStep } from '../../host/batch/evm_step.ts'
import { type TransactionObject, transactionData } from '../../host/chain/batch.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { openDevice } from '../../host/device/device.ts'
import type { ComputeDevice } from '../../host/index.ts'
import { commonOf } from '../../host/precompiles/common.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { addressToHex } from '../../host/primitives/word.ts'
import { type Allocation, MemoryState } from '../../host/state/memory_state.ts'
import { CpuState } from '../../host/tiers/cpu/ethereumjs/state.ts'
import { ITEM_SLOT, ITEM_VALUE } from '../../transpiler/layout/lane_vm.ts'
import { assemble } from '../fixtures/assembler.ts'
import { addressOf } from '../fixtures/cpu_world.ts'
import { limitedDevice } from '../fixtures/limited_device.ts'
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

/**
 * Runs every transaction of a world on both, on superblocks, on codes in their first form, and on codes that have
 * become hot by then; which of them succeed.
 */
const expectSame = async (world: VmWorld): Promise<boolean[]> => {
  const serial = await serialOutcomes(world)
  for (const hotLanes of [0, world.batch.count + 1]) {
    const vm = await openVm(device, world, undefined, hotLanes)
    expect(vm.outcomes(await vm.run())).toEqual(serial)
    if (hotLanes > 0) expect(vm.outcomes(await vm.run())).toEqual(serial)
    vm.close()
  }
  return serial.map(({ status }) => status === 'succeeded')
}

test('a contract that adds and returns ends as on the CPU tier', async () => {
  const codes = { adder: 'PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD ADD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN' }
  const data = `0x${word(5)}${word(2n ** 255n + 7n)}`
  const adder = { to: at('adder') }
  expect(await expectSame(worldOf(codes, [{ ...adder, data }, adder]))).toEqual([true, true])
})

test('a wave finds nothing of the one before in the store that it takes over', async () => {
  const codes = { clearer: 'PUSH 0 PUSH 1 SSTORE PUSH 32 PUSH 0 LOG0 STOP' }
  const world = worldOf(codes, Array(70).fill({ to: at('clearer') }))
  const vm = await openVm(device, world)
  const serial = await serialOutcomes(world)
  const steps: number[] = []
  for (let n = 0; n < 4; n++) {
    vm.runner.begin()
    expect(vm.outcomes(await vm.run())).toEqual(serial)
    steps.push(vm.runner.steps)
  }
  expect(steps.slice(2)).toEqual([steps[1], steps[1]])
  vm.close()
})

test('offsets of memory add up past 2^32 and wrap at 2^256', async () => {
  const codes = {
    reader:
      'PUSH 7 PUSH 0 CALLDATALOAD PUSH 48 ADD MSTORE PUSH 0 CALLDATALOAD PUSH 48 ADD MLOAD PUSH 0 MSTORE MSIZE PUSH 32 MSTORE PUSH 64 PUSH 0 RETURN',
  }
  const calls = [-48n, -47n, -1n, 16n, 2n ** 32n - 48n, 2n ** 128n, -49n].map((offset) => ({
    to: at('reader'),
    data: `0x${word(BigInt.asUintN(256, offset))}`,
  }))
  expect(await expectSame(worldOf(codes, calls))).toEqual([true, true, true, true, false, false, false])
})

test('branches test what they compare, signed and not, and bits in common', async () => {
  const tests = ['LT', 'GT', 'SLT', 'SGT', 'EQ', 'AND'].flatMap((test) => [test, `${test} ISZERO`])
  const checks = tests.map(
    (test, n) => `PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD ${test} PUSH @next${n} JUMPI
      PUSH ${2 ** n} PUSH 0 MLOAD ADD PUSH 0 MSTORE next${n}:`,
  )
  const codes = { branches: `${checks.join(' ')} PUSH 32 PUSH 0 RETURN` }
  const words = [0n, 1n, 6n, 2n ** 128n, 2n ** 255n, -1n, -6n].map((value) => word(BigInt.asUintN(256, value)))
  const calls = words.flatMap((a) => words.map((b) => ({ to: at('branches'), data: `0x${a}${b}` })))
  const results = await expectSame(worldOf(codes, calls))
  expect(results).toEqual(calls.map(() => true))
})

const REVERTER = 'PUSH 7 PUSH 1 SSTORE PUSH 0xabcd PUSH 0 MSTORE PUSH 33 PUSH 3 REVERT'
const CONTRACTS: Readonly<Record<string, string>> = {
  storer: 'PUSH 1 SLOAD PUSH 0 CALLDATALOAD SSTORE PUSH 0 PUSH 1 SSTORE PUSH 9 PUSH 2 SSTORE STOP',
  logger: `CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY CALLDATASIZE PUSH 0 LOG0
    CALLER CALLDATASIZE PUSH 1 LOG1 PUSH 1 CALLER PUSH 3 PUSH 4 CALLDATASIZE PUSH 5 LOG4 CALLDATASIZE PUSH 0 RETURN`,
  hasher: 'CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY CALLDATASIZE PUSH 0 KECCAK256 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN',
  reverter: REVERTER,
  halter: 'PUSH 7 PUSH 1 SSTORE INVALID',
  spender: 'loop: PUSH 3 GAS SSTORE PUSH @loop JUMP',
  caller: `CALLDATASIZE PUSH 64 PUSH 0 CALLDATACOPY
    PUSH 0 PUSH 0 PUSH 64 CALLDATASIZE SUB PUSH 0 PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD GAS CALL
    PUSH 0 MSTORE RETURNDATASIZE PUSH 0 PUSH 32 RETURNDATACOPY RETURNDATASIZE PUSH 32 ADD PUSH 0 RETURN`,
  delegator: `CALLDATASIZE PUSH 64 PUSH 0 CALLDATACOPY
    PUSH 0 PUSH 0 PUSH 64 CALLDATASIZE SUB PUSH 0 PUSH 0 CALLDATALOAD GAS DELEGATECALL
    PUSH 0 MSTORE RETURNDATASIZE PUSH 0 PUSH 32 RETURNDATACOPY RETURNDATASIZE PUSH 32 ADD PUSH 0 RETURN`,
  watcher: `PUSH 0 CALLDATALOAD DUP1 EXTCODESIZE PUSH 0 MSTORE DUP1 EXTCODEHASH PUSH 32 MSTORE DUP1 BALANCE PUSH 64 MSTORE
    PUSH 40 PUSH 1 PUSH 96 DUP4 EXTCODECOPY PUSH 50 PUSH 2 PUSH 160 CODECOPY SELFBALANCE PUSH 256 MSTORE PUSH 288 PUSH 0 RETURN`,
  ancestor: 'PUSH 0 CALLDATALOAD BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN',
  transient: 'PUSH 5 PUSH 1 TSTORE PUSH 1 TLOAD PUSH 2 TLOAD ADD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN',
  creator: 'PUSH 0 PUSH 0 PUSH 0 CREATE',
  endless: 'loop: PUSH @loop JUMP',
  diver: `PUSH 1 PUSH 0 CALLDATALOAD SUB DUP1 PUSH 0 MSTORE DUP1 ISZERO PUSH @done JUMPI
    PUSH 0 PUSH 0 PUSH 32 PUSH 0 PUSH 0 ADDRESS GAS CALL PUSH 0 SSTORE done: STOP`,
  // Fills its memory at four places, keeps the hash of all, and gives back what stands around the last.
  filler: `PUSH 0 CALLDATALOAD
    DUP1 PUSH 3 MUL DUP2 MSTORE DUP1 PUSH 5 MUL PUSH 2 DUP3 DIV MSTORE DUP1 PUSH 7 MUL PUSH 77 MSTORE
    DUP1 PUSH 11 MUL PUSH 390000 MSTORE MSIZE PUSH 0 KECCAK256 DUP1 PUSH 1 SSTORE PUSH 200 PUSH 389984 LOG1
    PUSH 96 PUSH 32 PUSH 0 CALLDATALOAD SUB RETURN`,
  wide: 'PUSH 1 PUSH 0 CALLDATALOAD MSTORE MSIZE PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN',
}
const target = (name: string): string => word(BigInt(at(name)))
const precompile = (address: number, input: string, value = 0n): { to: string; data: string } => ({
  to: at('caller'),
  data: `0x${word(address)}${word(value)}${input}`,
})

test('storage, logs, hashes and failures end as on the CPU tier', async () => {
  const ended = await expectSame(
    worldOf(CONTRACTS, [
      { to: at('storer'), data: `0x${word(7)}` },
      { to: at('storer'), data: `0x${word(1)}` },
      { to: at('logger'), data: `0x${'ab'.repeat(70)}` },
      { to: at('hasher'), data: `0x${'17'.repeat(136)}` },
      { to: at('hasher'), data: `0x${'17'.repeat(135)}` },
      { to: at('hasher') },
      { to: at('reverter') },
      { to: at('halter') },
      { to: at('spender'), gasLimit: 80_000n },
      { to: at('transient') },
    ]),
  )
  expect(ended).toEqual([true, true, true, true, true, true, false, false, false, true])
})

test('calls, value, foreign code and delegated accounts end as on the CPU tier', async () => {
  const delegated = addressOf('delegated')
  const ended = await expectSame(
    worldOf(
      CONTRACTS,
      [
        { to: at('caller'), data: `0x${target('storer')}${word(3)}${word(44)}` },
        { to: at('caller'), data: `0x${target('reverter')}${word(3)}` },
        { to: at('caller'), data: `0x${target('halter')}${word(0)}` },
        { to: at('caller'), data: `0x${word(0xdead_beef_00n)}${word(9)}`, value: 5n },
        { to: at('caller'), data: `0x${word(0xdead_beef_00n)}${word(10n ** 19n)}` },
        { to: at('delegator'), data: `0x${target('storer')}${word(0)}${word(44)}` },
        { to: at('watcher'), data: `0x${target('storer')}` },
        { to: at('watcher'), data: `0x${word(0xdead_beef_00n)}` },
        { to: at('watcher'), data: `0x${word(BigInt(delegated))}` },
        { to: delegated, data: `0x${word(7)}`, value: 2n },
        { to: at('caller'), data: `0x${word(BigInt(delegated))}${word(0)}${word(6)}` },
      ],
      { [delegated]: { code: `0xef0100${at('storer').slice(2)}`, storage: { '0x1': 77n } } },
    ),
  )
  expect(ended).not.toContain(false)
})

test('precompiles and hashes of ancestors are asked of the host', async () => {
  const signed = `${'18c547e4f7b0f325ad1e56f57e26c745b09a3e503d86e00e5255ff7f715d3d1c'}${word(28)}${'73b1693892219d736caba55bdb67216e485557ea6b6af75f37096c9aa6a5a75f'}${'eeb940b1d03b21e36b0e47e79769f095fe2ab855bd91e3a38756b7d75a9c4549'}`
  const ended = await expectSame(
    worldOf(CONTRACTS, [
      precompile(1, signed),
      precompile(1, '00'),
      precompile(2, '616263'),
      precompile(2, '616263'),
      precompile(3, '616263'),
      precompile(4, '11'.repeat(45)),
      precompile(4, ''),
      precompile(5, `${word(1)}${word(1)}${word(70)}03ff${'fd'.repeat(70)}`),
      precompile(6, `${word(1)}${word(2)}${word(1)}${word(2)}`),
      precompile(6, `${word(1)}${word(1)}${word(1)}${word(2)}`),
      precompile(9, 'ffff'),
      precompile(2, '616263', 7n),
      { to: at('ancestor'), data: `0x${word(95)}` },
      { to: at('ancestor'), data: `0x${word(100)}` },
      { to: at('ancestor'), data: `0x${word(2n ** 70n)}` },
    ]),
  )
  expect(ended).not.toContain(false)
})

test('access lists warm what they name', async () => {
  const storageKeys = [`0x${word(1)}`, `0x${word(7)}`]
  const ended = await expectSame(
    worldOf(CONTRACTS, [
      { type: 1, to: at('storer'), data: `0x${word(7)}`, accessList: [{ address: at('storer'), storageKeys }] },
      {
        type: 1,
        to: at('caller'),
        data: `0x${target('storer')}${word(3)}${word(44)}`,
        accessList: [{ address: at('storer'), storageKeys }],
      },
    ]),
  )
  expect(ended).not.toContain(false)
})

test('lanes that pass a quota run again in a larger one, and end as on the CPU tier', async () => {
  const world = worldOf(CONTRACTS, [
    { to: at('diver'), data: `0x${word(20)}`, gasLimit: 3_000_000n },
    { to: at('wide'), data: `0x${word(20_000)}` },
    { to: at('storer'), data: `0x${word(7)}` },
    { to: at('diver'), data: `0x${word(60)}`, gasLimit: 9_000_000n },
    { to: at('wide'), data: `0x${word(100_000)}` },
  ])
  const vm = await openVm(device, world)
  const groups = await vm.run()
  expect(groups.length).toBe(4)
  expect(groups.map(({ transactions }) => [...transactions].filter((i) => i >= 0).sort())).toEqual([
    [2],
    [0],
    [1],
    [3, 4],
  ])
  expect(vm.outcomes(groups)).toEqual(await serialOutcomes(world))
  vm.close()
})

test('lanes whose arenas interleave by fewer than a workgroup keep to their own', async () => {
  const sizes = [600_000, 700_000, 800_000, 900_000, 1_000_000, 1_100_000, 1_200_000, 1_300_000, 1_400_000, 1_500_000]
  const far = [2_000_000, 3_000_000, 4_000_000, 5_000_000, 6_000_000, 9_000_000]
  const calls = [...sizes, ...far].map((size) => ({
    to: at('filler'),
    data: `0x${word(size)}`,
    gasLimit: 200_000_000n,
  }))
  const world = { ...worldOf(CONTRACTS, calls), env: { ...ENV, gasLimit: 2n ** 40n }, fork: 'prague' as const }
  const vm = await openVm(device, world)
  const groups = await vm.run()
  const ran = groups.map(({ transactions }) => [...transactions].filter((i) => i >= 0))
  expect(ran.slice(-2).map((lanes) => lanes.length)).toEqual([sizes.length, far.length])
  expect(vm.outcomes(groups)).toEqual(await serialOutcomes(world))
  vm.close()
})

test('lanes leave with a reason where the device cannot go on', async () => {
  const world = worldOf(CONTRACTS, [
    { to: at('creator') },
    { to: at('endless'), gasLimit: 30_000_000n },
    { to: at('ancestor'), data: `0x${word(3)}` },
    { to: at('wide'), data: `0x${word(11_000_000)}`, gasLimit: 300_000_000n },
    { to: at('storer'), data: `0x${word(7)}` },
    precompile(9, `ffffffff${'00'.repeat(209)}`),
  ])
  const vm = await openVm(device, world, { laneSteps: 20_000 })
  const outcomes = vm.outcomes(await vm.run())
  expect(outcomes.map(({ status }) => status)).toEqual([
    'refused: opcode CREATE',
    'refused: step budget',
    'refused: unknown block hash',
    'quota: vm quota: memory',
    'succeeded',
    'refused: costly precompile',
  ])
  expect(vm.runner.steps).toBeGreaterThan(20_000)
  vm.close()
})

test('lanes read the values that they are told, and say so', async () => {
  const world = worldOf(CONTRACTS, [{ to: at('storer'), data: `0x${word(7)}` }, { to: at('storer') }])
  const vm = await openVm(device, world)
  const owner = vm.resident.accounts.find(world.batch.to, 0)
  const ids = new Int32Array(1)
  await vm.resident.slotIds(Int32Array.of(owner), Uint32Array.of(1, 0, 0, 0, 0, 0, 0, 0), 1, ids)
  const hints = {
    start: Uint32Array.of(0, 1, 1),
    flags: Uint32Array.of(ITEM_SLOT | ITEM_VALUE),
    ids: Uint32Array.from(ids),
    owners: Uint32Array.of(owner),
    values: Uint32Array.of(50, 0, 0, 0, 0, 0, 0, 0),
  }
  const [told, untold] = vm.outcomes(await vm.run([0, 1], hints))
  const slot = (key: number) => `${at('storer')} 0x${word(key)}`
  expect(told!.reads).toEqual([`${slot(1)} 50`, `${slot(2)} 0`, `${slot(7)} 0`])
  expect(told!.writes).toEqual([`${slot(1)} 0`, `${slot(2)} 9`, `${slot(7)} 50`])
  expect(untold!.reads[1]).toBe(`${slot(1)} 5`)
  vm.close()
})

const withBindings = (bindingBytes: number): ComputeDevice => limitedDevice(device, { bindingBytes })

test('token transfers end as on the CPU tier, in one wave or in as many as the device asks for', async () => {
  const workload = WORKLOADS.find(({ name }) => name === 'erc20')!
  const { fork, chainId, genesis, next } = await workload.build({ fork: DEFAULT_FORK, size: 300, seed: 5, blocks: 1 })
  const state = new MemoryState()
  state.commit(genesis)
  const { env, transactions: batch } = next()
  const world = { fork, chainId, env, state, batch }
  const serial = await serialOutcomes(world)
  expect(serial.every(({ status, logs }) => status === 'succeeded' && logs.length === 1)).toBe(true)
  for (const [bytes, chunks] of [
    [1 << 27, 0],
    [2 << 20, 2],
    [(2 << 20) - 4, 2],
    [(4 << 20) - 4, 1],
  ] as const) {
    const vm = await openVm(withBindings(bytes), world)
    vm.runner.begin()
    expect(vm.outcomes(await vm.run())).toEqual(serial)
    expect(vm.runner.chunks).toBe(chunks)
    expect(vm.runner.laneBytes).toBeLessThanOrEqual(bytes)
    vm.close()
  }
})

test('memory that costs more than 2^31 gas is out of gas, or more than any lane has', async () => {
  const limits = [2n ** 31n, 2n ** 32n]
  const calls = limits.map((gasLimit) => ({ to: at('wide'), data: `0x${word(34_000_000)}`, gasLimit }))
  const world = { ...worldOf(CONTRACTS, calls), env: { ...ENV, gasLimit: 2n ** 40n }, fork: 'prague' as const }
  const vm = await openVm(device, world)
  const [poor, rich] = vm.outcomes(await vm.run())
  const [serial] = await serialOutcomes(world)
  expect(poor).toEqual(serial)
  expect(poor!.status).toBe('failed')
  expect(rich!.status).toBe('quota: vm quota: memory')
  vm.close()
})

test('a quota that the device is too small for is passed over', async () => {
  const sizes = [700_000, 800_000]
  const calls = sizes.map((size) => ({ to: at('filler'), data: `0x${word(size)}`, gasLimit: 16_000_000n }))
  const world = worldOf(CONTRACTS, calls)
  // 64 arenas of the third quota are larger than 8 of the fourth.
  const vm = await openVm(withBindings(40 << 20), world)
  expect(vm.outcomes(await vm.run())).toEqual(await serialOutcomes(world))
  expect(vm.runner.laneBytes).toBeGreaterThan(20 << 20)
  vm.close()
  const small = await openVm(withBindings(20 << 20), world)
  const left = small.outcomes(await small.run())
  expect(left.map(({ status }) => status)).toEqual(sizes.map(() => 'quota: vm quota: memory'))
  small.close()
})

/**
 * The steps of a call by the reference EVM, whose accounts are warm as a transaction has them. It tells refunds too
 * early (trace.test.ts).
 */
const referenceSteps = async ({ chainId, fork, state, batch }: VmWorld, index: number, gas: bigint) => {
  const common = commonOf(fork, chainId)
  const manager = new CpuState()
  manager.begin(state)
  const evm = await createEVM({ common, stateManager: manager })
  const caller = createAddressFromString(ALICE)
  const to = createAddressFromString(addressToHex(batch.to, 5 * index))
  evm.journal.addAlwaysWarmAddress(caller.toString())
  evm.journal.addAlwaysWarmAddress(to.toString())
  for (const precompiled of evm.precompiles.keys()) evm.journal.addAlwaysWarmAddress(`0x${precompiled}`)
  const steps: Omit<EvmStep, 'refund'>[] = []
  evm.events.on('step', ({ pc, opcode, gasLeft, depth, stack, memoryWordCount }, next) => {
    const memSize = 32 * Number(memoryWordCount)
    steps.push({ pc, op: opcode.code, gas: gasLeft, depth: depth + 1, stack: [...stack], memSize })
    next?.()
  })
  const block = createBlock({ header: { number: ENV.number, timestamp: ENV.timestamp } }, { common })
  await evm.runCall({ block, caller, to, data: transactionData(batch, index), gasLimit: gas })
  return steps
}

test('a transaction alone has its value and its price', async () => {
  const codes = { payee: 'GASPRICE CALLVALUE PUSH 0 MSTORE PUSH 32 MSTORE PUSH 64 PUSH 0 RETURN' }
  expect(await expectSame(worldOf(codes, [{ to: at('payee'), value: 77n }]))).toEqual([true])
})

test('gas past 2^32 is counted whole: read, split between frames, and given back', async () => {
  const codes = {
    reader: `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${at('spender')} GAS CALL GAS PUSH 32 MSTORE PUSH 0 MSTORE PUSH 64 PUSH 0 RETURN`,
    spender: 'GAS PUSH 1 SSTORE PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS PUSH 0x1ffffffff CALL GAS PUSH 0 SSTORE',
  }
  const state = { [ALICE]: { balance: 10n ** 40n } }
  const world = worldOf(codes, [{ to: at('reader'), gasLimit: 2n ** 40n + 12345n }], state)
  // The frames of 2^33 gas call themselves until the depth of the first quotas ends.
  const env = { ...world.env, gasLimit: 2n ** 53n }
  expect(await expectSame({ ...world, env, fork: 'prague' })).toEqual([true])
})

test('a called precompile runs as the transaction itself; before its fork the address is an account like others', async () => {
  const low = (address: number): string => `0x${address.toString(16).padStart(40, '0')}`
  const calls = [1, 2, 3, 4, 6, 9].map((address) => ({ to: low(address), data: '0x0102030405', value: 3n }))
  expect(await expectSame(worldOf({}, [...calls, { to: low(2), gasLimit: 21_060n }]))).toContain(false)
  const code = bytesToHex(assemble('PUSH 7 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN'))
  const world = worldOf({}, [{ to: low(0x100) }], { [low(0x100)]: { nonce: 1n, code } })
  expect(await expectSame({ ...world, fork: 'prague' })).toEqual([true])
})

test('a trace shows the machine before every opcode, as the reference EVM does', async () => {
  const counter = `PUSH 3 loop: PUSH 1 SWAP1 SUB DUP1 PUSH @loop JUMPI DUP1 PUSH 0 MSTORE8 PUSH 32 PUSH 0 KECCAK256 SSTORE STOP`
  const world = worldOf({ ...CONTRACTS, counter }, [
    { to: at('counter') },
    { to: at('caller'), data: `0x${target('storer')}${word(0)}${word(44)}` },
    { to: at('caller'), data: `0x${target('halter')}${word(0)}` },
    precompile(2, '616263'),
  ])
  const vm = await openVm(device, world)
  const serial = await serialOutcomes(world)
  for (let index = 0; index < world.batch.count; index++) {
    const { steps, group } = await vm.trace(index)
    const expected = await referenceSteps(world, index, BigInt(steps[0]!.gas))
    expect(steps.map(({ refund: _, ...step }) => step)).toEqual(expected)
    expect(steps.length).toBeGreaterThan(10)
    expect(vm.outcomes([group])[index]).toEqual(serial[index])
  }
  vm.close()
})
