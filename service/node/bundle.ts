import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { InclusionTerms, Range } from './inclusion_terms.ts'

/** A transaction that a builder is to leave out of a block where it would fail (op-rbuilder, eth_sendBundle). */
export interface Bundle {
  readonly transaction: Uint8Array
  readonly blockNumber: Range
  readonly flashblock: Range
  readonly timestamp: Range
  /** Hashes of those that may fail. */
  readonly reverting: readonly string[]
}

/** Blocks after the head that a bundle may wait for. */
const MOST_BLOCKS = 10n

const refuse = (why: string): never => {
  throw new RpcError(RPC_CODE.invalidParams, why)
}

/** The terms of a bundle whose transaction has this hash, after a head. Throws RpcError. */
export const termsOfBundle = (
  { blockNumber, flashblock, timestamp, reverting }: Bundle,
  hash: string,
  head: { readonly number: bigint; readonly timestamp: bigint },
): InclusionTerms => {
  const last = head.number + MOST_BLOCKS
  const { min, max = last } = blockNumber
  if (max <= head.number) refuse(`maxBlockNumber (${max}) is a past block (current: ${head.number})`)
  if (max > last) refuse(`maxBlockNumber (${max}) is too high (current: ${head.number}, max allowed: ${last})`)
  if (min !== undefined && min > max) refuse(`minBlockNumber (${min}) is greater than maxBlockNumber (${max})`)
  checkOrder('Flashblock', flashblock)
  checkOrder('Timestamp', timestamp)
  if (timestamp.max !== undefined && timestamp.max <= head.timestamp)
    refuse(`maxTimestamp (${timestamp.max}) is in the past (current: ${head.timestamp})`)
  const mayFail = reverting.includes(hash)
  return { blockNumber: { min, max }, timestamp, flashblock, knownAccounts: [], mayFail }
}

const checkOrder = (what: string, { min, max }: Range): void => {
  if (min !== undefined && max !== undefined && min > max)
    refuse(`min${what} (${min}) is greater than max${what} (${max})`)
}
