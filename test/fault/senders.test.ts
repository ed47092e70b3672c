import { spawnSync } from 'node:child_process'
import { setImmediate as turn } from 'node:timers/promises'
import { BroadcastChannel } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import type { Signatures } from '../../host/chain/signatures.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { DeviceLostError } from '../../host/device/fault.ts'
import {
  createExecutor,
  createStateTrie,
  ExecutorClosedError,
  type ExecutorOptions,
  SenderCache,
} from '../../host/index.ts'
import { emptySenders } from '../../host/senders/rows.ts'
import type { SenderRecovery } from '../../host/senders/sender_recovery.ts'
import { Senders } from '../../host/senders/senders.ts'
import { ThreadRecovery } from '../../host/senders/thread_recovery.ts'
import { WorkersRecovery } from '../../host/senders/workers_recovery.ts'
import { ATTRIBUTES, blockWorld, keyed, signed } from '../fixtures/block_world.ts'
import { randomRows, signaturesOf } from '../fixtures/signature_rows.ts'

const workerAt = (name: string): URL => new URL(`../fixtures/workers/${name}`, import.meta.url)
const SIGNATURES = signaturesOf(randomRows(11, 200))
const EXPECTED = await new ThreadRecovery().recover(SIGNATURES)

describe('workers that recover senders', () => {
  let recovery: WorkersRecovery | undefined
  afterEach(() => recovery?.close())

  /** Recovers again and again until the workers have taken part: threads start when they get their share of a core. */
  const untilFault = async (entry: URL): Promise<void> => {
    recovery = new WorkersRecovery({ workers: 2, entry })
    for (let n = 0; n < 200 && recovery.faults.length === 0; n++)
      expect(await recovery.recover(SIGNATURES)).toEqual(EXPECTED)
  }

  test('lose no rows when they end in the middle, and are replaced', async () => {
    await untilFault(workerAt('senders_crash.mjs'))
    expect(recovery!.faults[0]).toBe('worker that recovers senders: exit code 3')
    expect(await recovery!.recover(SIGNATURES)).toEqual(EXPECTED)
  })

  test('lose no rows where their module cannot be loaded', async () => {
    await untilFault(workerAt('no_such_module.mjs'))
    expect(recovery!.faults[0]).toContain('no_such_module.mjs')
  })

  test('are given up after a number of them', async () => {
    recovery = new WorkersRecovery({ workers: 1, entry: workerAt('no_such_module.mjs') })
    for (let n = 0; recovery.faults.length < 9; n++) {
      expect(n).toBeLessThan(2000)
      expect(await recovery.recover(SIGNATURES)).toEqual(EXPECTED)
    }
    for (let n = 0; n < 20; n++) await recovery.recover(SIGNATURES)
    expect(recovery.faults.length).toBe(9)
  })

  test('cost time and no rows where they hang', async () => {
    recovery = new WorkersRecovery({ workers: 2, entry: workerAt('senders_silent.mjs') })
    let claims = 0
    const channel = new BroadcastChannel('silent worker')
    channel.onmessage = () => claims++
    for (let n = 0; n < 200 && claims < 2; n++) expect(await recovery.recover(SIGNATURES)).toEqual(EXPECTED)
    channel.close()
    expect([claims, recovery.faults]).toEqual([2, []])
  })

  test('end with what the caller has thrown, and take the next call', async () => {
    recovery = new WorkersRecovery({ workers: 1 })
    const reason = new Error('no more')
    let checks = 0
    const stop = {
      check() {
        if (++checks === 3) throw reason
      },
    }
    await expect(recovery.recover(SIGNATURES, stop)).rejects.toBe(reason)
    expect(checks).toBe(3)
    expect(await recovery.recover(SIGNATURES)).toEqual(EXPECTED)
  })

  test('go on on this thread when they are closed in the middle', async () => {
    recovery = new WorkersRecovery({ workers: 1 })
    const recovering = recovery.recover(SIGNATURES)
    recovery.close()
    expect(await recovering).toEqual(EXPECTED)
    expect(await recovery.recover(SIGNATURES)).toEqual(EXPECTED)
    expect(recovery.faults).toEqual([])
  })

  test('let the process end while they wait', () => {
    const module = new URL('../../host/senders/workers_recovery.ts', import.meta.url)
    const script = `
      import { WorkersRecovery } from '${module}'
      const row = { hash: new Uint8Array(3200), rs: new Uint8Array(6400), parity: new Uint8Array(100) }
      const { found } = await new WorkersRecovery({ workers: 1 }).recover(row)
      console.log(found.length)
    `
    const options = { encoding: 'utf8', timeout: 60_000 } as const
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      options,
    )
    expect([status, stdout]).toEqual([0, '100\n'])
  })
})

