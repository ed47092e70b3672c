import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openWaits, SPIN_MS, throttledWait } from '../../host/device/throttle.ts'

/** A callback as the binding passes it. */
const native = (callback: () => void): (() => void) => callback.bind(undefined)

/** Whether a callback given to the global setImmediate becomes a timer. It has run when this resolves. */
const becomesTimer = async (callback: (done: () => void) => () => void): Promise<boolean> => {
  const timers = vi.spyOn(globalThis, 'setTimeout')
  await new Promise<void>((done) => setImmediate(callback(done)))
  const became = timers.mock.calls.length > 0
  timers.mockRestore()
  return became
}

describe('the event loop throttle', () => {
  const original = globalThis.setImmediate
  let finish: (value: string) => void
  let wait: Promise<string>
  let nowMs = 0
  /** As if the throttle's spinning phase were over: a busy machine has it over sooner or later than real time says. */
  const outlastSpin = (): void => {
    nowMs += SPIN_MS + 0.1
  }
  beforeEach(() => {
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
    wait = new Promise((resolve) => (finish = resolve))
  })
  afterEach(() => {
    vi.restoreAllMocks()
    expect(openWaits()).toBe(0)
    expect(globalThis.setImmediate).toBe(original)
  })

  test('turns native callbacks into timers during a wait, and leaves those of JavaScript alone', async () => {
    const throttled = throttledWait(wait)
    outlastSpin()
    expect(globalThis.setImmediate).not.toBe(original)
    expect(await becomesTimer((done) => () => done())).toBe(false)
    expect(await becomesTimer(native)).toBe(true)
    finish('value')
    expect(await throttled).toBe('value')
  })

  test('spins at first, so that short waits stay short', async () => {
    const throttled = throttledWait(wait)
    expect(await becomesTimer(native)).toBe(false)
    finish('')
    await throttled
  })

  test('spins for as long as one of the waits may', async () => {
    const patient = throttledWait(wait)
    const short = throttledWait(wait, 20)
    outlastSpin()
    expect(await becomesTimer(native)).toBe(false)
    nowMs += 20
    expect(await becomesTimer(native)).toBe(true)
    finish('')
    await Promise.all([patient, short])
  })

  test('ends with the last of overlapping waits', async () => {
    const first = throttledWait(Promise.resolve(1))
    const second = throttledWait(wait)
    expect(openWaits()).toBe(2)
    await first
    expect(openWaits()).toBe(1)
    expect(globalThis.setImmediate).not.toBe(original)
    finish('')
    await second
  })

  test('ends when the wait is rejected', async () => {
    await expect(throttledWait(Promise.reject(new Error('lost')))).rejects.toThrow('lost')
  })

  test('keeps what util.promisify needs', async () => {
    const throttled = throttledWait(wait)
    expect(await promisify(setImmediate)('value')).toBe('value')
    finish('')
    await throttled
  })

  test('leaves a function in place that other code put over it', async () => {
    const throttled = throttledWait(wait)
    const ours = globalThis.setImmediate
    const theirs = ((...args: Parameters<typeof setImmediate>) => ours(...args)) as typeof setImmediate
    globalThis.setImmediate = theirs
    finish('')
    await throttled
    expect(globalThis.setImmediate).toBe(theirs)
    expect(await becomesTimer(native)).toBe(false)
    globalThis.setImmediate = original
  })
})
