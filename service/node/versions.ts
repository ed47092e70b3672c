import { type Fork, isAtLeast } from '../../host/index.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { ExecutionPayload, PayloadAttributes, PayloadExtras } from './engine_types.ts'

/**
 * Which version of a method serves which fork: that of the payload's time stamp decides (execution-apis src/engine, a
 * section "Update the methods of previous forks" in each). First and last fork that a version serves.
 */
type Range = readonly [first: Fork, last: Fork]

const NEW_PAYLOAD: Readonly<Record<1 | 2 | 3 | 4, Range>> = {
  1: ['paris', 'paris'],
  2: ['paris', 'shanghai'],
  3: ['cancun', 'cancun'],
  4: ['prague', 'osaka'],
}

const GET_PAYLOAD: Readonly<Record<1 | 2 | 3 | 4 | 5, Range>> = {
  1: ['paris', 'paris'],
  2: ['paris', 'shanghai'],
  3: ['cancun', 'cancun'],
  4: ['prague', 'prague'],
  5: ['osaka', 'osaka'],
}

const GET_BLOBS: Readonly<Record<1 | 2 | 3, Range>> = {
  1: ['cancun', 'prague'],
  2: ['osaka', 'osaka'],
  3: ['osaka', 'osaka'],
}

const ATTRIBUTES: Readonly<Record<1 | 2 | 3, Range>> = {
  1: ['paris', 'paris'],
  2: ['paris', 'shanghai'],
  3: ['cancun', 'osaka'],
}

const isWithin = (fork: Fork, [first, last]: Range): boolean => isAtLeast(fork, first) && isAtLeast(last, fork)

const checkFork = (what: string, fork: Fork, range: Range): void => {
  if (!isWithin(fork, range))
    throw new RpcError(RPC_CODE.unsupportedFork, `unsupported fork: ${what} does not serve ${fork}`)
}

const invalidParams = (message: string): never => {
  throw new RpcError(RPC_CODE.invalidParams, message)
}

/** Shape first, then fork. Throws RpcError. */
export const checkNewPayload = (
  version: 1 | 2 | 3 | 4,
  fork: Fork,
  { withdrawals, blobGasUsed, excessBlobGas }: Omit<ExecutionPayload, 'transactions'>,
  { requests }: PayloadExtras,
): void => {
  const hasBlobs = blobGasUsed !== undefined && excessBlobGas !== undefined
  const hasAnyBlobField = blobGasUsed !== undefined || excessBlobGas !== undefined
  if (version === 1 && withdrawals !== undefined) invalidParams('withdrawals not supported in V1')
  if (version < 3 && hasAnyBlobField) invalidParams(`blob gas not supported in V${version}`)
  if (version >= 3 && withdrawals === undefined) invalidParams('nil withdrawals')
  if (version >= 3 && !hasBlobs) invalidParams('nil blobGasUsed or excessBlobGas')
  checkRequests(requests ?? [])
  checkFork(`newPayloadV${version}`, fork, NEW_PAYLOAD[version])
  if (version === 2 && (withdrawals !== undefined) !== isAtLeast(fork, 'shanghai'))
    invalidParams(withdrawals === undefined ? 'nil withdrawals post-shanghai' : 'withdrawals pre-shanghai')
}

/** Types ascend, and none is without data (EIP-7685). */
const checkRequests = (requests: readonly Uint8Array[]): void => {
  let last = -1
  for (const request of requests) {
    if (request.length < 2) invalidParams('empty request')
    if (request[0]! <= last) invalidParams('invalid request order')
    last = request[0]!
  }
}

export const checkGetPayload = (version: 1 | 2 | 3 | 4 | 5, fork: Fork): void =>
  checkFork(`getPayloadV${version}`, fork, GET_PAYLOAD[version])

/** Shape, then fork, then time. Throws RpcError; what the fork choice has changed by then stays. */
export const checkAttributes = (
  version: 1 | 2 | 3,
  fork: Fork,
  { withdrawals, parentBeaconBlockRoot, timestamp }: PayloadAttributes,
  parentTimestamp: bigint,
): void => {
  const refuse = (message: string): never => {
    throw new RpcError(RPC_CODE.invalidAttributes, `invalid payload attributes: ${message}`)
  }
  if (version < 3 && parentBeaconBlockRoot !== undefined) refuse('unexpected beacon root')
  if (version === 1 && withdrawals !== undefined) refuse('withdrawals not supported in V1')
  if (version === 3 && withdrawals === undefined) refuse('missing withdrawals')
  if (version === 3 && parentBeaconBlockRoot === undefined) refuse('missing beacon root')
  checkFork(`forkchoiceUpdatedV${version} with attributes`, fork, ATTRIBUTES[version])
  if (version === 2 && (withdrawals !== undefined) !== isAtLeast(fork, 'shanghai'))
    refuse(withdrawals === undefined ? 'missing withdrawals' : 'withdrawals before shanghai')
  if (timestamp <= parentTimestamp) refuse(`timestamp ${timestamp} is not above the parent's ${parentTimestamp}`)
}

/** By the fork of the head: there is no payload to ask. */
export const checkGetBlobs = (version: 1 | 2 | 3, fork: Fork): void =>
  checkFork(`engine_getBlobsV${version}`, fork, GET_BLOBS[version])
