import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_FORK } from '../../bench/workloads/workload.ts'
import { compareEntry, traceReport } from '../../cli/state_test_trace.ts'
import type { StateTestEntry } from '../../conformance/state_test.ts'
import type { TransactionObject } from '../../host/chain/batch.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { openDevice } from '../../host/device/device.ts'
import type { ComputeDevice } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { type Allocation, MemoryState } from '../../host/state/memory_state.ts'
import { traceDifference } from '../../host/trace/difference.ts'
import { traceLines } from '../../host/trace/lines.ts'
import {
  type NoTrace,
  type TraceSubject,
  type TransactionTrace,
  traceOnCpu,
  traceOnLaneVm,
} from '../../host/trace/trace.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { addressOf } from '../fixtures/cpu_world.ts'

let device: ComputeDevice

beforeAll(async () => {
  device = await openDevice()
})

afterAll(() => device.destroy())

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const ALICE = addressOf('alice')
const ENV = {
  number: 100n,
  timestamp: 1_700_000_000n,
  coinbase: addressOf('coinbase'),
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  prevRandao: 99n,
}
const at = (name: string): string => addressOf(name, 0xcc)
/** Calls a contract, with 3 wei where the kind takes a value. */
const call = (name: string, gas: number, kind: 'CALL' | 'DELEGATECALL' | 'STATICCALL' = 'CALL'): string =>
  `PUSH 32 PUSH 0 PUSH 0 PUSH 0 ${kind === 'CALL' ? 'PUSH 3' : ''} PUSH ${at(name)} PUSH ${gas} ${kind}`

/** `top` calls `middle`, which calls each of the others. */
const CODES: Readonly<Record<string, string>> = {
  top: `${call('middle', 400_000)} PUSH 1 SSTORE RETURNDATASIZE PUSH 0 PUSH 0 RETURNDATACOPY PUSH 32 PUSH 0 RETURN`,
  middle: `${call('storer', 60_000)} POP ${call('reverter', 30_000)} POP ${call('spender', 30_000, 'DELEGATECALL')} POP
    ${call('undefined', 1000, 'STATICCALL')} POP ${call('thin', 1000)} POP ${call('hasher', 30_000)} PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN`,
  storer: 'PUSH 0 PUSH 1 SSTORE PUSH 1 SLOAD PUSH 7 SSTORE PUSH 5 PUSH 1 SSTORE PUSH 0 PUSH 1 SSTORE',
  reverter: 'PUSH 0 PUSH 1 SSTORE PUSH 7 PUSH 2 SSTORE PUSH 0xabcd PUSH 0 MSTORE PUSH 33 PUSH 300 REVERT',
  spender: 'loop: PUSH 3 GAS SSTORE PUSH @loop JUMP',
  thin: 'PUSH 1 PUSH 2 ADD ADD',
  hasher: `PUSH 0x616263 PUSH 0 MSTORE PUSH 32 PUSH 64 PUSH 3 PUSH 29 PUSH 2 PUSH 3000 STATICCALL
    PUSH 64 PUSH 96 PUSH 5 PUSH 0 PUSH 0 PUSH 8 PUSH 100000 CALL ADD PUSH 64 MLOAD ADD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN`,
  creator: 'PUSH 1 SLOAD PUSH 0 PUSH 0 CREATE',
  loader: 'PUSH 4 PUSH 1 ADD POP PUSH 1 SLOAD PUSH 2 SSTORE STOP',
  payer: `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH ${at('payee')} PUSH 1000 CALL POP STOP`,
  payee: 'PUSH 32 PUSH 1 RETURN',
  ender: `PUSH ${at('no one')} SELFDESTRUCT`,
  heir: 'ADDRESS SELFDESTRUCT',
  survivor: `${call('ender', 50_000)} POP ${call('ender', 5003)} POP ${call('ender', 5002, 'DELEGATECALL')} POP ${call('ender', 50_000, 'STATICCALL')} POP
    ${call('heir', 9000)} POP ADDRESS SELFDESTRUCT`,
}

const worldOf = (slot: bigint): Allocation => ({
  [ALICE]: { balance: 10n ** 20n },
  ...Object.fromEntries(
    Object.entries(CODES).map(([name, code]) => [
      at(name),
      { nonce: 1n, balance: 1000n, code: bytesToHex(assemble(code)), storage: { '0x1': slot } },
    ]),
  ),
  [at('undefined')]: { nonce: 1n, code: '0x6001600c0c' },
})

