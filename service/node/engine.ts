import { decodeBlock } from '../../host/chain/decode_block.ts'
import { headerHash } from '../../host/chain/header.ts'
import { isOpActive } from '../../host/chain/op/op_chain.ts'
import { PostExecError, refusePostExec } from '../../host/chain/op/post_exec.ts'
import {
  BlockError,
  type BlockVerdict,
  type Chain,
  type ChainBlock,
  type Fork,
  ForkChoiceError,
  type HeadChange,
  isAtLeast,
  type TransactionObject,
} from '../../host/index.ts'
import type { NodeMetrics } from '../metrics.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { forkOf } from './block_place.ts'
import {
  type BuiltPayload,
  type EngineCalls,
  type ForkchoiceReply,
  type ForkchoiceState,
  isSameChoice,
  type PayloadAttributes,
  type PayloadBody,
  type PayloadExtras,
  type PayloadStatus,
  type SentPayload,
} from './engine_types.ts'
import { checkOpAttributes, invalidAttributes, payloadIdOf } from './op_attributes.ts'
import { blobHashesOf, blockOfPayload } from './payload_block.ts'
import type { PayloadBuilder } from './payload_builder.ts'
import { payloadId } from './payload_id.ts'
import type { Pool } from './pool.ts'
import type { BlobWithProofs } from './side_cars.ts'
import { checkAttributes, checkGetBlobs, checkGetPayload, checkNewPayload } from './versions.ts'

const ZERO_HASH = `0x${'0'.repeat(64)}`
/** Bodies that one call may ask for. */
const MOST_BODIES = 1024
/** Blobs likewise. */
const MOST_BLOBS = 128
/** Payloads that may not stand, whose verdict is remembered for the fork choice. */
const MOST_INVALID = 512

const SYNCING: PayloadStatus = { status: 'SYNCING', latestValidHash: undefined, validationError: undefined }
/** Of a block beside the chain that may stand, and cannot be executed: the state that it stands on is gone. */
const ACCEPTED: PayloadStatus = { ...SYNCING, status: 'ACCEPTED' }

/** What the engine works on. */
export interface EngineParts {
  readonly chain: Chain
  readonly pool: Pool
  readonly builder: PayloadBuilder
  readonly metrics: NodeMetrics
  /** Told when the head has become another one. */
  readonly onHead: (change: HeadChange) => void
}

/**
 * The Engine API on a chain (execution-apis src/engine). Payloads and fork choices are answered one at a time, in the
 * order of their arrival: a fork choice knows the payloads that came before it.
 */
export class Engine implements EngineCalls {
  readonly #chain: Chain
  readonly #pool: Pool
  readonly #builder: PayloadBuilder
  readonly #metrics: NodeMetrics
  readonly #onHead: EngineParts['onHead']
  /** By hash; the oldest makes room. */
  readonly #invalid = new Map<string, PayloadStatus>()
  /** Ends when all payloads and fork choices so far have been answered. */
  #turn: Promise<unknown> = Promise.resolve()
  /** Fork choices among them. */
  #choices = 0
  /** Hashes that the payloads among them say they have. */
  readonly #payloads: string[] = []

  constructor({ chain, pool, builder, metrics, onHead }: EngineParts) {
    this.#chain = chain
    this.#pool = pool
    this.#builder = builder
    this.#metrics = metrics
    this.#onHead = onHead
  }

