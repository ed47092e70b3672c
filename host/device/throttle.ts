/**
 * Keeps a pending wait from spinning a core.
 *
 * While any promise of the device is pending, dawn.node re-queues its event processing through the global
 * `setImmediate`: a spin at 100 % of a core, which a software adapter needs for itself, and for minutes where a driver
 * compiles. While waits are open, this module replaces the global function and turns the binding's callbacks into 1 ms
 * timers after some spinning. Callbacks of other code (JavaScript functions, where the binding passes native ones) go
 * straight through. The original comes back when the last wait ends; if other code wrapped the function meanwhile, ours
 * stays in their chain and passes everything through.
 *
 * Measured on lavapipe, two cores: round trip 0.09 ms spinning, 1.2 ms with timers; a long kernel 2975 -> 1568 ms.
 */
export const SPIN_MS = 0.4
/**
 * A hardware device leaves the core alone: its dispatches end sooner than a timer, but a wait for more than a wave need
 * not spin.
 */
export const HARDWARE_SPIN_MS = 20

let waits = 0
let spinUntilMs = 0
let original: typeof globalThis.setImmediate | undefined

const isNative = (callback: unknown): boolean =>
  typeof callback === 'function' && Function.prototype.toString.call(callback).includes('[native code]')

const install = () => {
  const through = globalThis.setImmediate
  const throttled = (callback: (...args: unknown[]) => void, ...args: unknown[]): unknown =>
    waits > 0 && isNative(callback) && performance.now() > spinUntilMs
      ? setTimeout(callback, 1, ...args)
      : through(callback, ...args)
  // `util.promisify` looks for a symbol property of the function.
  Object.defineProperties(throttled, Object.getOwnPropertyDescriptors(through))
  original = through
  installed = throttled as typeof globalThis.setImmediate
  globalThis.setImmediate = installed
}
let installed: typeof globalThis.setImmediate | undefined

const restore = () => {
  if (globalThis.setImmediate === installed && original !== undefined) globalThis.setImmediate = original
  installed = undefined
  original = undefined
}

/**
 * Awaits `wait` with the throttle on, after `spinMs` of spinning. Waits may nest and overlap: each may spin for its
 * time, and the throttle ends with the last one, also on errors.
 */
export const throttledWait = async <T>(wait: Promise<T>, spinMs = SPIN_MS): Promise<T> => {
  spinUntilMs = Math.max(spinUntilMs, performance.now() + spinMs)
  if (++waits === 1) install()
  try {
    return await wait
  } finally {
    if (--waits === 0) restore()
  }
}

/** Number of waits under the throttle now. */
export const openWaits = (): number => waits