const transactionTo = (to: string, gasLimit: bigint): TransactionObject => ({
  type: 0,
  from: ALICE,
  to,
  nonce: 0n,
  gasLimit,
  gasPrice: 10n,
})

const subjectOf = (name: string, gasLimit = 800_000n, slot = 5n): TraceSubject => ({
  fork: DEFAULT_FORK,
  chainId: 1n,
  env: ENV,
  state: MemoryState.from(worldOf(slot)),
  batch: encodeBatch([transactionTo(at(name), gasLimit)]),
})

const traced = async (trace: Promise<TransactionTrace | NoTrace>): Promise<TransactionTrace> => {
  const found = await trace
  if ('reason' in found) throw new Error(found.reason)
  return found
}

test('the lane VM takes the steps of the reference EVM through calls, reverts, precompiles, storage and halts', async () => {
  const depths = new Set<number>()
  for (const [name, gasLimit, status] of [
    ['top', 800_000n, 'succeeded'],
    ['top', 150_000n, 'halted'],
    ['middle', 100_000n, 'halted'],
    ['reverter', 100_000n, 'reverted'],
    ['spender', 100_000n, 'halted'],
    ['storer', 100_000n, 'succeeded'],
    ['top', 2n ** 33n + 7n, 'succeeded'],
  ] as const) {
    // Osaka has a limit of gas.
    const subject: TraceSubject = { ...subjectOf(name, gasLimit), fork: 'prague' }
    const lane = await traced(traceOnLaneVm(device, subject))
    const reference = await traced(traceOnCpu(subject))
    expect({ name, status: lane.status }).toEqual({ name, status })
    expect(lane).toEqual(reference)
    expect(traceDifference(lane, reference)).toBeUndefined()
    for (const { depth } of lane.steps) depths.add(depth)
  }
  expect([...depths].sort()).toEqual([1, 2, 3])
})

test('a trace prints as go-ethereum prints it: a call costs its price and what it hands on', async () => {
  const lines = traceLines(await traced(traceOnLaneVm(device, subjectOf('payer', 121_000n))), DEFAULT_FORK)
  const steps = lines.slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(steps.slice(-6).map(({ opName, gasCost, depth }) => [opName, gasCost, depth])).toEqual([
    ['CALL', `0x${(2600 + 1000).toString(16)}`, 1],
    ['PUSH1', '0x3', 2],
    ['PUSH1', '0x3', 2],
    ['RETURN', '0x6', 2],
    ['POP', '0x2', 1],
    ['STOP', '0x0', 1],
  ])
  expect(lines[0]).toMatch(
    /^\{"pc":0,"op":\d+,"gas":"0x186a0","gasCost":"0x[23]","memSize":0,"stack":\[\],"depth":1,"refund":0,"opName":"PUSH[01]"\}$/,
  )
  const used = 100_000 - Number(steps.at(-1)!['gas'])
  expect(lines.at(-1)).toBe(`{"output":"","gasUsed":"0x${used.toString(16)}"}`)
})

/** Each step of a trace on the CPU that calls or destroys, with its cost. */
const endsOf = async (fork: Fork, gasLimit: bigint): Promise<readonly (readonly [string, bigint])[]> => {
  const lines = traceLines(await traced(traceOnCpu({ ...subjectOf('survivor', gasLimit), fork })), fork)
  const steps = lines.slice(0, -1).map((line) => JSON.parse(line) as { opName: string; gasCost: string })
  return steps
    .filter(({ opName }) => opName.endsWith('CALL') || opName === 'SELFDESTRUCT')
    .map(({ opName, gasCost }) => [opName, BigInt(gasCost)])
}

