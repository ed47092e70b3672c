import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { TransactionBatch, TransactionExtras } from './batch.ts'

/** The transactions `indices` of a batch as a batch of their own, in memory of its own. */
export const selectTransactions = (batch: TransactionBatch, indices: ArrayLike<number>): TransactionBatch => {
  const count = indices.length
  const rows = <Words extends Uint8Array | Uint32Array>(from: Words, to: Words, limbs: number): Words => {
    for (let n = 0; n < count; n++) {
      const first = limbs * indices[n]!
      for (let limb = 0; limb < limbs; limb++) to[limbs * n + limb] = from[first + limb]!
    }
    return to
  }
  const starts = (from: Uint32Array): Uint32Array => {
    const to = new Uint32Array(count + 1)
    for (let n = 0; n < count; n++) to[n + 1] = to[n]! + from[indices[n]! + 1]! - from[indices[n]!]!
    return to
  }
  const dataStart = starts(batch.dataStart)
  const data = new Uint8Array(dataStart[count]!)
  const accessStart = starts(batch.accessStart)
  const entries = accessStart[count]!
  const accessAddress = new Uint32Array(LIMBS_PER_ADDRESS * entries)
  const accessKeyStart = new Uint32Array(entries + 1)
  const keys: number[] = []
  const extras = new Map<number, TransactionExtras>()
  for (let n = 0, entry = 0; n < count; n++) {
    const i = indices[n]!
    data.set(batch.data.subarray(batch.dataStart[i]!, batch.dataStart[i + 1]!), dataStart[n]!)
    const extra = batch.extras.get(i)
    if (extra !== undefined) extras.set(n, extra)
    for (let e = batch.accessStart[i]!; e < batch.accessStart[i + 1]!; e++, entry++) {
      const address = LIMBS_PER_ADDRESS * e
      accessAddress.set(batch.accessAddress.subarray(address, address + LIMBS_PER_ADDRESS), LIMBS_PER_ADDRESS * entry)
      for (let key = batch.accessKeyStart[e]!; key < batch.accessKeyStart[e + 1]!; key++) keys.push(key)
      accessKeyStart[entry + 1] = keys.length
    }
  }
  const accessKey = new Uint32Array(LIMBS_PER_WORD * keys.length)
  for (let n = 0; n < keys.length; n++) {
    const key = LIMBS_PER_WORD * keys[n]!
    accessKey.set(batch.accessKey.subarray(key, key + LIMBS_PER_WORD), LIMBS_PER_WORD * n)
  }
  return {
    count,
    type: rows(batch.type, new Uint8Array(count), 1),
    nonce: rows(batch.nonce, new Uint32Array(2 * count), 2),
    gasLimit: rows(batch.gasLimit, new Uint32Array(2 * count), 2),
    maxFeePerGas: rows(batch.maxFeePerGas, new Uint32Array(LIMBS_PER_WORD * count), LIMBS_PER_WORD),
    maxPriorityFeePerGas: rows(batch.maxPriorityFeePerGas, new Uint32Array(LIMBS_PER_WORD * count), LIMBS_PER_WORD),
    value: rows(batch.value, new Uint32Array(LIMBS_PER_WORD * count), LIMBS_PER_WORD),
    from: rows(batch.from, new Uint32Array(LIMBS_PER_ADDRESS * count), LIMBS_PER_ADDRESS),
    to: rows(batch.to, new Uint32Array(LIMBS_PER_ADDRESS * count), LIMBS_PER_ADDRESS),
    creates: rows(batch.creates, new Uint8Array(count), 1),
    data,
    dataStart,
    accessStart,
    accessAddress,
    accessKeyStart,
    accessKey,
    extras,
  }
}
