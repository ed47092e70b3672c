import type { TransactionBatch } from '../../chain/batch.ts'

const WORD_BYTES = 32
const SELECTOR_BYTES = 4
/** Words of the calldata that are looked at, from the front. */
const MOST_WORDS = 16
/** Calls from which it is told which words do. */
const SAMPLE = 64
/** A word with at most so many values names a way; else it counts by its size, unless it is too long for a number. */
const MOST_VALUES = 16
const MOST_NUMBER_BYTES = 16
/** Fewer are not worth it. */
const FEWEST = 16
const MAGNITUDES = 256
/** Keys below so many are counted instead of compared. */
const MOST_COUNTED = 2 ** 12
/** A double holds a key and a position. */
const MOST_KEYS = 2 ** 33
const MOST_POSITIONS = 2 ** 20

/**
 * Sorts positions of calls that have code, selector and calldata size in common so that neighbours are likely to take
 * the same way and to loop as often: by words of the calldata that have few values, such as a token or a flag, and by
 * the magnitude of words that are numbers; equal ones stay as they were. positions[k] is a position in `transactions`.
 */
export const orderByCalldata = (batch: TransactionBatch, transactions: Int32Array, positions: Uint32Array): void => {
  const count = positions.length
  if (count < FEWEST || count > MOST_POSITIONS) return
  const { data, dataStart } = batch
  const starts = new Uint32Array(count)
  for (let k = 0; k < count; k++) starts[k] = dataStart[transactions[positions[k]!]!]!
  const first = transactions[positions[0]!]!
  const size = dataStart[first + 1]! - dataStart[first]!
  const words = tellingWords(data, starts, size)
  if (words.length === 0) return
  const states = words.reduce((product, word) => product * word.states, 1)
  const keys = new Float64Array(count)
  for (let k = 0; k < count; k++) {
    let key = 0
    for (const { offset, values, states } of words) {
      const at = starts[k]! + offset
      const digit = values === undefined ? magnitude(data, at) : knownValue(values, data, at)
      // A number past the sample's: keys that do not fit a double would lose positions.
      key = key * states + Math.min(digit, states - 1)
    }
    keys[k] = key
  }
  const before = positions.slice()
  if (states <= MOST_COUNTED) {
    const next = startsByKey(keys, states)
    for (let k = 0; k < count; k++) positions[next[keys[k]!]!++] = before[k]!
    return
  }
  for (let k = 0; k < count; k++) keys[k] = keys[k]! * MOST_POSITIONS + k
  keys.sort()
  for (let k = 0; k < count; k++) positions[k] = before[keys[k]! % MOST_POSITIONS]!
}

/** Where the positions of each key begin once they are sorted. */
const startsByKey = (keys: Float64Array, states: number): Uint32Array => {
  const starts = new Uint32Array(states)
  for (const key of keys) starts[key]!++
  let at = 0
  for (let key = 0; key < states; key++) {
    const count = starts[key]!
    starts[key] = at
    at += count
  }
  return starts
}

/**
 * A word at byte `offset` of the calldata, which adds a digit below `states` to the key; `values`: where the values of
 * the sample are, if there are few of them.
 */
interface TellingWord {
  readonly offset: number
  readonly states: number
  readonly values: readonly number[] | undefined
}

const tellingWords = (data: Uint8Array, starts: Uint32Array, size: number): readonly TellingWord[] => {
  const found: TellingWord[] = []
  const step = Math.max(1, Math.floor(starts.length / SAMPLE))
  const begin = size % WORD_BYTES === SELECTOR_BYTES ? SELECTOR_BYTES : 0
  const end = Math.min(size, begin + MOST_WORDS * WORD_BYTES)
  let keys = 1
  for (let offset = begin; offset + WORD_BYTES <= end; offset += WORD_BYTES) {
    const values: number[] = []
    let isNumber = true
    for (let k = 0; k < starts.length; k += step) {
      const at = starts[k]! + offset
      if (values.length <= MOST_VALUES && knownValue(values, data, at) === values.length) values.push(at)
      isNumber &&= magnitude(data, at) < 2 * 8 * MOST_NUMBER_BYTES
    }
    const isWay = values.length <= MOST_VALUES
    if (values.length === 1 || !(isWay || isNumber)) continue
    const states = isWay ? values.length + 1 : MAGNITUDES
    keys *= states
    if (keys > MOST_KEYS) break
    found.push({ offset, states, values: isWay ? values : undefined })
  }
  return found
}

/** Index of the word at `at` among those at `values`; their number where it is none of them. */
const knownValue = (values: readonly number[], data: Uint8Array, at: number): number => {
  let index = 0
  for (; index < values.length; index++) {
    const other = values[index]!
    let n = WORD_BYTES - 1
    while (n >= 0 && data[at + n] === data[other + n]) n--
    if (n < 0) break
  }
  return index
}

/**
 * Twice the length in bits of the word at `at`, and the bit after its highest; below 256 for a word of 127 bits or
 * fewer.
 */
const magnitude = (data: Uint8Array, at: number): number => {
  let n = 0
  while (n < WORD_BYTES && data[at + n] === 0) n++
  if (n === WORD_BYTES) return 0
  const top = (data[at + n]! << 8) | (n + 1 < WORD_BYTES ? data[at + n + 1]! : 0)
  const length = 32 - Math.clz32(top)
  return 2 * (8 * (WORD_BYTES - 2 - n) + length) + ((top >> (length - 2)) & 1)
}
