import { blockLength, encodeBody, joinBlock } from '../../host/chain/encode_block.ts'
import { encodeUnsigned } from '../../host/chain/encode_transaction.ts'
import { environmentOf, nextExcessBlobGas } from '../../host/chain/header.ts'
import { isOpAtLeast } from '../../host/chain/op/op_forks.ts'
import { MESSAGE_PASSER } from '../../host/chain/op/predeploys.ts'
import { packUnsigned } from '../../host/chain/pack_unsigned.ts'
import { revertReason } from '../../host/chain/revert_reason.ts'
import {
  type BlockEnvironment,
  BlockError,
  type BlockHeader,
  type BlockSimulation,
  type CallBatches,
  type ChainBlock,
  type ChainReads,
  EMPTY_LIST_HASH,
  encodeHeader,
  type Fork,
  headerHash,
  InputError,
  isAtLeast,
  type OpRules,
  opRulesAt,
  REJECTION,
  receiptsRoot,
  type SimulatedBlock,
  type SimulatedBlockResult,
  SimulatedCallError,
  type SimulatedColumns,
  type State,
  simulateBlocks,
  type TransactionObject,
  transactionHashes,
  transactionsRoot,
  type Withdrawal,
  withdrawalsRoot,
} from '../../host/index.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { baseFeeAfter, blobsOf, forkOf } from './block_place.ts'
import type { PlacedBlock } from './simulated_chain.ts'
import { bloomOf, encodeSimulatedReceipt } from './simulated_receipts.ts'
import { blockText, CallsText, type TextTerms } from './simulated_text.ts'
import type { SimulatedBlockText, SimulatedBlockView, SimulatedCallView, SimulateTerms } from './state_calls.ts'
import { gasPriceOf, hashesOf } from './transaction_views.ts'
import type { LogView, PlaceView, TransactionView } from './views.ts'

/** A block before its calls. */
interface StartedBlock {
  readonly fork: Fork
  readonly chain: OpRules | undefined
  readonly env: BlockEnvironment
  readonly header: BlockHeader
}

/** A block with what the next one needs of it. */
interface MadeBlock {
  readonly view: SimulatedBlockView | SimulatedBlockText
  readonly made: ChainBlock
}

const ZERO_HASH = `0x${'0'.repeat(64)}`

/** What simulated blocks stand on: `gas` is what all calls may use. */
interface SimulatorGround {
  readonly state: State
  readonly gas: bigint
  readonly batches: CallBatches | undefined
}

/** Simulates blocks on a block of a chain, and makes blocks of what came of them (eth_simulateV1). */
export class BlockSimulator {
  readonly #chain: Pick<ChainReads, 'config' | 'rootAfter'>
  readonly #base: ChainBlock
  readonly #terms: SimulateTerms
  readonly #simulation: BlockSimulation

