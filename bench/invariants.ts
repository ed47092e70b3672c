import type { TransactionBatch } from '../host/chain/batch.ts'
import { rejectionText } from '../host/chain/rejection.ts'
import {
  addressFromHex,
  addressToHex,
  quantityToBigInt,
  wordEquals,
  wordToBigInt,
  wordToHex,
} from '../host/primitives/word.ts'
import { type Receipts, STATUS_REJECTED, STATUS_SUCCESS } from '../host/receipts/receipts.ts'
import type { State } from '../host/state/state.ts'
import { accountHash } from '../transpiler/layout/tables.ts'
import type { WorkloadBlock } from './workloads/workload.ts'

/** Numbers addresses 0, 1, .. in order of first sight. Open addressing over limbs: no string per transaction. */
class AddressBook {
  count = 0
  #limbs: Uint32Array
  readonly #index: Uint32Array
  readonly #mask: number

  /** For at most `capacity` addresses. */
  constructor(capacity: number) {
    let buckets = 16
    while (buckets < 2 * capacity) buckets *= 2
    this.#mask = buckets - 1
    this.#index = new Uint32Array(buckets)
    this.#limbs = new Uint32Array(5 * capacity)
  }

  get limbs(): Uint32Array {
    return this.#limbs.subarray(0, 5 * this.count)
  }

  number(addresses: Uint32Array, at: number): number {
    let bucket = accountHash(addresses, at) & this.#mask
    for (;;) {
      const entry = this.#index[bucket]!
      if (entry === 0) break
      const row = 5 * (entry - 1)
      let limb = 0
      while (limb < 5 && this.#limbs[row + limb] === addresses[at + limb]) limb++
      if (limb === 5) return entry - 1
      bucket = (bucket + 1) & this.#mask
    }
    for (let limb = 0; limb < 5; limb++) this.#limbs[5 * this.count + limb] = addresses[at + limb]!
    this.#index[bucket] = this.count + 1
    return this.count++
  }
}

/** What every account must have gained (wei) and how many transactions it sent, by the receipts' gas alone. */
const bookkeeping = (block: WorkloadBlock, receipts: Receipts) => {
  const { transactions: batch, env, internalTransfers } = block
  const internal = internalTransfers?.amounts.length ?? 0
  const book = new AddressBook(2 * batch.count + 2 * internal + 1)
  const gained: bigint[] = []
  const sent: number[] = []
  const number = (addresses: Uint32Array, at: number): number => {
    const id = book.number(addresses, at)
    if (id === gained.length) {
      gained.push(0n)
      sent.push(0)
    }
    return id
  }
  const coinbaseLimbs = new Uint32Array(5)
  addressFromHex(coinbaseLimbs, 0, env.coinbase)
  const coinbase = number(coinbaseLimbs, 0)
  for (let i = 0; i < batch.count; i++) {
    const gas = BigInt(receipts.gasUsed[i]!)
    const tip = tipOf(batch, i, env.baseFeePerGas)
    const value = wordToBigInt(batch.value, 8 * i)
    const sender = number(batch.from, 5 * i)
    sent[sender]!++
    gained[sender]! -= gas * (env.baseFeePerGas + tip) + value
    gained[coinbase]! += gas * tip
    if (batch.creates[i] === 0) gained[number(batch.to, 5 * i)]! += value
  }
  for (let i = 0; i < internal; i++) {
    gained[number(internalTransfers!.addresses, 10 * i)]! -= internalTransfers!.amounts[i]!
    gained[number(internalTransfers!.addresses, 10 * i + 5)]! += internalTransfers!.amounts[i]!
  }
  return { addresses: book.limbs, gained, sent }
}

/** EIP-1559: the priority fee, as far as the fee cap leaves room for it. */
const tipOf = (batch: TransactionBatch, i: number, baseFee: bigint): bigint => {
  const room = wordToBigInt(batch.maxFeePerGas, 8 * i) - baseFee
  const priority = wordToBigInt(batch.maxPriorityFeePerGas, 8 * i)
  if (priority < room) return priority
  return room
}

const receiptFault = (batch: TransactionBatch, receipts: Receipts): string | undefined => {
  if (receipts.count !== batch.count) return `${receipts.count} receipts for ${batch.count} transactions`
  const cumulative = receipts.cumulativeGasUsed
  let sum = 0
  for (let i = 0; i < batch.count; i++) {
    const status = receipts.status[i]
    const gas = receipts.gasUsed[i]!
    if (status === STATUS_REJECTED) return `transaction ${i}: rejected (${rejectionText(receipts.rejection(i) || 1)})`
    if (status !== STATUS_SUCCESS) return `transaction ${i}: status ${status}, the workload means it to succeed`
    if (gas < 21_000 || gas > batch.gasLimit[2 * i]!) {
      return `transaction ${i}: gas used ${gas}, outside 21000 .. ${batch.gasLimit[2 * i]}`
    }
    sum += gas
    if (cumulative[i] !== sum) return `transaction ${i}: cumulative gas ${cumulative[i]}, the sum is ${sum}`
  }
  return undefined
}

/**
 * Checks the whole outcome of a block without executing it: every transaction succeeded within its gas limit;
 * cumulative gas is the running sum; every nonce, and every balance to the wei (values, fees paid, tips to the
 * coinbase, base fee burnt), follows from the receipts; every slot of the workload's model holds the model's value.
 * Gas per transaction, logs and outputs are what it cannot see: those are compared with serial execution.
 *
 * Returns the first difference in one line, or undefined.
 */
export const checkInvariants = async (
  before: State,
  after: State,
  block: WorkloadBlock,
  receipts: Receipts,
): Promise<string | undefined> => {
  const fault = receiptFault(block.transactions, receipts)
  if (fault !== undefined) return fault
  const { addresses, gained, sent } = bookkeeping(block, receipts)
  const count = gained.length
  const old = await before.readAccounts(addresses, count)
  const now = await after.readAccounts(addresses, count)
  for (let id = 0; id < count; id++) {
    const balance = wordToBigInt(old.balance, 8 * id) + gained[id]!
    const found = wordToBigInt(now.balance, 8 * id)
    if (found !== balance) return `balance of ${addressToHex(addresses, 5 * id)}: ${found}, must be ${balance}`
    if (sent[id] === 0) continue
    const nonce = quantityToBigInt(old.nonce, 2 * id) + BigInt(sent[id]!)
    const foundNonce = quantityToBigInt(now.nonce, 2 * id)
    if (foundNonce !== nonce) return `nonce of ${addressToHex(addresses, 5 * id)}: ${foundNonce}, must be ${nonce}`
  }
  const { expected } = block
  const values = await after.readSlots(expected.addresses, expected.keys, expected.count)
  for (let slot = 0; slot < expected.count; slot++) {
    if (wordEquals(values, 8 * slot, expected.values, 8 * slot)) continue
    const slotName = `${addressToHex(expected.addresses, 5 * slot)} slot ${wordToHex(expected.keys, 8 * slot)}`
    return `${slotName}: ${wordToHex(values, 8 * slot)}, must be ${wordToHex(expected.values, 8 * slot)}`
  }
  return undefined
}