test('the end of a contract costs its price, and what is left where it does not come to pass', async () => {
  const value = 9000n
  expect(await endsOf('prague', 400_000n)).toEqual([
    ['CALL', 2600n + value + 50_000n + 3n],
    // Its balance goes to an account that is cold and not there.
    ['SELFDESTRUCT', 5000n + 2600n + 25_000n],
    // It is warm, and there.
    ['CALL', 100n + value + 5003n],
    ['SELFDESTRUCT', 5000n],
    ['DELEGATECALL', 100n + 5002n],
    ['SELFDESTRUCT', 4999n],
    ['STATICCALL', 100n + 50_000n],
    ['SELFDESTRUCT', 50_000n - 3n],
    ['CALL', 2600n + value + 9000n],
    ['SELFDESTRUCT', 5000n],
    ['SELFDESTRUCT', 5000n],
  ])
  // There is no STATICCALL, at which it halts.
  const homestead = await endsOf('homestead', 400_000n)
  expect(homestead.filter(([name]) => name === 'SELFDESTRUCT').map(([, cost]) => cost)).toEqual([0n, 0n, 0n])
})

test('a difference is reported at the first step that shows it, after three common ones', async () => {
  const lane = await traceOnLaneVm(device, subjectOf('loader'))
  const reference = await traced(traceOnCpu(subjectOf('loader', 800_000n, 6n)))
  const { differs, lines } = traceReport(lane, reference, DEFAULT_FORK)
  expect(differs).toBe(true)
  expect(lines[0]).toBe('step 7 differs (lane VM 9 steps, reference 9)')
  expect(lines.slice(1).map((line) => [line.slice(2, 13).trim(), /"opName":"(\w+)"/.exec(line)![1]])).toEqual([
    ['both', 'POP'],
    ['both', 'PUSH1'],
    ['both', 'SLOAD'],
    ['lane VM', 'PUSH1'],
    ['reference', 'PUSH1'],
  ])
  expect([lines[4], lines[5]].map((line) => /"stack":\[(.*?)\]/.exec(line!)![1])).toEqual(['"0x5"', '"0x6"'])
  const traces = await traced(Promise.resolve(lane))
  expect(traceReport({ ...traces, gasUsed: 1n }, { ...traces, gasUsed: 2n }, DEFAULT_FORK)).toEqual({
    differs: true,
    lines: ['all 9 steps are equal, gasUsed differs: lane VM 1, reference 2'],
  })
  expect(traceDifference({ ...traces, steps: traces.steps.slice(0, 5) }, traces)).toEqual({ step: 5 })
  expect(traceDifference(traces, { ...traces, steps: traces.steps.slice(0, 5) })).toEqual({ step: 5 })
})

test('an entry of a state test is compared as far as its lane goes', async () => {
  const entryOf = (to: string): StateTestEntry => ({
    file: 'a.json',
    name: 'entry',
    indexes: { data: 0, gas: 0, value: 0 },
    fork: DEFAULT_FORK,
    forkName: 'Prague',
    chainId: 1n,
    env: ENV,
    pre: worldOf(5n),
    transaction: transactionTo(to, 800_000n),
    sender: undefined,
    expected: { stateRoot: '0x', logsHash: '0x' },
  })
  const said = async (to: string): Promise<string> => {
    const { differs, lines } = await compareEntry(device, entryOf(to))
    expect(differs).toBe(false)
    expect(lines.length).toBe(1)
    return lines[0]!.replace('entry (Prague, data 0, gas 0, value 0): ', '')
  }
  expect(await said(at('loader'))).toBe('all 9 steps are equal')
  expect(await said(at('creator'))).toBe('the 5 steps before the lane left are equal: opcode CREATE')
  expect(await said(addressOf('nobody'))).toBe('not on the lane VM: no code is called')
  expect(await said(`0x${'04'.padStart(40, '0')}`)).toBe('all 0 steps are equal')
})

test('wgevm ends with 2 and one line where a trace cannot be meant', () => {
  const wgevm = (...args: string[]) =>
    spawnSync(process.execPath, ['--import', 'tsx', 'cli/main.ts', ...args], { cwd: ROOT, encoding: 'utf8' })
  const file = 'test/file/state_tests/legacy.json'
  for (const [args, line] of [
    [['difftrace', file, '--run', 'nothing'], `wgevm: no state test of ${file} fits --fork and --run\n`],
    [['statetest', file, '--trace'], 'wgevm: --trace is of the lane VM, one entry at a time: '],
  ] as const) {
    const { status, stdout, stderr } = wgevm(...args)
    expect([status, stdout, stderr.slice(0, line.length), stderr.trim().split('\n').length]).toEqual([2, '', line, 1])
  }
})
