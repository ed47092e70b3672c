import type { LogOutput, OutputWord } from '../../../transpiler/path_kernel.ts'
import { rlpBytes, rlpList } from '../../primitives/rlp.ts'
import { wordFromBigInt, wordToBytes } from '../../primitives/word.ts'

/**
 * The RLP of the logs of a path, one after another, as far as all lanes have the same; `emitters` (20 bytes at `at`)
 * and `words` (their first `length` bytes) are a lane's own.
 */
export interface EncodedLogs {
  readonly bytes: Uint8Array
  readonly emitters: readonly { readonly at: number; readonly account: number }[]
  readonly words: readonly { readonly at: number; readonly word: OutputWord; readonly length: number }[]
}

/** Undefined where a log has one byte of data: how long its RLP is depends on the byte. */
export const encodedLogs = (logs: readonly LogOutput[]): EncodedLogs | undefined => {
  if (logs.some(({ data }) => data.bytes === 1)) return undefined
  const emitters: { at: number; account: number }[] = []
  const words: { at: number; word: OutputWord; length: number }[] = []
  const encoded: Uint8Array[] = []
  let start = 0
  for (const { emitter, topics, data } of logs) {
    const topicFields = rlpList(topics.map((topic) => rlpBytes(constantBytes(topic))))
    const log = rlpList([rlpBytes(new Uint8Array(20)), topicFields, rlpBytes(dataBytes(data.bytes, data.words))])
    // From the end, since only what stands before a field says how long its heads are.
    const dataAt = start + log.length - data.bytes
    const topicsEnd = start + log.length - rlpBytes(new Uint8Array(data.bytes)).length
    emitters.push({ at: topicsEnd - topicFields.length - 20, account: emitter })
    for (const [n, word] of topics.entries())
      words.push({ at: topicsEnd - 33 * (topics.length - n) + 1, word, length: 32 })
    for (const [n, word] of data.words.entries())
      words.push({ at: dataAt + 32 * n, word, length: Math.min(32, data.bytes - 32 * n) })
    encoded.push(log)
    start += log.length
  }
  const bytes = new Uint8Array(start)
  let at = 0
  for (const log of encoded) {
    bytes.set(log, at)
    at += log.length
  }
  return { bytes, emitters, words: words.filter(({ word, length }) => word.kind !== 'constant' && length > 0) }
}

const dataBytes = (length: number, words: readonly OutputWord[]): Uint8Array => {
  const whole = new Uint8Array(32 * words.length)
  for (const [n, word] of words.entries()) whole.set(constantBytes(word), 32 * n)
  return whole.subarray(0, length)
}

/** Zeros where it is not a constant. */
const constantBytes = (word: OutputWord): Uint8Array => {
  const bytes = new Uint8Array(32)
  if (word.kind !== 'constant') return bytes
  const limbs = new Uint32Array(8)
  wordFromBigInt(limbs, 0, word.value)
  wordToBytes(bytes, 0, limbs, 0)
  return bytes
}
