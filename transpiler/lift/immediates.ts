import { bytesToWord } from '../skeleton.ts'
import { constantOf, makeValue, NOWHERE, type Value } from './values.ts'

/** What immediates of a code are: constants, or lifted ones, which each instance of its skeleton has of its own. */
export interface Immediates {
  readonly code: Uint8Array
  /** By offset of a lifted immediate: its index. */
  readonly instances: ReadonlyMap<number, number>
  /** By offset: immediates that were read. */
  readonly immediates: Map<number, Value>
}

/** The immediate of `length` bytes at `offset`, past the end of the code filled with zeros. */
export const immediateAt = (source: Immediates, offset: number, length: number): Value => {
  let value = source.immediates.get(offset)
  if (value === undefined) {
    value = readImmediate(source, offset, length)
    source.immediates.set(offset, value)
  }
  return value
}

const readImmediate = ({ code, instances }: Immediates, offset: number, length: number): Value => {
  const instance = instances.get(offset)
  if (instance !== undefined) return makeValue('instance', instance, 0n, NOWHERE)
  const end = offset + length
  if (length <= 6 && end <= code.length) {
    let value = 0
    for (let at = offset; at < end; at++) value = value * 256 + code[at]!
    return constantOf(BigInt(value))
  }
  if (end <= code.length) return constantOf(bytesToWord(code.subarray(offset, end)))
  const padded = new Uint8Array(length)
  padded.set(code.subarray(offset))
  return constantOf(bytesToWord(padded))
}
