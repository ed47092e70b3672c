import type { TransactionBatch } from '../../chain/batch.ts'
import { orderByCalldata } from './calldata_order.ts'

const SELECTOR_BYTES = 4
const HIGH = 0x1_0000_0000

/**
 * The order in which transactions stand side by side, so neighbours run alike: by code of the called account, then
 * selector, then calldata size, then what their calldata says, then as they came. Positions in `transactions`;
 * codeIds[k] is the code that the k-th of them calls.
 */
export const laneOrder = (batch: TransactionBatch, transactions: Int32Array, codeIds: Uint32Array): Uint32Array => {
  const count = transactions.length
  const calls = new DenseKeys()
  const kinds = new DenseKeys()
  const kindOf = new Uint32Array(count)
  for (let k = 0; k < count; k++) {
    const i = transactions[k]!
    // Past 2^21 codes a double no longer tells neighbouring selectors apart: they are then one kind.
    const call = calls.of(codeIds[k]! * HIGH + selectorOf(batch, i))
    kindOf[k] = kinds.of(call * HIGH + batch.dataStart[i + 1]! - batch.dataStart[i]!)
  }
  const byKey = Uint32Array.from(kinds.keys.keys()).sort((a, b) => {
    const one = kinds.keys[a]!
    const other = kinds.keys[b]!
    const call = calls.keys[Math.floor(one / HIGH)]! - calls.keys[Math.floor(other / HIGH)]!
    return call === 0 ? one - other : call
  })
  const sizes = new Uint32Array(byKey.length)
  for (let k = 0; k < count; k++) sizes[kindOf[k]!]!++
  const next = new Uint32Array(byKey.length)
  let at = 0
  for (const kind of byKey) {
    next[kind] = at
    at += sizes[kind]!
  }
  const order = new Uint32Array(count)
  for (let k = 0; k < count; k++) order[next[kindOf[k]!]!++] = k
  for (const kind of byKey) orderByCalldata(batch, transactions, order.subarray(next[kind]! - sizes[kind]!, next[kind]))
  return order
}

/** First four bytes of the calldata, 0 where there are fewer. */
export const selectorOf = ({ data, dataStart }: TransactionBatch, i: number): number => {
  const start = dataStart[i]!
  if (dataStart[i + 1]! - start < SELECTOR_BYTES) return 0
  return ((data[start]! << 24) | (data[start + 1]! << 16) | (data[start + 2]! << 8) | data[start + 3]!) >>> 0
}

/** Numbers by order of first sight. */
class DenseKeys {
  readonly keys: number[] = []
  readonly #ids = new Map<number, number>()

  of(key: number): number {
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = this.keys.length
    this.keys.push(key)
    this.#ids.set(key, id)
    return id
  }
}