  constructor(
    chain: Pick<ChainReads, 'config' | 'rootAfter'>,
    base: ChainBlock,
    { batches, ...ground }: SimulatorGround,
    terms: SimulateTerms,
  ) {
    this.#chain = chain
    this.#base = base
    this.#terms = terms
    const { chainId, depositContract } = chain.config
    this.#simulation = simulateBlocks({
      chainId,
      ...ground,
      ...(batches === undefined ? {} : { batches }),
      validation: terms.validation,
      ...(terms.traceTransfers ? { transfers: 'log' } : {}),
      ...(depositContract === undefined ? {} : { depositContract }),
    })
  }

  async run(blocks: readonly PlacedBlock[]): Promise<readonly (SimulatedBlockView | SimulatedBlockText)[]> {
    const views: (SimulatedBlockView | SimulatedBlockText)[] = []
    let parent = this.#base
    for (const block of blocks) {
      const { view, made } = await this.#next(block, parent)
      views.push(view)
      parent = made
    }
    return views
  }

  async #next(placed: PlacedBlock, parent: ChainBlock): Promise<MadeBlock> {
    const start = this.#headerOf(placed, parent)
    const { fork, chain, header } = start
    if (chain !== undefined && (placed.block.withdrawals ?? []).length > 0)
      throw new RpcError(RPC_CODE.invalidParams, 'withdrawals must be empty on the OP stack')
    const withdrawals = isAtLeast(fork, 'shanghai') ? (placed.block.withdrawals ?? []) : undefined
    const simulated = await told(() =>
      this.#simulation.next({
        fork,
        chain,
        env: start.env,
        parentHash: parent.hash,
        overrides: placed.state,
        moves: placed.moves,
        calls: placed.calls,
        ...(header.parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot: header.parentBeaconBlockRoot }),
        ...(withdrawals === undefined ? {} : { withdrawals }),
      }),
    )
    const made = await (simulated.columns === undefined
      ? this.#viewed(start, simulated, withdrawals)
      : this.#written(start, simulated, simulated.columns, withdrawals))
    this.#simulation.setHash(made.made.header.number, made.made.hash)
    return made
  }

  async #viewed(
    start: StartedBlock,
    simulated: SimulatedBlock,
    withdrawals: readonly Withdrawal[] | undefined,
  ): Promise<MadeBlock> {
    const { chainId } = this.#chain.config
    const transactions = simulated.transactions.map((transaction) => encodeUnsigned(transaction, chainId))
    const stateRoots = await this.#stateRoots(start, simulated)
    const { root, bloom } = await this.#receiptsOf(simulated)
    const roots = { ...stateRoots, transactionsRoot: transactionsRoot(transactions), receiptsRoot: root }
    const header = finishedHeader(start, simulated, { ...roots, logsBloom: bloom })
    const hash = headerHash(header)
    const body = encodeBody({ transactions, uncles: [], ...(withdrawals === undefined ? {} : { withdrawals }) })
    const hashes = hashesOf(transactions)
    const places = hashes.map((_, index) => placeOf(hash, header, index))
    const block = {
      hash,
      header,
      sizeBytes: joinBlock(encodeHeader(header), body).length,
      transactions: this.#terms.isFull
        ? simulated.transactions.map((one, i) => viewOf(one, hashes[i]!, places[i]!, header.baseFeePerGas, chainId))
        : hashes,
      uncles: [],
      withdrawals,
    }
    return { view: { block, calls: callViews(simulated.results, hashes, places) }, made: { hash, header } }
  }

  /** The block as text, while the thread of the node makes the root of its state. */
  async #written(
    start: StartedBlock,
    simulated: SimulatedBlock,
    columns: SimulatedColumns,
    withdrawals: readonly Withdrawal[] | undefined,
  ): Promise<MadeBlock> {
    const { chainId } = this.#chain.config
    const { isFull, traceTransfers } = this.#terms
    const packed = packUnsigned(columns.transactions, chainId)
    const write = async () => {
      const hashes = transactionHashes(packed)
      const { number, timestamp } = start.header
      const calls = new CallsText(columns, { number, timestamp, hashes, errorOf })
      const { receipts } = columns
      const ofReceipts = traceTransfers
        ? await this.#receiptsOf(simulated)
        : { root: receiptsRoot(receipts), bloom: hexOf(receipts.blockBloom()) }
      return { hashes, calls, ofReceipts, transactionsRoot: transactionsRoot(packed) }
    }
    const [stateRoots, written] = await Promise.all([this.#stateRoots(start, simulated), write()])
    const { hashes, calls, ofReceipts } = written
    const roots = { ...stateRoots, transactionsRoot: written.transactionsRoot, receiptsRoot: ofReceipts.root }
    const header = finishedHeader(start, simulated, { ...roots, logsBloom: ofReceipts.bloom })
    const hash = headerHash(header)
    const views = (): readonly TransactionView[] =>
      simulated.transactions.map((one, i) =>
        viewOf(one, hashAt(hashes, i), placeOf(hash, header, i), header.baseFeePerGas, chainId),
      )
    const text = blockText(
      {
        hash,
        header,
        sizeBytes: blockLength(encodeHeader(header), packed, withdrawals),
        transactions: isFull ? views() : undefined,
        hashes,
        withdrawals,
      },
      calls,
    )
    return { view: { text }, made: { hash, header } }
  }

  /** What is known before the calls. */
  #headerOf({ number, timestamp, block }: PlacedBlock, parent: ChainBlock): StartedBlock {
    const { config } = this.#chain
    const before = parent.header
    const merged = forkOf(config, { number, timestamp, difficulty: 0n })
    const difficulty = isAtLeast(merged, 'shanghai') ? 0n : before.difficulty
    const fork = forkOf(config, { number, timestamp, difficulty })
    const chain = config.op === undefined ? undefined : opRulesAt(config.op, timestamp)
    const blobs = blobsOf(config, fork, timestamp)
    const { withdrawals = [], beaconRoot = ZERO_HASH } = block
    const excessBlobGas =
      chain !== undefined && isAtLeast(fork, 'cancun')
        ? 0n
        : blobs === undefined
          ? undefined
          : before.excessBlobGas === undefined
            ? 0n
            : nextExcessBlobGas(before, fork, blobs)
    const header: BlockHeader = {
      parentHash: parent.hash,
      uncleHash: EMPTY_LIST_HASH,
      coinbase: block.feeRecipient ?? before.coinbase,
      stateRoot: ZERO_HASH,
      transactionsRoot: ZERO_HASH,
      receiptsRoot: ZERO_HASH,
      logsBloom: '0x',
      difficulty,
      number,
      gasLimit: block.gasLimit ?? before.gasLimit,
      gasUsed: 0n,
      timestamp,
      // The parameters of the base fee.
      extraData: chain !== undefined && isOpAtLeast(chain.fork, 'holocene') ? before.extraData : '0x',
      mixHash: hashOf(block.prevRandao ?? 0n),
      nonce: '0x0000000000000000',
      ...(isAtLeast(fork, 'london') ? { baseFeePerGas: block.baseFeePerGas ?? this.#baseFee(before, timestamp) } : {}),
      ...(isAtLeast(fork, 'shanghai') ? { withdrawalsRoot: withdrawalsRoot(withdrawals) } : {}),
      ...(excessBlobGas === undefined ? {} : { blobGasUsed: 0n, excessBlobGas, parentBeaconBlockRoot: beaconRoot }),
    }
    const env = environmentOf(header, fork, blobs)
    const { blobBaseFee } = block
    return { fork, chain, header, env: blobBaseFee === undefined ? env : { ...env, blobBaseFee } }
  }

  /** Without validation gas is free where no price is given, so the base fee is no more than that. */
  #baseFee(parent: BlockHeader, timestamp: bigint): bigint {
    return this.#terms.validation ? baseFeeAfter(this.#chain.config, parent, timestamp) : 0n
  }

  async #stateRoots(
    { chain }: StartedBlock,
    { writes }: SimulatedBlock,
  ): Promise<Pick<BlockHeader, 'stateRoot' | 'withdrawalsRoot'>> {
    const { hash } = this.#base
    const stateRoot = await this.#chain.rootAfter(hash, writes)
    if (chain === undefined || !isOpAtLeast(chain.fork, 'isthmus')) return { stateRoot }
    return { stateRoot, withdrawalsRoot: await this.#chain.rootAfter(hash, writes, MESSAGE_PASSER) }
  }

  async #receiptsOf(simulated: SimulatedBlock): Promise<{ readonly root: string; readonly bloom: string }> {
    const { results } = simulated
    const receipts: Uint8Array[] = []
    let cumulativeGasUsed = 0n
    for (const [i, result] of results.entries()) {
      cumulativeGasUsed += result.gasUsed
      const root = result.writes === undefined ? undefined : await this.#chain.rootAfter(this.#base.hash, result.writes)
      const { type = 0 } = simulated.transactions[i]!
      receipts.push(
        encodeSimulatedReceipt({ type, status: result.status, root, cumulativeGasUsed, logs: ownLogs(result) }),
      )
    }
    const bloom = `0x${Buffer.from(bloomOf(results.flatMap(ownLogs))).toString('hex')}`
    // The index of a receipt is its key, as that of a transaction is.
    return { root: transactionsRoot(receipts), bloom }
  }
}

