import { z } from 'zod'
import {
  address,
  type BlockName,
  blockName,
  blockNumberOrTag,
  hash,
  LATEST,
  quantity,
  toData,
  toQuantity,
} from '../json_rpc/codec.ts'
import { type Json, type Method, method } from '../json_rpc/method.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { blockOverrides, callObject, simulatePayload, stateOverrides } from './call_schema.ts'
import {
  jsonOfAccess,
  jsonOfBlock,
  jsonOfCapabilities,
  jsonOfFeeHistory,
  jsonOfProof,
  jsonOfReceipt,
  jsonOfRules,
  jsonOfSimulated,
  jsonOfTransaction,
} from './encode.ts'
import { storageKey } from './storage_key.ts'

const at = blockName.default(LATEST)
const index = quantity(32).transform(Number)
const byHash = hash.transform((name): BlockName => ({ hash: name, requireCanonical: false }))

const orNull = <View>(view: View | undefined, json: (view: View) => Json): Json =>
  view === undefined ? null : json(view)

const read = <const Of extends readonly z.ZodType[]>(
  schemas: Of,
  answer: Parameters<typeof method<NodeCalls, Of>>[1],
): Method<NodeCalls> => method(schemas, answer)

const blocks: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_chainId: read([], async (node) => toQuantity(await node.chain.chainId())),
  eth_blockNumber: read([], async (node) => toQuantity(await node.chain.blockNumber())),
  eth_syncing: read([], async () => false),
  eth_config: read([], async (node) => {
    const { current, next, last } = await node.chain.config()
    return { current: orNull(current, jsonOfRules), next: orNull(next, jsonOfRules), last: orNull(last, jsonOfRules) }
  }),
  eth_capabilities: read([], async (node) => jsonOfCapabilities(await node.chain.capabilities())),
  eth_getBlockByHash: read([byHash, z.boolean()], async (node, name, isFull) =>
    orNull(await node.chain.block(name, isFull), jsonOfBlock),
  ),
  eth_getBlockByNumber: read([blockNumberOrTag, z.boolean()], async (node, name, isFull) =>
    orNull(await node.chain.block(name, isFull), jsonOfBlock),
  ),
  eth_getBlockTransactionCountByHash: read([byHash], async (node, name) =>
    orNull(await node.chain.transactionCount(name), toQuantity),
  ),
  eth_getBlockTransactionCountByNumber: read([blockNumberOrTag], async (node, name) =>
    orNull(await node.chain.transactionCount(name), toQuantity),
  ),
  eth_getUncleCountByBlockHash: read([byHash], async (node, name) =>
    orNull(await node.chain.uncleCount(name), toQuantity),
  ),
  eth_getUncleCountByBlockNumber: read([blockNumberOrTag], async (node, name) =>
    orNull(await node.chain.uncleCount(name), toQuantity),
  ),
  eth_getBlockReceipts: read([blockName], async (node, name) =>
    orNull(await node.chain.receipts(name), (receipts) => receipts.map(jsonOfReceipt)),
  ),
}

const transactions: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_getTransactionByHash: read([hash], async (node, name) =>
    orNull(await node.chain.transaction(name), jsonOfTransaction),
  ),
  eth_getTransactionByBlockHashAndIndex: read([byHash, index], async (node, name, n) =>
    orNull(await node.chain.transactionAt(name, n), jsonOfTransaction),
  ),
  eth_getTransactionByBlockNumberAndIndex: read([blockNumberOrTag, index], async (node, name, n) =>
    orNull(await node.chain.transactionAt(name, n), jsonOfTransaction),
  ),
  eth_getTransactionReceipt: read([hash], async (node, name) => orNull(await node.chain.receipt(name), jsonOfReceipt)),
}

/** Keys of one call. */
const MOST_KEYS = 1024
const keyList = z.array(storageKey).max(MOST_KEYS)