describe('an executor that opens its device', () => {
  const world = blockWorld('prague')
  const one = signed({ from: keyed(0), to: keyed(1), nonce: 0n, gasLimit: 21_000n, gasPrice: 20n, value: 1n }, 'prague')
  const env = {
    number: 1n,
    timestamp: 1n,
    coinbase: keyed(9),
    gasLimit: 60_000_000n,
    baseFeePerGas: 7n,
    prevRandao: 0n,
  }
  const NO_DEVICE = 'senders (device): there is no device that works'

  const opening = (options: Partial<ExecutorOptions> = {}) => {
    const opened: number[] = []
    const device = async (): Promise<ComputeDevice> => {
      opened.push(1)
      await turn()
      throw new Error('none in this machine')
    }
    const state = world.state.clone()
    const shared = { fork: 'prague', chainId: 1n, state, workers: 0, senders: 'device', senderCache: false } as const
    const executor = createExecutor({ ...shared, device, ...options })
    const faults = async () => (await executor.execute({ env, transactions: [] })).faults
    return { executor, opened, faults, parentState: createStateTrie(state.dump()) }
  }

  test('does it for the first that decodes, once beside calls, and tells that there is none', async () => {
    const { executor, opened, faults } = opening()
    await executor.decode([one])
    expect(opened.length).toBe(1)
    expect(await faults()).toEqual(['no device: none in this machine', NO_DEVICE])
    await executor.decode([one])
    expect([opened.length, await faults()]).toEqual([1, ['no device: none in this machine']])
    executor.close()
    const beside = opening()
    await Promise.all([beside.executor.decode([one]), beside.faults(), beside.executor.decode([one])])
    expect(beside.opened.length).toBe(1)
    beside.executor.close()
  })

  test('does it for the first block of a stream, before its senders are recovered', async () => {
    const { executor, opened, parentState } = opening()
    const attributes = { ...ATTRIBUTES, withdrawals: [] }
    const builder = opening({ senders: 'thread' })
    const { block } = await builder.executor.build({ parent: world.parent, attributes, pool: [one], parentState })
    builder.executor.close()
    const results = executor.stream([block], { parent: world.parent, parentState: createStateTrie(world.state.dump()) })
    const { value } = await results.next()
    expect([opened.length, value?.faults]).toEqual([1, ['no device: none in this machine', NO_DEVICE]])
    executor.close()
    // A block that is refused before any call has begun.
    const refused = opening()
    const other = { ...block, header: { ...block.header, transactionsRoot: block.header.receiptsRoot } }
    const stream = refused.executor.stream([other], { parent: world.parent, parentState: refused.parentState })
    await expect(stream.next()).rejects.toMatchObject({ field: 'transactionsRoot' })
    expect(refused.opened.length).toBe(1)
    refused.executor.close()
  })

  test('leaves it closed where threads alone recover', async () => {
    for (const senders of ['thread', 'workers'] as const) {
      const { executor, opened } = opening({ senders })
      await executor.decode([one])
      expect(opened.length).toBe(0)
      executor.close()
    }
  })
})

describe('an executor that recovers senders', () => {
  const world = blockWorld('prague')
  const one = signed({ from: keyed(0), to: keyed(1), nonce: 0n, gasLimit: 21_000n, gasPrice: 20n, value: 1n }, 'prague')
  const pool: Uint8Array[] = new Array(1000).fill(one)

  const building = (senders: 'thread' | 'workers', signal?: AbortSignal) => {
    const state = world.state.clone()
    const options = { fork: 'prague', chainId: 1n, state, workers: 1, senders, senderCache: false } as const
    const executor = createExecutor(options)
    const parentState = createStateTrie(state.dump())
    const attributes = { ...ATTRIBUTES, withdrawals: [] }
    const request = { parent: world.parent, attributes, pool, parentState, ...(signal === undefined ? {} : { signal }) }
    const result = executor.build(request)
    result.catch(() => {})
    return { executor, result, state, request }
  }

  test.each(['thread', 'workers'] as const)('ends early when it is closed (%s)', async (form) => {
    const { executor, result, state } = building(form)
    await turn()
    executor.close()
    await expect(result).rejects.toThrow(ExecutorClosedError)
    expect(state.dump()).toEqual(world.state.dump())
  })

  test.each(['thread', 'workers'] as const)(
    'ends early with its signal, and builds the next time (%s)',
    async (form) => {
      const controller = new AbortController()
      const { executor, result, request } = building(form, controller.signal)
      try {
        await turn()
        const reason = new Error('not now')
        controller.abort(reason)
        await expect(result).rejects.toBe(reason)
        const { signal: _, ...again } = request
        expect((await executor.build({ ...again, pool: [one] })).order).toEqual([0])
      } finally {
        executor.close()
      }
    },
  )
})

