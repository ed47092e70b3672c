import { z } from 'zod'
import { address, data, hash, quantity } from '../json_rpc/codec.ts'
import { type Method, method } from '../json_rpc/method.ts'
import type { Bundle } from '../node/bundle.ts'
import type { InclusionTerms, KnownAccount, Range } from '../node/inclusion_terms.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { storageKey } from './storage_key.ts'

/** Clients write quantities and numbers. */
const bound = z
  .union([quantity(64), z.number().int().nonnegative().transform(BigInt)])
  .nullish()
  .transform((value) => value ?? undefined)

const rangeOf = (min: bigint | undefined, max: bigint | undefined): Range => ({ min, max })

const slots = z.record(z.string(), hash).transform((values, context) => {
  const found: { readonly key: bigint; readonly value: bigint }[] = []
  for (const [text, value] of Object.entries(values)) {
    const key = storageKey.safeParse(text)
    if (!key.success) {
      context.addIssue({ code: 'custom', message: key.error.issues[0]!.message })
      return z.NEVER
    }
    found.push({ key: key.data.value, value: BigInt(value) })
  }
  return found
})

/** By address: a storage root, or values by slot. */
const knownAccounts = z
  .record(address, z.union([hash, slots]))
  .transform((accounts): readonly KnownAccount[] =>
    Object.entries(accounts).map(([name, storage]) =>
      typeof storage === 'string'
        ? { address: name, root: storage, slots: [] }
        : { address: name, root: undefined, slots: storage },
    ),
  )

/** Terms as op-geth and op-reth have them (core/types/transaction_conditional.go, alloy rpc-types-eth erc4337.rs). */
const conditional = z
  .object({
    knownAccounts: knownAccounts.nullish(),
    blockNumberMin: bound,
    blockNumberMax: bound,
    timestampMin: bound,
    timestampMax: bound,
  })
  .transform(
    (given): InclusionTerms => ({
      knownAccounts: given.knownAccounts ?? [],
      blockNumber: rangeOf(given.blockNumberMin, given.blockNumberMax),
      timestamp: rangeOf(given.timestampMin, given.timestampMax),
      flashblock: {},
      mayFail: true,
    }),
  )

const bundle = z.object({
  txs: z.array(data()),
  revertingTxHashes: z.array(hash).nullish(),
  minBlockNumber: bound,
  maxBlockNumber: bound,
  minFlashblockNumber: bound,
  maxFlashblockNumber: bound,
  minTimestamp: bound,
  maxTimestamp: bound,
})

const bundleOf = (given: z.output<typeof bundle>): Bundle => {
  const [transaction, another] = given.txs
  if (transaction === undefined || another !== undefined)
    throw new RpcError(RPC_CODE.invalidParams, `bundle must contain exactly one transaction, got ${given.txs.length}`)
  return {
    transaction,
    reverting: given.revertingTxHashes ?? [],
    blockNumber: rangeOf(given.minBlockNumber, given.maxBlockNumber),
    flashblock: rangeOf(given.minFlashblockNumber, given.maxFlashblockNumber),
    timestamp: rangeOf(given.minTimestamp, given.maxTimestamp),
  }
}

/** Transactions that are for some blocks alone. */
export const conditionalMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_sendRawTransactionConditional: method([data(), conditional], async (node: NodeCalls, bytes, terms) =>
    node.pool.addConditional(bytes, terms),
  ),
}

/** Those that a builder leaves out where they would fail. */
export const bundleMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_sendBundle: method([bundle], async (node: NodeCalls, given) => ({
    bundleHash: await node.pool.addBundle(bundleOf(given)),
  })),
}
