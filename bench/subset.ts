import type { TransactionBatch } from '../host/chain/batch.ts'
import { permutation, type Random } from './random.ts'

const pickLimbs = (column: Uint32Array, indices: Uint32Array, limbs: number): Uint32Array => {
  const picked = new Uint32Array(limbs * indices.length)
  for (let k = 0; k < indices.length; k++) {
    for (let limb = 0; limb < limbs; limb++) picked[limbs * k + limb] = column[limbs * indices[k]! + limb]!
  }
  return picked
}

/** The transactions of `batch` at `indices`, in that order. Access lists are not carried over: workloads have none. */
export const pickTransactions = (batch: TransactionBatch, indices: Uint32Array): TransactionBatch => {
  const count = indices.length
  const dataStart = new Uint32Array(count + 1)
  for (let k = 0; k < count; k++) {
    const i = indices[k]!
    if (batch.accessStart[i] !== batch.accessStart[i + 1]) throw new RangeError(`transaction ${i} has an access list`)
    dataStart[k + 1] = dataStart[k]! + batch.dataStart[i + 1]! - batch.dataStart[i]!
  }
  const data = new Uint8Array(dataStart[count]!)
  for (let k = 0; k < count; k++) {
    data.set(batch.data.subarray(batch.dataStart[indices[k]!], batch.dataStart[indices[k]! + 1]), dataStart[k])
  }
  return {
    count,
    type: Uint8Array.from(indices, (i) => batch.type[i]!),
    nonce: pickLimbs(batch.nonce, indices, 2),
    gasLimit: pickLimbs(batch.gasLimit, indices, 2),
    maxFeePerGas: pickLimbs(batch.maxFeePerGas, indices, 8),
    maxPriorityFeePerGas: pickLimbs(batch.maxPriorityFeePerGas, indices, 8),
    value: pickLimbs(batch.value, indices, 8),
    from: pickLimbs(batch.from, indices, 5),
    to: pickLimbs(batch.to, indices, 5),
    creates: Uint8Array.from(indices, (i) => batch.creates[i]!),
    data,
    dataStart,
    accessStart: new Uint32Array(count + 1),
    accessAddress: new Uint32Array(0),
    accessKeyStart: new Uint32Array(1),
    accessKey: new Uint32Array(0),
    extras: new Map(),
  }
}

/** The first `wanted` transactions. */
export const prefix = (wanted: number): Uint32Array => Uint32Array.from({ length: wanted }, (_, i) => i)

/** `wanted` of `count` transactions, drawn at random, in ascending order. */
export const drawSample = (count: number, wanted: number, random: Random): Uint32Array =>
  permutation(count, random).subarray(0, wanted).slice().sort()
