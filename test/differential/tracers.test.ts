import { describe, expect, test } from 'vitest'
import { encodeBatch, traceTransactions } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { traceOnCpu } from '../../host/trace/trace.ts'
import type { CallView, PrestateView, StructStep, TraceView } from '../../service/node/trace_views.ts'
import { CallTree } from '../../service/node/tracers/call_tree.ts'
import { Prestate } from '../../service/node/tracers/prestate.ts'
import { StructLogger } from '../../service/node/tracers/struct_logs.ts'
import { TraceBudget, type Tracer } from '../../service/node/tracers/tracer.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { BATCH_ENV } from '../fixtures/batch_world.ts'
import { type OracleAccount, type OracleCall, type OracleTrace, traceByOracle } from '../fixtures/trace_oracle.ts'
import { type TracedProgram, tracedProgram, writtenProgram } from '../fixtures/traced_programs.ts'

/** `WGEVM_SEEDS=FIRST:COUNT` for others than those of every run. */
const [FIRST = 1, SEEDS = 3] = (process.env['WGEVM_SEEDS'] ?? '').split(':').filter(Boolean).map(Number)
const MOST_STEPS = 2000

const env = { ...BATCH_ENV, gasLimit: 60_000_000n }
const budget = () => new TraceBudget(1 << 30)

const trace = async <View extends TraceView>(
  fork: Fork,
  program: TracedProgram,
  tracer: Tracer<View>,
): Promise<View> => {
  const { state, transaction } = program
  const transactions = encodeBatch([transaction])
  await traceTransactions({ chainId: 1n, fork, env, state, transactions, watch: () => tracer.watcher })
  return tracer.view()
}

const STEPS = { tracer: 'structLogs', stack: true, storage: true, memory: true, returnData: true, limit: 0 } as const

const checkSteps = async (fork: Fork, program: TracedProgram, oracle: OracleTrace, name: string): Promise<void> => {
  const view = await trace(fork, program, new StructLogger(STEPS, budget()))
  expect([view.failed, view.gas], name).toStrictEqual([oracle.failed, oracle.gasUsed])
  let n = 0
  for (const step of view.steps) {
    const other = oracle.steps[n]
    // The STOP after the end of code has no event.
    if (step.op === 'STOP' && (other?.op !== 0 || other.pc !== step.pc || other.depth !== step.depth)) continue
    const at = `${name} step ${n} ${step.op}`
    const { pc, gas, depth, stack, error } = step
    const { fault, memory, cost, ...rest } = other!
    expect({ pc, gas, depth, stack }, at).toStrictEqual({
      pc: rest.pc,
      gas: rest.gas,
      depth: rest.depth,
      stack: rest.stack,
    })
    expect(bytesToHex(step.memory!), at).toBe(bytesToHex(memory))
    if (cost !== undefined) expect(step.gasCost, at).toBe(cost)
    if (fault === undefined) expect(error, at).toBeUndefined()
    else expect(isTold(fault, step), `${at}: ${error} for ${fault}`).toBe(true)
    n++
  }
  expect(n, name).toBe(oracle.steps.length)
}

/** One of a jump says where. */
const nameOf = (fault: string): string => fault.split(' at ')[0]!

/** Whether a step is told as faulty where go-ethereum tells it so; the height of the stack comes before the price. */
const isTold = (fault: string, { op, error }: StructStep): boolean => {
  const isStack = /^stack (underflow|limit)/.test(error ?? '')
  if (fault.startsWith('stack ')) return isStack
  if (fault.startsWith('initcode ')) return error?.startsWith('out of gas: max initcode size exceeded: size ') === true
  const isGas = error?.includes('out of gas') === true || error === 'gas uint64 overflow'
  if (fault === 'out of gas') return isStack || isGas || (error === undefined && LATE.has(op))
  // A write in a static frame pays first.
  return error === undefined || (fault === 'static state change' && isGas)
}

/** What goes beyond the returned data, and code that cannot be paid for. */
const LATE = new Set(['RETURNDATACOPY', 'RETURN', 'STOP'])

const WORDS: Readonly<Record<string, RegExp>> = {
  'out of gas':
    /^(out of gas|gas uint64 overflow|return data out of bounds|contract creation code storage out of gas|stack underflow)/,
  'stack underflow': /^stack underflow \(\d+ <=> \d+\)$/,
  'stack overflow': /^stack limit reached/,
  'invalid opcode': /^invalid opcode: /,
  'invalid JUMP': /^invalid jump destination$/,
  'static state change': /^(write protection|out of gas)/,
  'create collision': /^contract address collision$/,
  'code size to deposit exceeds maximum code size': /^max code size exceeded$/,
  'invalid bytecode deployed': /^invalid code: must not begin with 0xef$/,
  'initcode exceeds max initcode size': /^out of gas: max initcode size exceeded: size \d+$/,
  revert: /^execution reverted$/,
}

