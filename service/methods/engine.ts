import { z } from 'zod'
import type { PackedTransactions } from '../../host/index.ts'
import { address, data, hash, hexOf, packedData, quantity, toData, toQuantity } from '../json_rpc/codec.ts'
import { type Json, type Method, method } from '../json_rpc/method.ts'
import type {
  BuiltPayload,
  PayloadAttributes,
  PayloadBody,
  PayloadExtras,
  PayloadStatus,
  SentPayload,
} from '../node/engine_types.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import type { BlobWithProofs } from '../node/side_cars.ts'
import { jsonOfWithdrawal } from './encode.ts'

/** Structures of the Engine API (execution-apis src/engine/openrpc/schemas). */
const withdrawal = z.object({
  index: quantity(64),
  validatorIndex: quantity(64),
  address,
  amount: quantity(64),
})

/** The fields of all versions: which of them a version has is checked where its fork is known. */
const payload = z
  .object({
    parentHash: hash,
    feeRecipient: address,
    stateRoot: hash,
    receiptsRoot: hash,
    logsBloom: hexOf(256),
    prevRandao: hash,
    blockNumber: quantity(64),
    gasLimit: quantity(64),
    gasUsed: quantity(64),
    timestamp: quantity(64),
    extraData: data(32).transform(toData),
    baseFeePerGas: quantity(),
    blockHash: hash,
    transactions: packedData,
    withdrawals: z
      .array(withdrawal)
      .nullish()
      .transform((list) => list ?? undefined),
    blobGasUsed: quantity(64)
      .nullish()
      .transform((value) => value ?? undefined),
    excessBlobGas: quantity(64)
      .nullish()
      .transform((value) => value ?? undefined),
    withdrawalsRoot: hash.nullish().transform((root) => root ?? undefined),
  })
  .transform((fields): SentPayload => fields)

const attributes = z
  .object({
    timestamp: quantity(64),
    prevRandao: hash,
    suggestedFeeRecipient: address,
    withdrawals: z
      .array(withdrawal)
      .nullish()
      .transform((list) => list ?? undefined),
    parentBeaconBlockRoot: hash.nullish().transform((root) => root ?? undefined),
    transactions: z
      .array(data())
      .nullish()
      .transform((list) => list ?? undefined),
    noTxPool: z
      .boolean()
      .nullish()
      .transform((value) => value ?? undefined),
    gasLimit: quantity(64)
      .nullish()
      .transform((value) => value ?? undefined),
    eip1559Params: hexOf(8)
      .nullish()
      .transform((value) => value ?? undefined),
    // The specification says a quantity, clients write a number.
    minBaseFee: z
      .union([quantity(64), z.number().int().nonnegative().transform(BigInt)])
      .nullish()
      .transform((value) => value ?? undefined),
  })
  .transform((fields): PayloadAttributes => fields)

const forkchoice = z.object({ headBlockHash: hash, safeBlockHash: hash, finalizedBlockHash: hash })

const jsonOfStatus = ({ status, latestValidHash, validationError }: PayloadStatus): Json => ({
  status,
  latestValidHash: latestValidHash ?? null,
  validationError: validationError ?? null,
})

const newPayload = (
  version: 1 | 2 | 3 | 4,
  extras: readonly z.ZodType[],
  read: (values: readonly unknown[]) => PayloadExtras,
) =>
  method([payload, ...extras], async (node: NodeCalls, given, ...beside) =>
    jsonOfStatus(await node.engine.newPayload(version, given as SentPayload, read(beside))),
  )

const blobHashes = z.array(hash)
const requests = z.array(data())

const extrasOf = ([versionedHashes, parentBeaconBlockRoot, list]: readonly unknown[]): PayloadExtras => ({
  versionedHashes: versionedHashes as readonly string[] | undefined,
  parentBeaconBlockRoot: parentBeaconBlockRoot as string | undefined,
  requests: list as readonly Uint8Array[] | undefined,
})

const forkchoiceUpdated = (version: 1 | 2 | 3): Method<NodeCalls> =>
  method([forkchoice, attributes.nullish()], async (node: NodeCalls, state, given) => {
    const { payloadStatus, payloadId } = await node.engine.forkchoiceUpdated(version, state, given ?? undefined)
    return { payloadStatus: jsonOfStatus(payloadStatus), payloadId: payloadId ?? null }
  })

/** Each as 0x-hex, of digits that are written once. */
const hexOfEach = ({ bytes, offsets }: PackedTransactions): readonly string[] => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: offsets.length - 1 }, (_, i) => `0x${buffer.toString('hex', offsets[i], offsets[i + 1])}`)
}

const jsonOfPayload = (block: SentPayload): Json => ({
  parentHash: block.parentHash,
  feeRecipient: block.feeRecipient,
  stateRoot: block.stateRoot,
  receiptsRoot: block.receiptsRoot,
  logsBloom: block.logsBloom,
  prevRandao: block.prevRandao,
  blockNumber: toQuantity(block.blockNumber),
  gasLimit: toQuantity(block.gasLimit),
  gasUsed: toQuantity(block.gasUsed),
  timestamp: toQuantity(block.timestamp),
  extraData: block.extraData,
  baseFeePerGas: toQuantity(block.baseFeePerGas),
  blockHash: block.blockHash,
  transactions: hexOfEach(block.transactions),
  withdrawals: block.withdrawals?.map(jsonOfWithdrawal),
  blobGasUsed: block.blobGasUsed === undefined ? undefined : toQuantity(block.blobGasUsed),
  excessBlobGas: block.excessBlobGas === undefined ? undefined : toQuantity(block.excessBlobGas),
  withdrawalsRoot: block.withdrawalsRoot,
})