const finishedHeader = (
  { header }: StartedBlock,
  { gasUsed, blobGasUsed, requestsHash }: SimulatedBlock,
  roots: Partial<BlockHeader>,
): BlockHeader => ({
  ...header,
  ...roots,
  gasUsed,
  ...(header.blobGasUsed === undefined ? {} : { blobGasUsed }),
  ...(requestsHash === undefined ? {} : { requestsHash }),
})

const placeOf = (blockHash: string, { number, timestamp }: BlockHeader, index: number): PlaceView => ({
  blockHash,
  blockNumber: number,
  blockTimestamp: timestamp,
  index,
})

const hexOf = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`

const hashAt = (hashes: Uint8Array, i: number): string => hexOf(hashes.subarray(32 * i, 32 * i + 32))

const hashOf = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`

/** Those that the code of the call has made. */
const ownLogs = ({ logs, transfers }: SimulatedBlockResult) => logs.filter((_, n) => !transfers.has(n))

const viewOf = (
  transaction: TransactionObject,
  hash: string,
  place: PlaceView,
  baseFee: bigint | undefined,
  chainId: bigint,
): TransactionView => ({
  hash,
  transaction,
  gasPrice: gasPriceOf(transaction, baseFee),
  chainId: transaction.type === 0 ? undefined : chainId,
  v: 0n,
  r: 0n,
  s: 0n,
  place,
})

