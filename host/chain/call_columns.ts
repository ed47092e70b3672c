import { refuse } from '../primitives/input.ts'
import { type TransactionBatch, TYPE_BLOB, TYPE_SET_CODE } from './batch.ts'
import { checkBatch } from './check_batch.ts'
import { decodeTransaction } from './encode_batch.ts'

/**
 * Calls of a simulated block in columns: thousands come that way without an object for each. Call i:
 *
 * transactions       the call as a transaction: of type 0 where it has a gas price, else of a type with fee caps;
 *                    without a sender it is from address zero
 * hasGas, hasNonce   u8[n]   1 where the call says its gas limit, or its nonce; else the column is not read
 *
 * @example
 * import { type CallColumns, encodeBatch } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const free = { type: 2, from: alice, to: alice, nonce: 0n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n } as const
 * const calls: CallColumns = {
 *   transactions: encodeBatch([{ ...free, gasLimit: 21_000n }]),
 *   hasGas: Uint8Array.of(1),
 *   hasNonce: Uint8Array.of(0),
 * }
 * console.log(calls.transactions.count) // 1
 */
export interface CallColumns {
  readonly transactions: TransactionBatch
  readonly hasGas: Uint8Array
  readonly hasNonce: Uint8Array
}

/** Call i as an object, its gas limit and nonce where it says them. */
export const namedCall = ({ transactions, hasGas, hasNonce }: CallColumns, i: number) => {
  const { type: _, nonce, gasLimit, ...call } = decodeTransaction(transactions, i)
  return { ...call, ...(hasGas[i] === 0 ? {} : { gas: gasLimit }), ...(hasNonce[i] === 0 ? {} : { nonce }) }
}

/** Types that a call may be of: with a gas price, and those with fee caps. */
const CALL_TYPES = new Set([0, 2, TYPE_BLOB, TYPE_SET_CODE])

/** The calls, where their columns fit each other and are those of calls. Throws InputError. */
export const checkCallColumns = (calls: CallColumns): CallColumns => {
  const { type, accessStart, count } = checkBatch(calls.transactions, 'calls.transactions')
  for (const name of ['hasGas', 'hasNonce'] as const)
    if (!(calls[name] instanceof Uint8Array) || calls[name].length !== count)
      return refuse(`calls.${name}`, calls[name], `a Uint8Array of ${count} elements`)
  for (let i = 0; i < count; i++) {
    if (!CALL_TYPES.has(type[i]!)) return refuse('calls.transactions.type', type[i], 'a type of calls', i)
    if (type[i] === 0 && accessStart[i] !== accessStart[i + 1])
      return refuse('calls.transactions.accessStart', accessStart[i + 1], 'no access list of type 0', i)
  }
  return calls
}