/** The reply of getPayload: each version adds to the one before it, and V5 has side-cars of cells. */
const jsonOfBuilt = (version: 1 | 2 | 3 | 4 | 5, built: BuiltPayload): Json => {
  const executionPayload = jsonOfPayload(built.payload)
  if (version === 1) return executionPayload
  const { commitments, proofs, blobs } = built.blobs
  return {
    executionPayload,
    blockValue: toQuantity(built.value),
    ...(version < 3
      ? {}
      : {
          blobsBundle: {
            commitments: commitments.map(toData),
            proofs: proofs.map(toData),
            blobs: blobs.map(toData),
          },
          shouldOverrideBuilder: false,
        }),
    ...(version < 3 ? {} : { parentBeaconBlockRoot: built.parentBeaconBlockRoot }),
    ...(version < 4 ? {} : { executionRequests: built.requests.map(toData) }),
  }
}

const getPayload = (version: 1 | 2 | 3 | 4 | 5): Method<NodeCalls> =>
  method([hexOf(8)], async (node: NodeCalls, id) => jsonOfBuilt(version, await node.engine.getPayload(version, id)))

const jsonOfBody = (body: PayloadBody | undefined): Json =>
  body === undefined
    ? null
    : { transactions: body.transactions.map(toData), withdrawals: body.withdrawals?.map(jsonOfWithdrawal) ?? null }

/** V2 has cell proofs, and nothing at all where a blob is missing; V3 leaves that blob out. */
const getBlobs = (version: 1 | 2 | 3): Method<NodeCalls> =>
  method([z.array(hash)], async (node: NodeCalls, hashes) => {
    const found = await node.engine.blobs(version, hashes)
    if (version === 2 && found.includes(undefined)) return null
    return found.map((blob) => (blob === undefined ? null : jsonOfBlob(blob)))
  })

const jsonOfBlob = ({ version, blob, proofs }: BlobWithProofs): Json => ({
  blob: toData(blob),
  ...(version === 0 ? { proof: toData(proofs[0]!) } : { proofs: proofs.map(toData) }),
})

const methods: Readonly<Record<string, Method<NodeCalls>>> = {
  engine_getBlobsV1: getBlobs(1),
  engine_getBlobsV2: getBlobs(2),
  engine_getBlobsV3: getBlobs(3),
  engine_newPayloadV1: newPayload(1, [], extrasOf),
  engine_newPayloadV2: newPayload(2, [], extrasOf),
  engine_newPayloadV3: newPayload(3, [blobHashes, hash], extrasOf),
  engine_newPayloadV4: newPayload(4, [blobHashes, hash, requests], extrasOf),
  engine_forkchoiceUpdatedV1: forkchoiceUpdated(1),
  engine_forkchoiceUpdatedV2: forkchoiceUpdated(2),
  engine_forkchoiceUpdatedV3: forkchoiceUpdated(3),
  engine_getPayloadV1: getPayload(1),
  engine_getPayloadV2: getPayload(2),
  engine_getPayloadV3: getPayload(3),
  engine_getPayloadV4: getPayload(4),
  engine_getPayloadV5: getPayload(5),
  engine_getPayloadBodiesByHashV1: method([z.array(hash)], async (node: NodeCalls, hashes) =>
    (await node.engine.bodiesByHash(hashes)).map(jsonOfBody),
  ),
  engine_getPayloadBodiesByRangeV1: method([quantity(64), quantity(64)], async (node: NodeCalls, start, count) =>
    (await node.engine.bodiesByRange(start, count)).map(jsonOfBody),
  ),
}

/** Methods `testing_`, for tools that fill tests. */
export const testingMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  testing_buildBlockV1: method(
    [hash, attributes, z.array(data()).nullish(), data(32).transform(toData).nullish()],
    async (node: NodeCalls, parent, given, transactions, extraData) =>
      jsonOfBuilt(5, await node.engine.buildBlock(parent, given, transactions ?? undefined, extraData ?? undefined)),
  ),
}

/** How a client names itself (execution-apis src/engine/identification.md). */
export interface ClientName {
  /** Two letters. */
  readonly code: string
  readonly name: string
  readonly version: string
}

/** Of the build: none is known where it runs from sources. */
const NO_COMMIT = '0x00000000'

/** Methods `engine_`. */
export const engineMethods = (client: ClientName): Readonly<Record<string, Method<NodeCalls>>> => {
  const named = {
    ...methods,
    engine_getClientVersionV1: method([z.looseObject({})], async () => [{ ...client, commit: NO_COMMIT }]),
  }
  return {
    ...named,
    // Not among what it lists.
    engine_exchangeCapabilities: method([z.array(z.string())], async () => Object.keys(named)),
  }
}
