import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { type Chain, SenderCache } from '../../host/index.ts'
import { traceMethods } from '../../service/methods/trace.ts'
import { BlockReader } from '../../service/node/block_reader.ts'
import { BlockTracer } from '../../service/node/block_tracer.ts'
import { Executors } from '../../service/node/executors.ts'
import type { NodeCalls } from '../../service/node/node_calls.ts'
import { assemble } from '../fixtures/assembler.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-trace-'))
const at = (n: number): string => `0x${n.toString(16).padStart(40, '0')}`
const [CALLER, TOP, CHILD, RICH] = [at(0xca11), at(0x7070), at(0xc41d), at(0x41c4)]
const code = (source: string): string => `0x${Buffer.from(assemble(source)).toString('hex')}`

let chain: Chain
let executors: Executors
let node: NodeCalls

beforeAll(async () => {
  chain = await openChain({ path: folder, genesis: parseGenesis(builtGenesis()), executor: { workers: 0 } })
  executors = new Executors({ chainId: 1n, workers: 0 }, chain.state, new SenderCache())
  const blocks = new BlockReader(chain, executors)
  node = { trace: new BlockTracer(chain, blocks, executors, 1_000_000n) } as unknown as NodeCalls
})
afterAll(async () => {
  executors.close()
  await chain.close()
  rmSync(folder, { recursive: true })
})

/** A call of TOP with this code, other accounts beside it. */
const traced = (top: string, config: object, others: object = {}): Promise<unknown> =>
  traceMethods['debug_traceCall']!(node, [
    { from: CALLER, to: TOP, gas: '0x186a0' },
    'latest',
    { ...config, stateOverrides: { [TOP]: { code: code(top) }, ...others } },
  ])

const CALL_CHILD = `PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH ${CHILD} PUSH 5000 CALL`