  newPayload(version: 1 | 2 | 3 | 4, sent: SentPayload, extras: PayloadExtras): Promise<PayloadStatus> {
    this.#payloads.push(sent.blockHash)
    return this.#inTurn('newPayload', () => this.#newPayload(version, sent, extras)).finally(() => {
      this.#payloads.shift()
    })
  }

  async #newPayload(version: 1 | 2 | 3 | 4, payload: SentPayload, extras: PayloadExtras): Promise<PayloadStatus> {
    checkNewPayload(version, this.#forkAt(payload.timestamp), payload, extras)
    const { op } = this.#chain.config
    const isIsthmus = op !== undefined && isOpActive(op, 'isthmus', payload.timestamp)
    if (op !== undefined) checkWithdrawalsRoot(isIsthmus, payload)
    // The hash does not speak of them: the block that has it may stand.
    if (isIsthmus && (payload.withdrawals ?? []).length > 0)
      return invalid(undefined, 'withdrawals must be empty on the OP stack')
    const sent = isIsthmus ? payload : { ...payload, withdrawalsRoot: undefined }
    const block = blockOfPayload(sent, extras, this.#builder.rootOf(payload.blockHash))
    const hash = headerHash(block.header)
    if (hash !== payload.blockHash)
      return invalid(undefined, `blockhash mismatch, want ${payload.blockHash}, got ${hash}`)
    const { versionedHashes } = extras
    if (versionedHashes !== undefined && !isSame(blobHashesOf(block.transactions), versionedHashes))
      return invalid(undefined, 'blob versioned hashes do not match the blobs of the transactions')
    const verdict = await executed(() => this.#chain.addBlock(block))
    this.#metrics.block(verdict.status, verdict.status === 'valid' ? verdict.result : undefined)
    return this.#statusOf(verdict)
  }

  #statusOf(verdict: BlockVerdict): PayloadStatus {
    if (verdict.status === 'unknownParent') return this.#isKnown(verdict.header.parentHash) ? ACCEPTED : SYNCING
    if (verdict.status === 'valid') {
      this.#invalid.delete(verdict.hash)
      return { status: 'VALID', latestValidHash: verdict.hash, validationError: undefined }
    }
    const status = invalid(this.#validHash(verdict.latestValid), verdict.reason)
    const [oldest] = this.#invalid.keys()
    if (this.#invalid.size >= MOST_INVALID && oldest !== undefined) this.#invalid.delete(oldest)
    this.#invalid.set(verdict.hash, status)
    return status
  }

  #isKnown(hash: string): boolean {
    return this.#chain.block(hash) !== undefined
  }

  /** Blocks of proof of work are none that the consensus layer knows. */
  #validHash({ hash, header }: ChainBlock): string {
    return isAtLeast(forkOf(this.#chain.config, header), 'paris') ? hash : ZERO_HASH
  }

  /** The fork of a payload by its time alone: all of them are of proof of stake. */
  #forkAt(timestamp: bigint): Fork {
    const number = this.#chain.head.header.number + 1n
    return forkOf(this.#chain.config, { number, timestamp, difficulty: 0n })
  }

  forkchoiceUpdated(
    version: 1 | 2 | 3,
    state: ForkchoiceState,
    attributes: PayloadAttributes | undefined,
  ): Promise<ForkchoiceReply> {
    const choose = async (hasWaited: boolean): Promise<ForkchoiceReply> => {
      const reply = await this.#forkchoiceUpdated(version, state, attributes)
      return { ...reply, chosen: this.#chosen, hasWaited }
    }
    if (this.#choices === 0 && this.#needsNoTurn(state))
      return this.#metrics.timed('forkchoiceUpdated', () => choose(false))
    this.#choices++
    const hasWaited = this.#payloads.length > 0
    return this.#inTurn('forkchoiceUpdated', () => choose(hasWaited)).finally(() => {
      this.#choices--
    })
  }

  /** Whether a choice moves nothing, whatever comes of the payloads that are being executed. */
  #needsNoTurn(state: ForkchoiceState): boolean {
    const { headBlockHash: hash } = state
    if (this.#isChosen(state)) return true
    if (this.#payloads.includes(hash)) return false
    if (this.#invalid.has(hash) || hash === ZERO_HASH) return true
    const block = this.#chain.block(hash)
    return block === undefined || this.#isBelowFinalized(block)
  }

  #isChosen(state: ForkchoiceState): boolean {
    return isSameChoice(state, this.#chosen)
  }

  get #chosen(): ForkchoiceState {
    const { head, safe, finalized } = this.#chain.forkChoice
    return {
      headBlockHash: head.hash,
      safeBlockHash: safe?.hash ?? ZERO_HASH,
      finalizedBlockHash: finalized?.hash ?? ZERO_HASH,
    }
  }

  #inTurn<Reply>(name: string, work: () => Promise<Reply>): Promise<Reply> {
    const reply = this.#turn.then(() => this.#metrics.timed(name, work))
    this.#turn = reply.catch(() => undefined)
    return reply
  }

  async #forkchoiceUpdated(
    version: 1 | 2 | 3,
    state: ForkchoiceState,
    attributes: PayloadAttributes | undefined,
  ): Promise<Pick<ForkchoiceReply, 'payloadStatus' | 'payloadId'>> {
    const { headBlockHash: hash } = state
    const known = this.#invalid.get(hash)
    if (known !== undefined) return { payloadStatus: known, payloadId: undefined }
    if (hash === ZERO_HASH) return { payloadStatus: invalid(undefined, 'the head is zero'), payloadId: undefined }
    const block = this.#chain.block(hash)
    if (block === undefined) return { payloadStatus: SYNCING, payloadId: undefined }
    const payloadStatus: PayloadStatus = { status: 'VALID', latestValidHash: hash, validationError: undefined }
    if (this.#isBelowFinalized(block)) return { payloadStatus, payloadId: undefined }
    if (!this.#isChosen(state) && !(await this.#setHead(state))) return { payloadStatus: SYNCING, payloadId: undefined }
    if (attributes === undefined) return { payloadStatus, payloadId: undefined }
    const { fork, chain } = this.#chain.rulesAfter(hash, attributes.timestamp)
    checkAttributes(version, fork, attributes, block.header.timestamp)
    await executed(async () => refusePostExec(chain, block.header.number + 1n, attributes.transactions))
    const named = chain === undefined ? [] : checkOpAttributes(attributes, chain, this.#chain.config.chainId)
    const id = (chain === undefined ? payloadId : payloadIdOf)(version, hash, attributes)
    const job = this.#builder.start({ id, parent: block, fork, chain, attributes })
    if (chain !== undefined && mayFail(attributes, named)) await standing(job.built)
    return { payloadStatus, payloadId: id }
  }

  #isBelowFinalized({ hash, header }: ChainBlock): boolean {
    const { finalized } = this.#chain.forkChoice
    return finalized !== undefined && header.number < finalized.header.number && this.#chain.isCanonical(hash)
  }

  /** False where the head is not known after all. */
  async #setHead({ headBlockHash, safeBlockHash, finalizedBlockHash }: ForkchoiceState): Promise<boolean> {
    try {
      const change = await this.#chain.setHead({
        head: headBlockHash,
        ...(safeBlockHash === ZERO_HASH ? {} : { safe: safeBlockHash }),
        ...(finalizedBlockHash === ZERO_HASH ? {} : { finalized: finalizedBlockHash }),
      })
      if (change.undone.length + change.applied.length > 0) {
        await this.#pool.moveTo(this.#chain.head, change)
        this.#onHead(change)
      }
      this.#metrics.head(this.#chain.head)
      return true
    } catch (thrown) {
      if (!(thrown instanceof ForkChoiceError)) throw thrown
      if (thrown.fault === 'unknownHead') return false
      const code = thrown.fault === 'tooDeep' ? RPC_CODE.tooDeepReorg : RPC_CODE.invalidForkchoice
      throw new RpcError(code, thrown.message)
    }
  }

  async getPayload(version: 1 | 2 | 3 | 4 | 5, id: string): Promise<BuiltPayload> {
    const job = this.#builder.find(id)
    if (job === undefined) throw new RpcError(RPC_CODE.unknownPayload, 'unknown payload')
    checkGetPayload(version, job.fork)
    return this.#metrics.timed('getPayload', () => this.#builder.finish(job))
  }

  buildBlock(
    parentHash: string,
    attributes: PayloadAttributes,
    transactions: readonly Uint8Array[] | undefined,
    extraData = '0x',
  ): Promise<BuiltPayload> {
    return this.#inTurn('buildBlock', async () => {
      const parent = this.#chain.block(parentHash)
      if (parent === undefined) throw new RpcError(RPC_CODE.server, 'unknown parent')
      const { fork, chain } = this.#chain.rulesAfter(parentHash, attributes.timestamp)
      if (attributes.timestamp <= parent.header.timestamp)
        throw new RpcError(RPC_CODE.invalidParams, 'the timestamp is not above that of the parent')
      if (chain !== undefined) checkOpAttributes(attributes, chain, this.#chain.config.chainId)
      const terms = { id: '', parent, fork, chain, attributes }
      return transactions === undefined
        ? this.#builder.buildNow(terms)
        : this.#builder.buildOf(terms, transactions, extraData)
    })
  }

  async blobs(version: 1 | 2 | 3, hashes: readonly string[]): Promise<readonly (BlobWithProofs | undefined)[]> {
    checkGetBlobs(version, this.#forkAt(this.#chain.head.header.timestamp))
    if (hashes.length > MOST_BLOBS)
      throw new RpcError(RPC_CODE.tooLarge, `requested ${hashes.length} blobs, at most ${MOST_BLOBS}`)
    // Proofs that are not of this kind are on their way.
    const kind = version === 1 ? 0 : 1
    return hashes.map((hash) => {
      const found = this.#pool.blob(hash)
      return found?.version === kind ? found : undefined
    })
  }

  async bodiesByHash(hashes: readonly string[]): Promise<readonly (PayloadBody | undefined)[]> {
    if (hashes.length > MOST_BODIES) throw tooMany(hashes.length)
    return hashes.map((hash) => this.#body(hash))
  }

  async bodiesByRange(start: bigint, count: bigint): Promise<readonly (PayloadBody | undefined)[]> {
    if (start < 1n || count < 1n)
      throw new RpcError(RPC_CODE.invalidParams, `invalid start or count: ${start}, ${count}`)
    if (count > BigInt(MOST_BODIES)) throw tooMany(Number(count))
    const head = this.#chain.head.header.number
    const bodies: (PayloadBody | undefined)[] = []
    for (let number = start; number < start + count && number <= head; number++) bodies.push(this.#body(number))
    return bodies
  }

  #body(block: bigint | string): PayloadBody | undefined {
    const bytes = this.#chain.blockBytes(block)
    if (bytes === undefined) return undefined
    const { transactions, withdrawals } = decodeBlock(bytes)
    return { transactions, withdrawals }
  }
}

/** A block that this node cannot execute is no block that may not stand: the caller is told to ask again later. */
const executed = async <Value>(work: () => Promise<Value>): Promise<Value> => {
  try {
    return await work()
  } catch (thrown) {
    throw thrown instanceof PostExecError ? new RpcError(RPC_CODE.server, thrown.message) : thrown
  }
}

const TYPE_DEPOSIT = 0x7e

/**
 * Whether a block of these attributes, which name such transactions, may be impossible: where it holds more than
 * deposits that are named, or may have no room for them.
 */
const mayFail = (
  { noTxPool = false, gasLimit: room = 0n }: PayloadAttributes,
  named: readonly TransactionObject[],
): boolean =>
  noTxPool ||
  named.some(({ type }) => type !== TYPE_DEPOSIT) ||
  named.reduce((sum, { gasLimit }) => sum + gasLimit, 0n) > room

/** What cannot be in a block is told at once: op-node then takes the deposits alone (Holocene). */
const standing = async (built: Promise<BuiltPayload>): Promise<void> => {
  try {
    await built
  } catch (thrown) {
    throw thrown instanceof BlockError ? invalidAttributes(thrown.message) : thrown
  }
}

/** It stands in the payload from Isthmus on, and not before. */
const checkWithdrawalsRoot = (isIsthmus: boolean, { withdrawalsRoot }: SentPayload): void => {
  if (isIsthmus === (withdrawalsRoot !== undefined)) return
  const fault = isIsthmus ? 'nil withdrawalsRoot post-isthmus' : 'withdrawalsRoot not supported pre-isthmus'
  throw new RpcError(RPC_CODE.invalidParams, fault)
}

const tooMany = (count: number): RpcError =>
  new RpcError(RPC_CODE.tooLarge, `requested ${count} bodies, at most ${MOST_BODIES}`)

const invalid = (latestValidHash: string | undefined, validationError: string): PayloadStatus => ({
  status: 'INVALID',
  latestValidHash,
  validationError,
})

const isSame = (found: readonly string[] | undefined, expected: readonly string[]): boolean =>
  found !== undefined && found.length === expected.length && found.every((hash, i) => hash === expected[i])
