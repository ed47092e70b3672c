import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decorated } from '../../host/device/decorated.ts'
import { type ComputeDevice, openDevice, type TransactionObject } from '../../host/index.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import { batchState, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'
import { FaultyDevice, type RunFault } from './device_faults.ts'

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const SENDERS = 12
const EACH = 8

/** Payments of tokens and of ether, and one other call, each of a sender's after the ones before it. */
const payments = (nonce: bigint): TransactionObject[] =>
  Array.from({ length: SENDERS * EACH }, (_, n): TransactionObject => {
    const common = { from: sender(n % SENDERS), nonce: nonce + BigInt(Math.floor(n / SENDERS)), gasLimit: 200_000n }
    const data = `${word(BigInt(sender((n + 1) % SENDERS)))}${word(1n).slice(2)}`
    if (n === 7) return { ...common, gasPrice: 12n, to: contractAddress('counter') }
    return n % 3 === 0
      ? { ...common, gasPrice: 12n, to: stranger(n), value: 1n }
      : { ...common, gasPrice: 12n, to: contractAddress('token'), data }
  })

const PROGRAMS: BatchCheckOptions = { recordFrom: 1, programs: 'always', settle: 'device' }

/**
 * The submissions that settle, of all that a device is given: bytes of lanes that they copy and
 * that went up, and readbacks.
 */
const settlingRuns = (inner: ComputeDevice) => {
  const runs: { copied: number; uploaded: number; reads: number }[] = []
  const watched = decorated(inner, {
    run: (commands, options) => {
      if (commands.some((command) => command.kind === 'dispatch' && command.kernel.label === 'settle_count')) {
        const copies = commands.flatMap((one) => (one.kind === 'copy' ? [one] : []))
        // What goes up with the lanes is copied to their buffer, too.
        const up = copies.find(({ from }) => from.label === 'input')
        const kept = copies.filter((one) => one !== up && one.to === up?.to)
        const copied = kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
        runs.push({ copied, uploaded: up?.sizeBytes ?? 0, reads: options?.consume === undefined ? 0 : 1 })
      }
      return inner.run(commands, options)
    },
  })
  return { watched, runs }
}

/** Two slots of each payment of tokens, and what moves them; one of the other call, and what is set. */
const LANE_BYTES = 16 * (((2 * SENDERS * EACH) / 3 - 1) * (2 + 2 * 2) + 1 + 2)

describe('a batch that the device settles', () => {
  test('is settled whole, in one submission for each range, which copies the lanes that the device has', async () => {
    for (const [range, submissions, forms] of [
      [1000, 1, PROGRAMS],
      [32, 3, PROGRAMS],
      [48, 2, { ...PROGRAMS, programs: 'never' }],
    ] as const) {
      const { watched, runs } = settlingRuns(device)
      const check = new BatchCheck({ device: watched, ...forms, range })
      for (const nonce of [0n, BigInt(EACH)]) {
        const { difference, result } = await (nonce === 0n
          ? check.run(batchState(), payments(nonce))
          : check.next(payments(nonce)))
        expect(difference).toBeUndefined()
        expect(result.settled).toEqual({ transactions: SENDERS * EACH, submissions })
        expect(result.faults).toEqual([])
        expect(runs.map(({ reads }) => reads)).toEqual(new Array(submissions).fill(1))
        const sumOf = (name: 'copied' | 'uploaded'): number => runs.reduce((sum, run) => sum + run[name], 0)
        expect(sumOf('copied')).toBeGreaterThanOrEqual(LANE_BYTES)
        // Descriptions: of each path's dispatches, one or two in each range.
        expect(sumOf('uploaded')).toBeLessThanOrEqual(2 * submissions * 16 * (1 + 2 * 2 + 1 + 2))
        runs.length = 0
      }
      check.executor.close()
    }
  })

  test('is settled by the host where that is asked for, or costs less', async () => {
    for (const settle of ['host', undefined] as const) {
      const check = new BatchCheck({
        device,
        ...PROGRAMS,
        ...(settle === undefined ? { settle: undefined } : { settle }),
      })
      const { difference, result } = await check.run(batchState(), payments(0n))
      expect(difference).toBeUndefined()
      expect(result.settled).toEqual({ transactions: 0, submissions: 0 })
      check.executor.close()
    }
  })

  test('goes on after what only the host settles', async () => {
    const others = payments(0n).flatMap((payment, n) =>
      n === 40 ? [{ ...payment, nonce: payment.nonce + 7n }, payment] : [payment],
    )
    const check = new BatchCheck({ device, ...PROGRAMS })
    const { difference, result } = await check.run(batchState(), others)
    expect(difference).toBeUndefined()
    expect(result.rejected.map(({ index }) => index)).toEqual([40])
    expect(result.settled.transactions).toBeGreaterThan(80)
    check.executor.close()
  })

  test('compares lanes of the host with values before the batch, though the device first hears of them in its middle', async () => {
    const check = new BatchCheck({ device, ...PROGRAMS, waves: 'worth' })
    check.replace(batchState())
    const swap = (n: number, nonce: bigint, gasPrice: bigint): TransactionObject => ({
      ...{ from: sender(n), nonce, gasLimit: 200_000n, gasPrice },
      ...{ to: contractAddress('pool'), data: word(1000n) },
    })
    // Every batch leaves other reserves. The first swap pays no fee, so the host settles it, and a payment after it.
    for (let nonce = 0n; nonce < 2n; nonce++) {
      const payment = { from: sender(1), nonce, gasLimit: 21_000n, gasPrice: 12n, to: stranger(7), value: 1n }
      const swaps = [2, 3, 4, 5].map((n) => swap(n, nonce, 12n))
      const { difference, result } = await check.next([swap(0, nonce, 10n), payment, ...swaps])
      expect(difference).toBeUndefined()
      expect(result.settled.submissions).toBeGreaterThan(0)
      expect(result.tiers.pathHost).toBeGreaterThan(0)
    }
    check.executor.close()
  })

  test('stays exact where the device fails in any of its runs', async () => {
    const counted = new FaultyDevice(device, { run: {} })
    const check = new BatchCheck({ device: counted, ...PROGRAMS, range: 32 })
    expect((await check.run(batchState(), payments(0n))).difference).toBeUndefined()
    check.executor.close()
    const { run: runs } = counted.calls
    expect(runs).toBeGreaterThan(6)
    let settled = 0
    for (let call = 0; call < runs; call++) {
      for (const fault of ['lost', 'lostAfter', 'outOfMemory'] satisfies RunFault[]) {
        const faulty = new FaultyDevice(device, { run: { [call]: fault } })
        const failing = new BatchCheck({ device: faulty, ...PROGRAMS, range: 32 })
        const { difference, result } = await failing.run(batchState(), payments(0n))
        expect(difference, `${fault} in run ${call}`).toBeUndefined()
        if (fault === 'outOfMemory') expect(result.faults.join()).not.toMatch(/destroyed|invalid/i)
        settled += result.settled.transactions
        failing.executor.close()
      }
    }
    expect(settled).toBeGreaterThan(0)
  })
})
