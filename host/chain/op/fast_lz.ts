import { ColumnMemory } from '../../primitives/column_memory.ts'
import { CHUNK_AT } from '../../primitives/column_request.ts'
import { type WasmModule, wasm } from '../../primitives/web_assembly.ts'
import { isPacked, type PackedTransactions, packTransactions, type SignedTransactions } from '../packed.ts'
import { FASTLZ_MODULE } from './fastlz_module.generated.ts'

/** Where the module's table of places begins. */
export const TABLE_AT = CHUNK_AT
const TABLE_BYTES = 4 * 8192
/** Transactions of a call of the module. */
const CHUNK = 4096
/** Bytes of a call of the module, where one transaction alone has no more. */
const CHUNK_BYTES = 1 << 20
/** A read of three bytes takes four. */
const SLACK_BYTES = 8

type Pass = (count: number, starts: number, base: number, to: number, upTo: number) => void

/** The memory of the module: its table, offsets and results of a chunk, and the bytes of the chunk. */
interface Estimator {
  readonly memory: ColumnMemory
  readonly starts: Uint32Array
  readonly results: Uint32Array
  bytes: Uint8Array
  readonly forget: () => void
  readonly passes: Readonly<Record<'compress' | 'countZeroes', Pass>>
}

let compiled: WasmModule | undefined
let opened: Estimator | undefined

const open = (): Estimator => {
  if (opened !== undefined) return opened
  compiled ??= new wasm.Module(Buffer.from(FASTLZ_MODULE, 'base64'))
  const memory = new ColumnMemory(TABLE_AT + TABLE_BYTES)
  const exports = memory.exportsOf(compiled) as Record<string, unknown>
  opened = {
    memory,
    starts: memory.words(CHUNK + 1),
    results: memory.words(CHUNK),
    bytes: bytesIn(memory, CHUNK_BYTES),
    forget: exports['forget'] as () => void,
    passes: { compress: exports['compress'] as Pass, countZeroes: exports['countZeroes'] as Pass },
  }
  return opened
}

const bytesIn = (memory: ColumnMemory, length: number): Uint8Array => {
  const words = memory.words(Math.ceil((length + SLACK_BYTES) / 4))
  if (memory.isFull) throw new RangeError(`no memory for a transaction of ${length} bytes`)
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

/**
 * Length of each signed transaction after FastLZ at its first level, which nothing else of it is needed for; 0 of those
 * of `upTo` bytes and less.
 */
export const fastLzLengths = (signed: SignedTransactions, upTo = 0): Uint32Array => over(signed, 'compress', upTo)

/** Zero bytes of each signed transaction. */
export const zeroByteCounts = (signed: SignedTransactions): Uint32Array => over(signed, 'countZeroes', 0)

const over = (signed: SignedTransactions, pass: 'compress' | 'countZeroes', upTo: number): Uint32Array => {
  const packed = isPacked(signed) ? signed : packTransactions(signed)
  const { offsets } = packed
  const estimator = open()
  const found = new Uint32Array(offsets.length - 1)
  for (let first = 0; first < found.length; ) {
    // Not even brought to the module.
    if (offsets[first + 1]! - offsets[first]! <= upTo) first++
    else first = chunk(estimator, packed, first, found, pass, upTo)
  }
  return found
}

/** Transactions from `first` on, as many as the memory takes; returns the next one. */
const chunk = (
  estimator: Estimator,
  { bytes, offsets }: PackedTransactions,
  first: number,
  found: Uint32Array,
  pass: 'compress' | 'countZeroes',
  upTo: number,
): number => {
  const from = offsets[first]!
  const most = Math.min(found.length, first + CHUNK)
  let end = first + 1
  while (end < most && offsets[end + 1]! - from <= CHUNK_BYTES) end++
  const length = offsets[end]! - from
  if (length + SLACK_BYTES > estimator.bytes.length) estimator.bytes = bytesIn(estimator.memory, length)
  estimator.bytes.set(bytes.subarray(from, offsets[end]!))
  for (let i = first; i <= end; i++) estimator.starts[i - first] = offsets[i]! - from
  if (pass === 'compress') estimator.forget()
  const { starts, results } = estimator
  estimator.passes[pass](end - first, starts.byteOffset, estimator.bytes.byteOffset, results.byteOffset, upTo)
  found.set(results.subarray(0, end - first), first)
  return end
}
