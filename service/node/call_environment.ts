import type { ChainConfig } from '../../host/chain/chain_config.ts'
import { environmentOf } from '../../host/chain/header.ts'
import type { BlockEnvironment, BlockHeader, CallObject, Fork } from '../../host/index.ts'
import { blobsOf, forkOf } from './block_place.ts'
import type { BlockOverrides, CallRequest } from './state_calls.ts'

/** The fork and the block that a call on the state after a block sees: that block, with what the call says instead. */
export const callEnvironment = (
  config: ChainConfig,
  header: BlockHeader,
  { call, blockOverrides = {} }: Pick<CallRequest, 'call' | 'blockOverrides'>,
): { readonly fork: Fork; readonly env: BlockEnvironment } => {
  const fork = forkOf(config, header)
  const env = environmentOf(header, fork, blobsOf(config, fork, header.timestamp))
  return { fork, env: overridden(isPriced(call) ? env : { ...env, baseFeePerGas: 0n }, blockOverrides) }
}

/** A call that names no price has no base fee either. */
const isPriced = ({ gasPrice = 0n, maxFeePerGas = 0n }: CallObject): boolean => gasPrice > 0n || maxFeePerGas > 0n

const overridden = (env: BlockEnvironment, given: BlockOverrides): BlockEnvironment => ({
  ...env,
  ...(given.number === undefined ? {} : { number: given.number }),
  ...(given.time === undefined ? {} : { timestamp: given.time }),
  ...(given.gasLimit === undefined ? {} : { gasLimit: given.gasLimit }),
  ...(given.feeRecipient === undefined ? {} : { coinbase: given.feeRecipient }),
  ...(given.prevRandao === undefined ? {} : { prevRandao: given.prevRandao }),
  ...(given.baseFeePerGas === undefined ? {} : { baseFeePerGas: given.baseFeePerGas }),
  ...(given.blobBaseFee === undefined ? {} : { blobBaseFee: given.blobBaseFee }),
})