const state: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_getBalance: read([address, at], async (node, account, block) =>
    toQuantity((await node.state.account(account, block)).balance),
  ),
  eth_getTransactionCount: read([address, at], async (node, account, block) =>
    toQuantity(
      'tag' in block && block.tag === 'pending'
        ? await pendingNonce(node, account)
        : (await node.state.account(account, block)).nonce,
    ),
  ),
  eth_getCode: read([address, at], async (node, account, block) => toData(await node.state.code(account, block))),
  eth_getStorageAt: read([address, storageKey, at], async (node, account, key, block) =>
    wordHex((await node.state.storage(account, [key.value], block))[0]!),
  ),
  eth_getStorageValues: read([z.record(address, keyList), at], async (node, wanted, block) => {
    const entries = Object.entries(wanted)
    if (entries.length === 0) throw new RpcError(RPC_CODE.invalidParams, 'empty request')
    if (entries.reduce((count, [, keys]) => count + keys.length, 0) > MOST_KEYS)
      throw new RpcError(RPC_CODE.invalidParams, `too many slots, at most ${MOST_KEYS}`)
    const values: Record<string, Json> = {}
    for (const [account, keys] of entries)
      values[account] = (
        await node.state.storage(
          account,
          keys.map(({ value }) => value),
          block,
        )
      ).map(wordHex)
    return values
  }),
  eth_getProof: read([address, keyList, at], async (node, account, keys, block) =>
    jsonOfProof(
      await node.state.proof(
        account,
        keys.map(({ value }) => value),
        block,
      ),
      keys.map(({ given }) => given),
    ),
  ),
}

/** After what the pool has, and after the block that is being built: a deposit counts there alone. */
const pendingNonce = async (node: NodeCalls, account: string): Promise<bigint> => {
  const pooled = await node.pool.nextNonce(account)
  const { nonce } = await node.state.account(account, { tag: 'pending' })
  if (nonce > pooled) return nonce
  return pooled
}

const wordHex = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`

const calls: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_call: read(
    [callObject, at, stateOverrides.optional(), blockOverrides.optional()],
    async (node, call, block, overrides, block2) =>
      toData(await node.state.call({ call, at: block, overrides, blockOverrides: block2 })),
  ),
  eth_estimateGas: read(
    [callObject, at, stateOverrides.optional(), blockOverrides.optional()],
    async (node, call, block, overrides, block2) =>
      toQuantity(await node.state.estimateGas({ call, at: block, overrides, blockOverrides: block2 })),
  ),
  eth_simulateV1: read([simulatePayload, at], async (node, payload, block) => {
    const { blockStateCalls, validation, traceTransfers, returnFullTransactions: isFull } = payload
    const terms = { validation, traceTransfers, isFull }
    return jsonOfSimulated(await node.state.simulateBlocks(blockStateCalls, block, terms))
  }),
  eth_createAccessList: read([callObject, at], async (node, call, block) => {
    const { accessList, gasUsed, error } = await node.state.createAccessList({ call, at: block })
    return {
      accessList: accessList.map(jsonOfAccess),
      gasUsed: toQuantity(gasUsed),
      ...(error === undefined ? {} : { error }),
    }
  }),
}

const count = z.union([quantity(64), z.number().int().nonnegative().transform(BigInt)])

const fees: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_feeHistory: read(
    [count, blockNumberOrTag, z.array(z.number()).nullish()],
    async (node, blockCount, newest, percentiles) =>
      jsonOfFeeHistory(await node.chain.feeHistory(blockCount, newest, percentiles ?? [])),
  ),
  eth_maxPriorityFeePerGas: read([], async (node) => toQuantity(await node.chain.priorityFee())),
  eth_gasPrice: read([], async (node) =>
    toQuantity(
      (await node.chain.priorityFee()) + ((await node.chain.block(LATEST, false))?.header.baseFeePerGas ?? 0n),
    ),
  ),
  eth_baseFee: read([], async (node) => orNull(await node.chain.nextBaseFee(), toQuantity)),
  eth_blobBaseFee: read([], async (node) => toQuantity((await node.chain.nextBlobFee()) ?? 0n)),
}

/** Methods `eth_`, but those of logs and of the pool. */
export const ethMethods = { ...blocks, ...transactions, ...state, ...calls, ...fees }
