import { OutOfMemoryError } from './fault.ts'

/**
 * The limits that bound a storage buffer. They need not be multiples of anything: on NVIDIA Dawn binds 2^31 - 4 bytes.
 */
export interface StorageLimits {
  readonly maxStorageBufferBindingSize: number
  readonly maxBufferSize: number
}

/** Buffers hold whole `vec4<u32>`. */
const VECTOR_BYTES = 16
/** A wave of more than this is cut: one allocation of half a card fails sooner than two of a quarter. */
const WAVE_BYTES = 2 ** 30

/** The size of the largest storage buffer: a multiple of 16 within the limits. */
export const mostStorageBytes = ({ maxStorageBufferBindingSize, maxBufferSize }: StorageLimits): number =>
  Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / VECTOR_BYTES) * VECTOR_BYTES

/** The size of the largest buffer of a wave. */
export const mostWaveBytes = (limits: StorageLimits): number => Math.min(WAVE_BYTES, mostStorageBytes(limits))

/** `leastBytes` doubled until it holds `neededBytes`, but within the limits where those hold it. */
export const doubledBytes = (leastBytes: number, neededBytes: number, limits: StorageLimits): number => {
  let size = leastBytes
  while (size < neededBytes) size *= 2
  return Math.max(neededBytes, Math.min(size, mostStorageBytes(limits)))
}

/**
 * The size that a buffer of so many bytes is made with: rounded up to 16. Throws OutOfMemoryError where no binding
 * holds it.
 */
export const bufferBytes = (label: string, sizeBytes: number, mostBytes: number): number => {
  const size = Math.max(VECTOR_BYTES, Math.ceil(sizeBytes / VECTOR_BYTES) * VECTOR_BYTES)
  if (size > mostBytes) throw new OutOfMemoryError(`${label}: ${size} bytes, this device binds at most ${mostBytes}`)
  return size
}