describe('traces of go-ethereum', () => {
  it('tell what a call hands on in its cost, and storage as it is met', async () => {
    const child = { [CHILD]: { code: code('PUSH 1 PUSH0 REVERT') } }
    const { structLogs, ...rest } = (await traced(
      `PUSH 7 PUSH 1 SSTORE PUSH 1 SLOAD POP ${CALL_CHILD} STOP`,
      {},
      child,
    )) as {
      structLogs: Record<string, unknown>[]
    }
    const find = (op: string) => structLogs.find((step) => step['op'] === op)!
    const word = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`
    expect(find('SSTORE')).toMatchObject({ gasCost: 22_100, storage: { [word(1)]: word(7) }, stack: ['0x7', '0x1'] })
    expect(find('SLOAD')).toMatchObject({ gasCost: 100, storage: { [word(1)]: word(7) } })
    expect(find('CALL')).toMatchObject({ gasCost: 2600 + 5000, depth: 1 })
    expect(find('REVERT')).toMatchObject({ gasCost: 3, depth: 2, gas: 5000 - 3 - 2 })
    expect(rest).toMatchObject({ failed: false, returnValue: '0x' })
  })

  it.each([
    ['ADD', { op: 'ADD', gasCost: 3, error: 'stack underflow (0 <=> 2)' }, 'stack underflow (0 <=> 2)'],
    ['PUSH 1 JUMP', { op: 'JUMP', gasCost: 8 }, 'invalid jump destination'],
    ['0x0c', { op: 'opcode 0xc not defined', gasCost: 0 }, 'invalid opcode: opcode 0xc not defined'],
    ['INVALID', { op: 'INVALID', gasCost: 0 }, 'invalid opcode: INVALID'],
    ['PUSH 1 PUSH0 PUSH0 RETURNDATACOPY', { op: 'RETURNDATACOPY', gasCost: 9 }, 'return data out of bounds'],
    [
      'PUSH32 0x8000000000000000000000000000000000000000000000000000000000000000 MLOAD',
      { op: 'MLOAD', gasCost: 3, error: 'gas uint64 overflow' },
      'gas uint64 overflow',
    ],
    [
      'PUSH 1000 PUSH 1000000000 MSTORE',
      { op: 'MSTORE', gasCost: 1_907_442_504_888, error: 'out of gas' },
      'out of gas',
    ],
  ])('name the fault of %s', async (source, last, error) => {
    const { structLogs, failed } = (await traced(source, {})) as { structLogs: unknown[]; failed: boolean }
    expect(structLogs.at(-1)).toMatchObject(last)
    expect(failed).toBe(true)
    const call = (await traced(source, { tracer: 'callTracer' })) as { error: string; gasUsed: string }
    expect(call).toMatchObject({ error, gasUsed: '0x186a0' })
  })

  it('are trees of calls: reverts with their reason, calls that cannot begin, creations, destructions, logs at their place', async () => {
    const reason =
      'PUSH 0x08c379a0 PUSH 224 SHL PUSH0 MSTORE PUSH 32 PUSH 4 MSTORE PUSH 2 PUSH 36 MSTORE PUSH 0x6e6f PUSH 240 SHL PUSH 68 MSTORE PUSH 100 PUSH0 REVERT'
    const top = `PUSH0 PUSH0 LOG0 ${CALL_CHILD} PUSH0 PUSH0 LOG0
      PUSH0 PUSH0 PUSH0 PUSH0 PUSH 9 PUSH ${CHILD} PUSH 5000 CALL
      PUSH0 PUSH0 PUSH0 CREATE
      PUSH0 PUSH0 PUSH0 PUSH0 PUSH ${RICH} PUSH 20000 DELEGATECALL STOP`
    const others = {
      [CHILD]: { code: code(`PUSH0 PUSH0 LOG0 ${reason}`) },
      [RICH]: { code: code(`PUSH ${CHILD} SELFDESTRUCT`) },
    }
    const tree = (await traced(top, { tracer: 'callTracer', tracerConfig: { withLog: true } }, others)) as {
      calls: Record<string, unknown>[]
      logs: Record<string, unknown>[]
    }
    expect(tree).toMatchObject({ type: 'CALL', from: CALLER, to: TOP, gas: '0x186a0', value: '0x0', input: '0x' })
    expect(tree.logs.map(({ position }) => position)).toStrictEqual(['0x0', '0x1'])
    const [reverted, poor, created, delegated] = tree.calls
    expect(reverted).toMatchObject({
      error: 'execution reverted',
      revertReason: 'no',
      from: TOP,
      to: CHILD,
      gas: '0x1388',
    })
    expect(reverted).toMatchObject({ logs: undefined })
    expect(poor).toMatchObject({
      error: 'insufficient balance for transfer',
      value: '0x9',
      gas: `0x${(5000 + 2300).toString(16)}`,
      gasUsed: '0x0',
    })
    expect(created).toMatchObject({ type: 'CREATE', from: TOP, value: '0x0' })
    expect(delegated).toMatchObject({
      type: 'DELEGATECALL',
      from: TOP,
      to: RICH,
      value: '0x0',
      calls: [{ type: 'SELFDESTRUCT', from: TOP, to: CHILD, value: '0x0', gas: '0x0', gasUsed: '0x0' }],
    })
    const only = await traced(top, { tracer: 'callTracer', tracerConfig: { onlyTopCall: true } }, others)
    expect(only).toMatchObject({ calls: undefined })
  })

  it('are the state that is met, and what is changed of it', async () => {
    const top = `PUSH 7 PUSH 1 SSTORE PUSH 2 SLOAD POP PUSH ${CHILD} BALANCE POP STOP`
    const slot = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`
    const others = {
      [CHILD]: { balance: '0x5' },
      [TOP]: { code: code(top), state: { [slot(1)]: slot(3), [slot(2)]: slot(4) } },
    }
    const met = (await traced(top, { tracer: 'prestateTracer' }, others)) as Record<string, Record<string, unknown>>
    expect(met[CHILD]).toStrictEqual({
      balance: '0x5',
      code: undefined,
      codeHash: undefined,
      nonce: undefined,
      storage: undefined,
    })
    expect(met[TOP]).toMatchObject({ code: code(top), storage: { [slot(1)]: slot(3), [slot(2)]: slot(4) } })
    expect(met).not.toHaveProperty([CALLER])
    const diff = (await traced(top, { tracer: 'prestateTracer', tracerConfig: { diffMode: true } }, others)) as {
      pre: Record<string, { storage: unknown }>
      post: Record<string, { storage: unknown }>
    }
    expect(diff.pre[TOP]!.storage).toStrictEqual({ [slot(1)]: slot(3) })
    expect(diff.post[TOP]!.storage).toStrictEqual({ [slot(1)]: slot(7) })
    expect(diff.post).not.toHaveProperty([CHILD])
  })

  it('have limits: of steps, of time, of tracers that are known', async () => {
    const loop = 'again: PUSH @again JUMP'
    const { structLogs } = (await traced(loop, { limit: 1000 })) as { structLogs: unknown[] }
    expect(structLogs.length).toBeGreaterThan(5)
    expect(structLogs.length).toBeLessThan(20)
    await expect(traced(loop, { timeout: '1ms' })).rejects.toMatchObject({ message: 'execution timeout' })
    await expect(traced(loop, { tracer: 'noTracer' })).rejects.toMatchObject({ code: -32000 })
    await expect(traced(loop, { txIndex: '0x1' })).rejects.toMatchObject({ code: -32602 })
    await expect(traced('again: MSIZE MLOAD POP PUSH @again JUMP', { enableMemory: true })).rejects.toMatchObject({
      code: -32005,
    })
  })
})
