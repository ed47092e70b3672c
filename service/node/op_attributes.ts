import { MAX_GAS_LIMIT } from '../../host/chain/check_header.ts'
import { extraDataOf, leastGasLimit } from '../../host/chain/op/base_fee.ts'
import { opPayloadId } from '../../host/chain/op/payload_id.ts'
import { decodeSignedBatch } from '../../host/chain/signed_batch.ts'
import {
  type BlockAttributes,
  decodeTransaction,
  evmForkOf,
  InputError,
  type OpRules,
  TransactionInputError,
  type TransactionObject,
} from '../../host/index.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { PayloadAttributes } from './engine_types.ts'

interface OpPart extends Pick<BlockAttributes, 'noTxPool' | 'gasLimit' | 'eip1559Params' | 'minBaseFee'> {
  readonly transactions?: readonly Uint8Array[]
}

/** What of attributes only the OP stack has. */
export const opPartOf = (attributes: PayloadAttributes): OpPart => {
  const { transactions, noTxPool, gasLimit, eip1559Params, minBaseFee } = attributes
  return {
    ...(transactions === undefined ? {} : { transactions }),
    ...(noTxPool === undefined ? {} : { noTxPool }),
    ...(gasLimit === undefined ? {} : { gasLimit }),
    ...(eip1559Params === undefined ? {} : { eip1559Params }),
    ...(minBaseFee === undefined ? {} : { minBaseFee }),
  }
}

/** The transactions that attributes name, without their senders. Throws TransactionInputError. */
export const forcedOf = (
  { transactions = [] }: PayloadAttributes,
  chain: OpRules,
  chainId: bigint,
): readonly TransactionObject[] => {
  const { batch, fault } = decodeSignedBatch(transactions, { fork: evmForkOf(chain.fork), chainId, deposits: true })
  if (fault !== undefined) throw fault
  return transactions.map((_, i) => decodeTransaction(batch, i))
}

/**
 * Refuses attributes that no block of the chain can have, before one is begun. Throws RpcError. The transactions that
 * they name, as `forcedOf` gives them.
 */
export const checkOpAttributes = (
  attributes: PayloadAttributes,
  chain: OpRules,
  chainId: bigint,
): readonly TransactionObject[] => {
  const { gasLimit, withdrawals = [] } = attributes
  if (gasLimit === undefined) throw invalidAttributes('gasLimit parameter is required')
  if (withdrawals.length > 0) throw invalidAttributes('withdrawals must be empty on the OP stack')
  try {
    const extraData = extraDataOf(chain, chain.fork, opPartOf(attributes))
    const least = leastGasLimit(chain, chain.fork, extraData)
    if (gasLimit < least || gasLimit > MAX_GAS_LIMIT)
      throw invalidAttributes(`gasLimit is ${gasLimit}, expected ${least} to ${MAX_GAS_LIMIT}`)
    return forcedOf(attributes, chain, chainId)
  } catch (thrown) {
    if (thrown instanceof TransactionInputError || thrown instanceof InputError) throw invalidAttributes(thrown.message)
    throw thrown
  }
}

export const invalidAttributes = (why: string): RpcError =>
  new RpcError(RPC_CODE.invalidAttributes, `invalid payload attributes: ${why}`)

/** The published name of a payload of the OP stack. */
export const payloadIdOf = (version: number, parentHash: string, attributes: PayloadAttributes): string => {
  const { timestamp, prevRandao, suggestedFeeRecipient, withdrawals, parentBeaconBlockRoot } = attributes
  return opPayloadId(version, parentHash, {
    timestamp,
    prevRandao,
    suggestedFeeRecipient,
    ...opPartOf(attributes),
    ...(withdrawals === undefined ? {} : { withdrawals }),
    ...(parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot }),
  })
}