const checkCall = (own: CallView, other: OracleCall, at: string): void => {
  const { type, from, to, value, gas, gasUsed } = own
  const { calls, logs, error, input, output, ...rest } = other
  expect({ type, from, to, value, gas, gasUsed }, at).toStrictEqual(rest)
  expect([bytesToHex(own.input), bytesToHex(own.output)], at).toStrictEqual([input, output])
  const words = error === undefined ? undefined : WORDS[nameOf(error)]
  if (words === undefined) expect(own.error, at).toBe(error)
  else expect(own.error, at).toMatch(words)
  expect(own.logs, at).toEqual(logs)
  expect(
    own.calls.map((call) => call.type),
    at,
  ).toStrictEqual(calls.map((call) => call.type))
  for (const [n, call] of own.calls.entries()) checkCall(call, calls[n]!, `${at}.${n}`)
}

const ownAccounts = (accounts: PrestateView['pre']) =>
  new Map(
    [...accounts].map(([address, { balance, nonce = 0n, code, storage }]) => {
      const hex = code === undefined || code.length === 0 ? undefined : bytesToHex(code)
      return [address, { balance, nonce, code: hex, storage }]
    }),
  )

const oracleAccounts = (accounts: ReadonlyMap<string, OracleAccount>) =>
  new Map(
    [...accounts].map(([address, { balance, nonce = 0n, code, storage }]) => {
      return [address, { balance, nonce, code: code === '0x' ? undefined : code, storage }]
    }),
  )

const checkPrestate = async (fork: Fork, program: TracedProgram, oracle: OracleTrace, name: string): Promise<void> => {
  const terms = {
    ...{ transaction: program.transaction, coinbase: env.coinbase, vaults: [] },
    hasDelegations: isAtLeast(fork, 'prague'),
    destroysOnlyCreated: isAtLeast(fork, 'cancun'),
  }
  for (const diffMode of [false, true]) {
    const options = { tracer: 'prestateTracer', diffMode, code: true, storage: true, includeEmpty: false } as const
    const expected = oracle.prestate(diffMode)
    if (expected === undefined) continue
    const view = await trace(fork, program, new Prestate(options, terms, budget()))
    expect(ownAccounts(view.pre), `${name} pre, diffMode ${diffMode}`).toEqual(oracleAccounts(expected.pre))
    if (diffMode) expect(ownAccounts(view.post!), `${name} post`).toEqual(oracleAccounts(expected.post))
  }
}

const CALLS = { tracer: 'callTracer', onlyTopCall: false, withLog: true } as const

/** False where the program is too long to be compared. */
const check = async (fork: Fork, program: TracedProgram, name: string): Promise<boolean> => {
  const oracle = await traceByOracle(fork, env, program.state, program.transaction)
  if (oracle.steps.length > MOST_STEPS) return false
  await checkSteps(fork, program, oracle, name)
  const { gasLimit } = program.transaction
  const whole = { ...oracle.call, gas: gasLimit }
  const terms = { gasLimit, failsWithoutCode: true }
  checkCall((await trace(fork, program, new CallTree(CALLS, terms, budget()))).call, whole, `${name} call`)
  const top = await trace(fork, program, new CallTree({ ...CALLS, onlyTopCall: true }, terms, budget()))
  const logs = whole.logs.map((log) => ({ ...log, position: 0 }))
  checkCall(top.call, { ...whole, calls: [], logs }, `${name} top call`)
  await checkPrestate(fork, program, oracle, name)
  return true
}

describe.each(['london', 'shanghai', 'cancun', 'prague', 'osaka'] as const)('traces at %s', (fork) => {
  test('are those that an own reader of the events of the stock EVM makes', async () => {
    let compared = 0
    for (let n = FIRST; n < FIRST + SEEDS; n++) if (await check(fork, tracedProgram(n, fork), `seed ${n}`)) compared++
    expect(compared).toBeGreaterThan(SEEDS / 2)
  })
})

const NONE = '0x0000000000000000000000000000000000000e0e'

test.each<[string, string, bigint?]>([
  ['calls the curve of EIP-196', 'PUSH0 PUSH0 PUSH 128 PUSH0 PUSH 6 GAS STATICCALL PUSH 1 SSTORE'],
  ['multiplies on the curve of EIP-196', 'PUSH0 PUSH0 PUSH 96 PUSH0 PUSH 7 GAS STATICCALL PUSH 1 SSTORE'],
  ['pairs nothing (EIP-197)', 'PUSH 32 PUSH0 PUSH0 PUSH0 PUSH 8 GAS STATICCALL PUSH0 MLOAD PUSH 1 SSTORE'],
  ['is destroyed and stays (EIP-6780)', `PUSH 1 SLOAD POP PUSH ${NONE} SELFDESTRUCT`],
  ['cannot pay for a contract', 'PUSH0 PUSH0 PUSH 9 CREATE PUSH 7 PUSH0 PUSH0 PUSH 9 CREATE2'],
  ['has no nonce left', 'PUSH0 PUSH0 PUSH0 CREATE', (1n << 64n) - 1n],
  ['has too long an initcode', 'PUSH 49153 PUSH0 PUSH0 CREATE'],
])('a contract that %s is traced', async (_, source, nonce) => {
  const program = writtenProgram(source, nonce)
  for (const fork of ['shanghai', 'cancun'] as const) {
    expect(await check(fork, program, fork)).toBe(true)
    const { state, transaction } = program
    const stepped = await traceOnCpu({ fork, chainId: 1n, env, state, batch: encodeBatch([transaction]) })
    const { executionGas } = await traceByOracle(fork, env, state, transaction)
    expect(stepped).toMatchObject({ gasUsed: executionGas })
  }
})
