import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWaits, SPIN_MS, throttledWait } from '../../host/device/throttle.ts'

/** A callback as the binding passes it. */
const native = (callback: () => void): (() => void) => callback.bind(undefined)

/** Blocks until the throttle's spinning phase is over. */
const outlastSpin = () => {
  const untilMs = performance.now() + SPIN_MS + 0.1
  while (performance.now() < untilMs);
}

/** Event loop turns (as `original` sees them) until a callback given to the global setImmediate has run. */
const turnsUntilRun = async (callback: (done: () => void) => () => void, turn: typeof setImmediate) => {
  let ran = false
  let turns = 0
  setImmediate(callback(() => (ran = true)))
  while (!ran) {
    await new Promise<void>((resolve) => turn(resolve))
    turns++
  }
  return turns
}

describe('the event loop throttle', () => {
  const original = globalThis.setImmediate
  let finish: (value: string) => void
  let wait: Promise<string>
  beforeEach(() => {
    wait = new Promise((resolve) => (finish = resolve))
  })
  afterEach(() => {
    expect(openWaits()).toBe(0)
    expect(globalThis.setImmediate).toBe(original)
  })

  test('turns native callbacks into timers during a wait, and leaves those of JavaScript alone', async () => {
    const throttled = throttledWait(wait)
    outlastSpin()
    expect(globalThis.setImmediate).not.toBe(original)
    const ofJavaScript = await turnsUntilRun((done) => () => done(), original)
    const ofBinding = await turnsUntilRun(native, original)
    expect(ofJavaScript).toBe(1)
    expect(ofBinding).toBeGreaterThan(1)
    finish('value')
    expect(await throttled).toBe('value')
  })

  test('spins at first, so that short waits stay short', async () => {
    const throttled = throttledWait(wait)
    expect(await turnsUntilRun(native, original)).toBe(1)
    finish('')
    await throttled
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

  test('leaves a function in place that somebody else put over it', async () => {
    const throttled = throttledWait(wait)
    const ours = globalThis.setImmediate
    const theirs = ((...args: Parameters<typeof setImmediate>) => ours(...args)) as typeof setImmediate
    globalThis.setImmediate = theirs
    finish('')
    await throttled
    expect(globalThis.setImmediate).toBe(theirs)
    expect(await turnsUntilRun(native, original)).toBe(1)
    globalThis.setImmediate = original
  })
})
