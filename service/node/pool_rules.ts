import { environmentOf, nextBaseFee } from '../../host/chain/header.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import {
  type BlockEnvironment,
  type Chain,
  type ChainBlock,
  type Fork,
  REJECTION,
  type Rejection,
  rejectionText,
  type TransactionBatch,
  type TransactionObject,
  wordToBigInt,
} from '../../host/index.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { blobsOf, forkOf } from './block_place.ts'

/** What the pool refuses is told with this code, in the words of go-ethereum where it has them. */
export const refuse = (message: string): never => {
  throw new RpcError(RPC_CODE.server, message)
}

/** Bytes of one transaction. */
export const MOST_BYTES = 128 * 1024
/** Wei per gas that a transaction must be willing to give. */
const LEAST_TIP = 1n
const TYPE_BLOB = 3

/** What the next block would be, as far as the pool needs to know. */
export interface NextBlock {
  readonly fork: Fork
  readonly env: BlockEnvironment
}

export const nextBlock = (chain: Chain, { header }: ChainBlock): NextBlock => {
  const next = { ...header, number: header.number + 1n, timestamp: header.timestamp + 1n }
  const fork = forkOf(chain.config, next)
  const env = environmentOf(next, fork, blobsOf(chain.config, fork, next.timestamp))
  return { fork, env: header.baseFeePerGas === undefined ? env : { ...env, baseFeePerGas: nextBaseFee(header) } }
}

/**
 * Refuses a transaction that no block could take, whatever the state is. A base fee that is above its price may fall,
 * so it counts as none here.
 */
export const checkStatic = (
  batch: TransactionBatch,
  transaction: TransactionObject,
  { fork, env }: NextBlock,
): void => {
  if (transaction.type === TYPE_BLOB) refuse('blob transactions are not taken: their side-cars cannot be kept yet')
  const rules = transactionRules(batch, fork, { ...env, baseFeePerGas: 0n })
  const rejection = rules.rejection[0]!
  if (rejection !== REJECTION.none) refuse(rejectionText(rejection as Rejection))
  if (transaction.gasLimit > env.gasLimit) refuse('exceeds block gas limit')
  if ((transaction.maxPriorityFeePerGas ?? transaction.gasPrice ?? 0n) < LEAST_TIP)
    refuse(`transaction underpriced: gas tip cap below ${LEAST_TIP}`)
}

/** Wei that the sender must hold. */
export const costOf = (batch: TransactionBatch, { fork, env }: NextBlock): bigint =>
  wordToBigInt(transactionRules(batch, fork, { ...env, baseFeePerGas: 0n }).cost, 0)
