import { createHash } from 'node:crypto'
import { RLP } from 'micro-eth-signer/core/rlp.js'
import type { DecodedBlock } from '../../host/chain/decode_block.ts'
import { isOpAtLeast } from '../../host/chain/op/op_forks.ts'
import { type BlockHeader, EMPTY_LIST_HASH, type OpRules, withdrawalsRoot } from '../../host/index.ts'
import { type KnownRoot, rootTransactions } from '../../host/roots/rooted_transactions.ts'
import type { ExecutionPayload, PayloadExtras, SentPayload } from './engine_types.ts'

/**
 * The block that a payload and what comes beside it stand for; its hash is for the caller to compare. `known`:
 * transactions that may be the same.
 */
export const blockOfPayload = (
  payload: ExecutionPayload | SentPayload,
  { parentBeaconBlockRoot, requests }: PayloadExtras,
  known?: KnownRoot,
): DecodedBlock => {
  const { withdrawals, blobGasUsed, excessBlobGas } = payload
  const { transactions, root: transactionsRoot } = rootTransactions(payload.transactions, known)
  const root = payload.withdrawalsRoot ?? (withdrawals === undefined ? undefined : withdrawalsRoot(withdrawals))
  const header: BlockHeader = {
    parentHash: payload.parentHash,
    uncleHash: EMPTY_LIST_HASH,
    coinbase: payload.feeRecipient,
    stateRoot: payload.stateRoot,
    transactionsRoot,
    receiptsRoot: payload.receiptsRoot,
    logsBloom: payload.logsBloom,
    difficulty: 0n,
    number: payload.blockNumber,
    gasLimit: payload.gasLimit,
    gasUsed: payload.gasUsed,
    timestamp: payload.timestamp,
    extraData: payload.extraData,
    mixHash: payload.prevRandao,
    nonce: '0x0000000000000000',
    baseFeePerGas: payload.baseFeePerGas,
    ...(root === undefined ? {} : { withdrawalsRoot: root }),
    ...(blobGasUsed === undefined || excessBlobGas === undefined ? {} : { blobGasUsed, excessBlobGas }),
    ...(parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot }),
    ...(requests === undefined ? {} : { requestsHash: hashOfRequests(requests) }),
  }
  return { header, transactions, uncles: [], ...(withdrawals === undefined ? {} : { withdrawals }) }
}

/** Hash of requests, each its type and data in one (EIP-7685). */
const hashOfRequests = (requests: readonly Uint8Array[]): string => {
  const outer = createHash('sha256')
  for (const request of requests) outer.update(createHash('sha256').update(request).digest())
  return `0x${outer.digest('hex')}`
}

const TYPE_BLOB = 3
/** In the list of fields of such a transaction (EIP-4844). */
const BLOB_HASHES = 10

/** Versioned hashes of the blobs of transactions, in their order; undefined where one cannot be read. */
export const blobHashesOf = (transactions: readonly Uint8Array[]): readonly string[] | undefined => {
  const found: string[] = []
  for (const bytes of transactions) {
    if (bytes[0] !== TYPE_BLOB) continue
    const hashes = hashesOf(bytes)
    if (hashes === undefined) return undefined
    found.push(...hashes)
  }
  return found
}

const hashesOf = (bytes: Uint8Array): readonly string[] | undefined => {
  try {
    const fields = RLP.decode(bytes.subarray(1))
    const hashes = Array.isArray(fields) ? fields[BLOB_HASHES] : undefined
    if (!Array.isArray(hashes)) return undefined
    return hashes.map((hash) => `0x${Buffer.from(hash as Uint8Array).toString('hex')}`)
  } catch {
    return undefined
  }
}

/** The payload of a block, with its transactions in the form that they are in. */
export const payloadOf = <Transactions>(
  hash: string,
  header: BlockHeader,
  { transactions, withdrawals }: { readonly transactions: Transactions } & Pick<ExecutionPayload, 'withdrawals'>,
  chain?: OpRules,
): Omit<ExecutionPayload, 'transactions'> & { readonly transactions: Transactions } => ({
  parentHash: header.parentHash,
  feeRecipient: header.coinbase,
  stateRoot: header.stateRoot,
  receiptsRoot: header.receiptsRoot,
  logsBloom: header.logsBloom,
  prevRandao: header.mixHash,
  blockNumber: header.number,
  gasLimit: header.gasLimit,
  gasUsed: header.gasUsed,
  timestamp: header.timestamp,
  extraData: header.extraData,
  baseFeePerGas: header.baseFeePerGas ?? 0n,
  blockHash: hash,
  transactions,
  withdrawals,
  blobGasUsed: header.blobGasUsed,
  excessBlobGas: header.excessBlobGas,
  withdrawalsRoot: chain !== undefined && isOpAtLeast(chain.fork, 'isthmus') ? header.withdrawalsRoot : undefined,
})
