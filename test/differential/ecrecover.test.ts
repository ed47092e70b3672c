import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareWithSerial, runSerial } from '../../bench/oracle.ts'
import type { Signatures } from '../../host/chain/signatures.ts'
import {
  type ComputeDevice,
  createExecutor,
  type ExecutorOptions,
  MemoryState,
  openDevice,
  SenderCache,
  type TransactionObject,
} from '../../host/index.ts'
import { Precompiles } from '../../host/precompiles/precompiles.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { ThreadRecovery } from '../../host/senders/thread_recovery.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BATCH_ENV } from '../fixtures/batch_world.ts'
import { edgeRows, randomRows, type SignatureRow } from '../fixtures/signature_rows.ts'

const word = (value: bigint): string => value.toString(16).padStart(64, '0')

/** What ECRECOVER takes: hash, v, r, s. */
const inputOf = ({ z, r, s, parity }: SignatureRow): string =>
  `${word(z)}${word(BigInt(27 + parity))}${word(r)}${word(s)}`

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

describe('outcomes of ECRECOVER in bulk', () => {
  const thread = new ThreadRecovery()
  const asked: number[] = []
  const recover = (signatures: Signatures) => {
    asked.push(signatures.parity.length)
    return thread.recover(signatures)
  }

  test('are those of the reference for one input after another', async () => {
    const well = inputOf(edgeRows()[0]!)
    const ofV = (v: string): string => well.slice(0, 64) + v + well.slice(128)
    const inputs = [
      ...edgeRows().map(inputOf),
      ...[0n, 1n, 26n, 29n, 27n + 256n, 27n + 2n ** 255n, 2n ** 256n - 27n].map((v) => ofV(word(v))),
      `${well}ff`,
      `${well}${'11'.repeat(100)}`,
      '',
      well.slice(0, 64),
      well.slice(0, 254),
      well.slice(0, 190),
    ].map(bytesOf)
    const precompiles = new Precompiles('osaka', 1n, recover)
    const single: unknown[] = []
    for (const input of inputs) single.push(await precompiles.run(1, input))
    expect(asked).toEqual([])
    const bulk = await precompiles.runAll(1, inputs)
    expect(asked).toEqual([inputs.length])
    const plain = (results: readonly unknown[]): unknown[] =>
      (results as Awaited<typeof bulk>).map((result) => ({ ...result, output: bytesToHex(result!.output) }))
    expect(plain(bulk)).toEqual(plain(single))
    expect(plain(bulk).filter((result) => (result as { output: string }).output === '0x').length).toBeGreaterThan(40)
  })
})

const CALLED = `0x${'c0'.repeat(20)}`
const SENDERS = Array.from({ length: 12 }, (_, n) => `0x${(0xa0 + n).toString(16).repeat(20)}`)

/** Stores what ECRECOVER makes of the calldata after the selector, and the size of that, in slots of the caller. */
const CODE = assemble(`
  PUSH 128 PUSH 4 PUSH0 CALLDATACOPY
  PUSH 32 PUSH 128 PUSH 128 PUSH0 PUSH 1 GAS STATICCALL POP
  PUSH 128 MLOAD CALLER SSTORE
  RETURNDATASIZE PUSH 1 CALLER ADD SSTORE
  STOP
`)

/** Options, and how many lanes at least have their signature recovered in bulk: a path is recorded by calls alone. */
const FORMS: readonly (readonly [string, Partial<ExecutorOptions>, number])[] = [
  ['path programs', { recordFrom: 1, compile: 'wait', waves: 'always', kernels: 'never', laneVm: 'never' }, 8],
  ['the lane VM', { paths: 'never', compile: 'wait', waves: 'always', laneVm: 'always' }, SENDERS.length],
]

describe.each(FORMS)('calls of ECRECOVER by %s', (_, options, inBulk) => {
  let device: ComputeDevice
  beforeAll(async () => {
    device = await openDevice()
  })
  afterAll(() => device.destroy())

  test('recover all that lanes ask for at once, and give what serial execution gives', async () => {
    const rows = [...randomRows(7, 8), ...edgeRows().filter(({ name }) => / = (0|1|order)$/.test(name))]
    const transactions: TransactionObject[] = SENDERS.map((from, n) => ({
      from,
      to: CALLED,
      nonce: 0n,
      gasLimit: 200_000n,
      gasPrice: 10n,
      data: `0x11223344${inputOf(rows[n]!)}`,
    }))
    const accounts = Object.fromEntries(SENDERS.map((sender) => [sender, { balance: 10n ** 18n }]))
    const world = () => MemoryState.from({ ...accounts, [CALLED]: { code: bytesToHex(CODE) } })
    const serial = await runSerial({ fork: 'osaka', chainId: 1n, env: BATCH_ENV, state: world(), transactions })
    const senderCache = new SenderCache({ entries: 64 })
    for (const isAgain of [false, true]) {
      const state = world()
      const executor = createExecutor({ fork: 'osaka', chainId: 1n, state, device, senderCache, ...options })
      const { receipts, exits, faults } = await executor.execute({ env: BATCH_ENV, transactions })
      executor.close()
      expect(compareWithSerial({ receipts, state }, serial)).toBeUndefined()
      expect([exits, faults]).toEqual([{}, []])
      if (isAgain) expect(senderCache.hits).toBeGreaterThanOrEqual(inBulk)
      else expect(senderCache.hits).toBe(0)
    }
  })
})