/** A form on a device that does what it is told. */
class ToldRecovery implements SenderRecovery {
  readonly name = 'device'
  readonly calls: number[] = []
  fault: Error | undefined
  isClosed = false

  async recover({ parity }: Signatures) {
    this.calls.push(parity.length)
    if (this.fault !== undefined) throw this.fault
    return emptySenders(parity.length)
  }

  close(): void {
    this.isClosed = true
  }
}

const deviceNamed = (name: string) =>
  ({ name, kind: 'gpu', software: false, isLost: false }) as unknown as ComputeDevice

describe('recovery on a device', () => {
  test('that fails hands its rows to the next form, once for each device, and is told', async () => {
    const forms: ToldRecovery[] = []
    let device = deviceNamed('first')
    const deviceForm = () => {
      const form = new ToldRecovery()
      form.fault = new DeviceLostError('the cable is out')
      forms.push(form)
      return form
    }
    const senders = new Senders({ mode: 'device', workers: 0, cache: false, device: () => device, deviceForm })
    expect(await senders.recover(SIGNATURES)).toEqual(EXPECTED)
    expect(senders.takeFaults()).toEqual(['senders (device): the cable is out'])
    expect(await senders.recover(SIGNATURES)).toEqual(EXPECTED)
    expect([senders.takeFaults(), forms.map(({ calls }) => calls)]).toEqual([[], [[200]]])
    device = deviceNamed('second')
    expect(await senders.recover(SIGNATURES)).toEqual(EXPECTED)
    expect(senders.takeFaults()).toEqual(['senders (device): the cable is out'])
    expect(forms.map(({ calls, isClosed }) => [calls, isClosed])).toEqual([
      [[200], true],
      [[200], false],
    ])
    senders.close()
    expect(forms[1]!.isClosed).toBe(true)
  })

  test.each(['device', 'thread'] as const)('gives nothing after its stop, nor the cache (%s)', async (mode) => {
    const cache = new SenderCache()
    const device = deviceNamed('slow')
    const senders = new Senders({ mode, workers: 0, cache, device: () => device, deviceForm: () => new ToldRecovery() })
    const reason = new Error('not now')
    let checks = 0
    const stop = {
      check() {
        if (++checks > 2) throw reason
      },
    }
    const few = signaturesOf(randomRows(13, 2))
    await expect(senders.recover(few, stop)).rejects.toBe(reason)
    await senders.recover(few)
    expect([cache.hits, senders.takeFaults()]).toEqual([0, []])
    // A thread also asks after each slice of time.
    if (mode === 'device') expect(checks).toBe(3)
    senders.close()
  })

  test('takes what it is faster for, once it is measured in the background', async () => {
    const form = new ToldRecovery()
    const device = deviceNamed('fast')
    const senders = new Senders({ workers: 0, cache: false, device: () => device, deviceForm: () => form })
    const many = signaturesOf(randomRows(12, 200))
    for (let n = 0; n < 20; n++) await senders.recover(many)
    expect([form.calls, senders.choice(65_536)]).toEqual([[], 'thread'])
    // The rows from which kernels pay: measured beside this call, which others carry.
    expect((await senders.recover(many)).found.includes(1)).toBe(true)
    await turn()
    expect(form.calls.length).toBe(5)
    expect(senders.choice(65_536)).toBe('device')
    await senders.recover(many)
    expect(form.calls.at(-1)).toBe(200)
    senders.close()
  })

  test('that fails while it is measured is not taken', async () => {
    const form = new ToldRecovery()
    form.fault = new Error('does not compile')
    const device = deviceNamed('odd')
    const senders = new Senders({ workers: 0, cache: false, device: () => device, deviceForm: () => form })
    await senders.measure()
    expect(senders.takeFaults()).toEqual(['senders (device): does not compile'])
    expect(senders.choice(1e6)).toBe('thread')
    senders.close()
  })
})
