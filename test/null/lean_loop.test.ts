import { EVM, type ExecResult } from '@ethereumjs/evm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TransactionObject } from '../../host/chain/batch.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { assemble } from '../fixtures/assembler.ts'
import { runOnCpuTier } from '../fixtures/cpu_run.ts'
import { addressOf } from '../fixtures/cpu_world.ts'

const [ALICE, OUTER, INNER] = [addressOf('alice'), addressOf('outer'), addressOf('inner')]
const ENV = {
  number: 1n,
  timestamp: 1n,
  coinbase: addressOf('coinbase'),
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  prevRandao: 0n,
}
/** Frames of two calls to OUTER, which calls INNER. */
const FRAMES = 4

/** The stock loop of the package, and what it leaves; the declaration hides both. */
interface StockEvm {
  runInterpreter(...args: unknown[]): Promise<ExecResult>
}
const PROTOTYPE = EVM.prototype as unknown as StockEvm
const stockLoop = PROTOTYPE.runInterpreter

interface Frame {
  _runState: Record<string, unknown>
  _result?: unknown
  lookupOpInfo?: unknown
}

let warnings: string[]
let stockFrames: number

/**
 * Counts the frames that the stock loop runs; `change` makes of each frame what another version of the package could
 * leave.
 */
const watch = (change: (frame: Frame, result: ExecResult) => void = () => {}): void => {
  PROTOTYPE.runInterpreter = async function (this: StockEvm, ...args) {
    stockFrames++
    const result = await stockLoop.apply(this, args)
    change(result.runState!.interpreter as unknown as Frame, result)
    return result
  }
}

/** On a module that was loaded anew: it warns once. Returns the gas used by each transaction. */
const executeAnew = async (evms = 1): Promise<bigint[]> => {
  vi.resetModules()
  const { createCpuTier } = await import('../../host/tiers/cpu/ethereumjs/transaction.ts')
  let gas: bigint[] = []
  for (let n = 0; n < evms; n++) {
    const state = MemoryState.from({
      [ALICE]: { balance: 10n ** 20n },
      [OUTER]: {
        nonce: 1n,
        code: assemble(`PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE
          PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${INNER} GAS CALL PUSH @end JUMPI INVALID end: STOP`),
      },
      [INNER]: { nonce: 1n, code: assemble('CALLER PUSH 31 MSTORE PUSH 32 MLOAD PUSH 1 SSTORE STOP') },
    })
    const transactions = [0n, 1n].map(
      (nonce): TransactionObject => ({ from: ALICE, to: OUTER, nonce, gasLimit: 100_000n, gasPrice: 10n }),
    )
    const tier = await createCpuTier({ fork: 'prague', chainId: 1n })
    const receipts = await runOnCpuTier(tier, 'prague', ENV, state, transactions)
    expect(state.storage(OUTER, 0n)).toBe(2n)
    gas = [receipts.get(0)!.gasUsed, receipts.get(1)!.gasUsed]
  }
  return gas
}

beforeEach(() => {
  warnings = []
  stockFrames = 0
  vi.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)))
})
afterEach(() => {
  vi.restoreAllMocks()
  PROTOTYPE.runInterpreter = stockLoop
})

describe('the lean loop of the CPU tier', () => {
  test('is active with the installed package: the stock loop runs the first frame of an EVM and no other', async () => {
    watch()
    await executeAnew()
    expect([stockFrames, warnings]).toEqual([1, []])
  })

  /** What lean_evm.ts and instructions.ts take from a frame, and how another version could lack it. */
  const state = (key: string, value: unknown) => (frame: Frame) => void Object.assign(frame._runState, { [key]: value })
  test.each<[part: string, change: (frame: Frame, result: ExecResult) => void]>([
    ['runState', (_, result) => void delete result.runState],
    ['runState', (frame) => void Reflect.deleteProperty(frame, '_runState')],
    ['_result', (frame) => void Reflect.deleteProperty(frame, '_result')],
    ['lookupOpInfo', (frame) => void Object.assign(frame, { lookupOpInfo: undefined })],
    ['programCounter', state('programCounter', 0n)],
    ['gasLeft', state('gasLeft', 0)],
    ['gasRefund', state('gasRefund', 0)],
    ['validJumps', state('validJumps', new Set())],
    ['cachedPushes', state('cachedPushes', undefined)],
    ['shouldDoJumpAnalysis', state('shouldDoJumpAnalysis', undefined)],
    ['stack', state('stack', { items: [] })],
    ['memory', state('memory', { _store: [] })],
  ])('is left to the stock loop, and one warning says so, where frames have no %s', async (part, change) => {
    const lean = await executeAnew()
    watch(change)
    // Two EVMs: each looks at its first frame, and then at every one.
    expect(await executeAnew(2)).toEqual(lean)
    expect(stockFrames).toBe(2 * (1 + FRAMES))
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`no ${part} in a frame`))])
  })
})
