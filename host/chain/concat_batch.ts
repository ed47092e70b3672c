import type { TransactionBatch, TransactionExtras } from './batch.ts'

/** The transactions of two batches, one after the other, as one. */
export const concatTransactions = (a: TransactionBatch, b: TransactionBatch): TransactionBatch => {
  if (a.count === 0) return b
  if (b.count === 0) return a
  const columns = <Words extends Uint8Array | Uint32Array>(x: Words, y: Words): Words => {
    const both = x instanceof Uint8Array ? new Uint8Array(x.length + y.length) : new Uint32Array(x.length + y.length)
    both.set(x)
    both.set(y, x.length)
    return both as Words
  }
  /** Offsets of both: those of `y` begin where those of `x` end. */
  const starts = (x: Uint32Array, y: Uint32Array, n: number, m: number): Uint32Array => {
    const both = new Uint32Array(n + m + 1)
    both.set(x.subarray(0, n + 1))
    for (let i = 1; i <= m; i++) both[n + i] = x[n]! + y[i]!
    return both
  }
  const extras = new Map<number, TransactionExtras>(a.extras)
  for (const [i, extra] of b.extras) extras.set(a.count + i, extra)
  const [entries, others] = [a.accessStart[a.count]!, b.accessStart[b.count]!]
  return {
    count: a.count + b.count,
    type: columns(a.type, b.type),
    nonce: columns(a.nonce, b.nonce),
    gasLimit: columns(a.gasLimit, b.gasLimit),
    maxFeePerGas: columns(a.maxFeePerGas, b.maxFeePerGas),
    maxPriorityFeePerGas: columns(a.maxPriorityFeePerGas, b.maxPriorityFeePerGas),
    value: columns(a.value, b.value),
    from: columns(a.from, b.from),
    to: columns(a.to, b.to),
    creates: columns(a.creates, b.creates),
    data: columns(a.data.subarray(0, a.dataStart[a.count]!), b.data),
    dataStart: starts(a.dataStart, b.dataStart, a.count, b.count),
    accessStart: starts(a.accessStart, b.accessStart, a.count, b.count),
    accessAddress: columns(a.accessAddress.subarray(0, 5 * entries), b.accessAddress),
    accessKeyStart: starts(a.accessKeyStart, b.accessKeyStart, entries, others),
    accessKey: columns(a.accessKey.subarray(0, 8 * a.accessKeyStart[entries]!), b.accessKey),
    extras,
  }
}