const callViews = (
  results: readonly SimulatedBlockResult[],
  hashes: readonly string[],
  places: readonly PlaceView[],
): readonly SimulatedCallView[] => {
  let logIndex = 0
  return results.map((result, i) => {
    const logs = result.logs.map(
      ({ address, topics, data }): LogView => ({
        address,
        topics,
        data: new Uint8Array(Buffer.from(data.slice(2), 'hex')),
        place: places[i]!,
        transactionHash: hashes[i]!,
        logIndex: logIndex++,
      }),
    )
    const { status, gasUsed, mostGasUsed, output } = result
    const error = status === 1 ? undefined : errorOf(result.exception, output)
    return { status, gasUsed, mostGasUsed, logs, output: status === 1 ? output : new Uint8Array(0), error }
  })
}

/** Words of go-ethereum where those of @ethereumjs/evm are others. */
const HALTS: Readonly<Record<string, string>> = {
  'invalid JUMP': 'invalid jump destination',
  'static state change': 'write protection',
  'create collision': 'contract address collision',
  'code store out of gas': 'contract creation code storage out of gas',
  'code size to deposit exceeds maximum code size': 'max code size exceeded',
}

const errorOf: TextTerms['errorOf'] = (exception = 'halted', output) => {
  if (exception !== 'revert') return { code: RPC_CODE.halted, message: HALTS[exception] ?? exception, data: undefined }
  const reason = revertReason(output)
  const message = reason === undefined ? 'execution reverted' : `execution reverted: ${reason}`
  return { code: RPC_CODE.reverted, message, data: output }
}

const CODES: ReadonlyMap<number, number> = new Map([
  [REJECTION.nonceTooLow, RPC_CODE.nonceTooLow],
  [REJECTION.nonceTooHigh, RPC_CODE.nonceTooHigh],
  [REJECTION.feeCapBelowBaseFee, RPC_CODE.feeCapTooLow],
  [REJECTION.intrinsicGas, RPC_CODE.intrinsicGas],
  [REJECTION.floorGas, RPC_CODE.intrinsicGas],
  [REJECTION.insufficientFunds, RPC_CODE.insufficientFunds],
  [REJECTION.gasLimitReached, RPC_CODE.blockGasReached],
  [REJECTION.senderNotEoa, RPC_CODE.senderNotEoa],
  [REJECTION.initcodeSize, RPC_CODE.initcodeSize],
])

/** What may not be simulated is told with its code. */
const told = async <Value>(simulate: () => Promise<Value>): Promise<Value> => {
  try {
    return await simulate()
  } catch (thrown) {
    if (thrown instanceof SimulatedCallError)
      throw new RpcError(CODES.get(thrown.rejection) ?? RPC_CODE.server, `call ${thrown.index}: ${thrown.message}`)
    if (thrown instanceof InputError || thrown instanceof BlockError)
      throw new RpcError(RPC_CODE.server, thrown.message)
    throw thrown
  }
}
