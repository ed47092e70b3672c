import type { ExitReason } from '../batch/reason.ts'
import { DeviceLostError, OutOfMemoryError } from '../device/fault.ts'

/** The reason that a fault of the device gives its lanes. Anything that is not such a fault is ours, and thrown on. */
export const faultReason = (thrown: unknown): ExitReason => {
  if (thrown instanceof DeviceLostError) return 'device lost'
  if (thrown instanceof OutOfMemoryError) return 'out of device memory'
  if (thrown instanceof Error && thrown.name === 'ValidationError') return 'device error'
  throw thrown
}

export const faultText = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))
