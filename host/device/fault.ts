/**
 * The device is gone: the driver was reset, the GPU was unplugged, or the process ran into a limit. Everything on it is
 * lost; open another one. A call of an executor does not throw it: the batch ends on the CPU tier, and `faults` says
 * so.
 *
 * @example
 * import { DeviceLostError, openDevice } from 'wgevm'
 *
 * const device = await openDevice()
 * device.lost.then((error) => console.log(error instanceof DeviceLostError, error.message))
 * device.destroy()
 */
export class DeviceLostError extends Error {
  override readonly name = 'DeviceLostError'
}

/**
 * The device has no room for a buffer or a dispatch; the device itself stays usable. A call of an executor does not
 * throw it: the wave runs in halves, and what does not fit alone runs on the CPU tier.
 *
 * @example
 * import { OutOfMemoryError } from 'wgevm'
 *
 * const isRoom = (error: unknown): boolean => error instanceof OutOfMemoryError
 * console.log(isRoom(new OutOfMemoryError('lanes: 1 GiB'))) // true
 */
export class OutOfMemoryError extends Error {
  override readonly name = 'OutOfMemoryError'
}

/**
 * WebGPU refused a command: wrong usage, a range outside its buffer, a binding that does not fit. It is a bug of this
 * library or of a driver; with `robustness: 'checked'` also an index outside its array.
 *
 * @example
 * import { ValidationError } from 'wgevm'
 *
 * const isBug = (error: unknown): boolean => error instanceof ValidationError
 * console.log(isBug(new Error('no'))) // false
 */
export class ValidationError extends Error {
  override readonly name = 'ValidationError'
}

export type DeviceFault = DeviceLostError | OutOfMemoryError | ValidationError

/** What a fault of the device is for the transactions that it had, in words. */
export type DeviceFaultReason = 'device lost' | 'out of device memory' | 'device error'

/** The reason that a fault of the device gives its lanes. Anything that is not such a fault is a bug, and thrown on. */
export const faultReason = (thrown: unknown): DeviceFaultReason => {
  if (thrown instanceof DeviceLostError) return 'device lost'
  if (thrown instanceof OutOfMemoryError) return 'out of device memory'
  if (thrown instanceof Error && thrown.name === 'ValidationError') return 'device error'
  throw thrown
}

export const faultText = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))

const FILTERS = ['internal', 'out-of-memory', 'validation'] as const

/** @internal */
export interface Scoped<T> {
  readonly value: T
  /** Resolves, after the device has seen the work, to the first fault in it. Never rejects. */
  readonly fault: Promise<DeviceFault | undefined>
}

/**
 * Runs synchronous device calls inside one error scope per kind of error, so each error belongs to the calls that
 * caused it. Scopes nest, and `work` cannot await: concurrent callers do not mix.
 *
 * @internal
 */
export const scoped = <T>(gpu: GPUDevice, label: string, work: () => T): Scoped<T> => {
  for (const filter of FILTERS) gpu.pushErrorScope(filter)
  const popped: Promise<DeviceFault | undefined>[] = []
  const pop = () => {
    for (const filter of FILTERS.toReversed()) {
      popped.push(
        gpu.popErrorScope().then(
          (error) => (error ? faultOf(filter, label, error) : undefined),
          () => undefined,
        ),
      )
    }
  }
  try {
    const value = work()
    pop()
    return { value, fault: Promise.all(popped).then((faults) => faults.find((fault) => fault !== undefined)) }
  } catch (thrown) {
    if (popped.length === 0) pop()
    throw thrown
  }
}

/** The typed form of an error that WebGPU caught in a scope of this kind. @internal */
export const faultOf = (filter: GPUErrorFilter, label: string, error: GPUError): DeviceFault => {
  const message = `${label}: ${firstLine(error.message)}`
  if (filter === 'out-of-memory') return new OutOfMemoryError(message, { cause: error })
  return new ValidationError(message, { cause: error })
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text
