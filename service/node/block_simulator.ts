import { encodeBody, joinBlock } from '../../host/chain/encode_block.ts'
import { encodeUnsigned } from '../../host/chain/encode_transaction.ts'
import { environmentOf, nextExcessBlobGas } from '../../host/chain/header.ts'
import { isOpAtLeast } from '../../host/chain/op/op_forks.ts'
import { MESSAGE_PASSER } from '../../host/chain/op/predeploys.ts'
import { revertReason } from '../../host/chain/revert_reason.ts'
import {
  type BlockEnvironment,
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
  type SimulatedBlock,
  type SimulatedBlockResult,
  SimulatedCallError,
  type State,
  simulateBlocks,
  type TransactionObject,
  transactionsRoot,
  withdrawalsRoot,
} from '../../host/index.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { baseFeeAfter, blobsOf, forkOf } from './block_place.ts'
import type { PlacedBlock } from './simulated_chain.ts'
import { bloomOf, encodeSimulatedReceipt } from './simulated_receipts.ts'
import type { SimulatedBlockView, SimulatedCallView, SimulateTerms } from './state_calls.ts'
import { gasPriceOf, hashesOf } from './transaction_views.ts'
import type { LogView, PlaceView, TransactionView } from './views.ts'

/** A block before its calls. */
interface StartedBlock {
  readonly fork: Fork
  readonly chain: OpRules | undefined
  readonly env: BlockEnvironment
  readonly header: BlockHeader
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
  readonly #chain: ChainReads
  readonly #base: ChainBlock
  readonly #terms: SimulateTerms
  readonly #simulation: BlockSimulation

  constructor(chain: ChainReads, base: ChainBlock, { batches, ...ground }: SimulatorGround, terms: SimulateTerms) {
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

  async run(blocks: readonly PlacedBlock[]): Promise<readonly SimulatedBlockView[]> {
    const views: SimulatedBlockView[] = []
    let parent = this.#base
    for (const block of blocks) {
      const view = await this.#next(block, parent)
      views.push(view)
      parent = view.block
    }
    return views
  }

  async #next(placed: PlacedBlock, parent: ChainBlock): Promise<SimulatedBlockView> {
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
    const { chainId } = this.#chain.config
    const transactions = simulated.transactions.map((transaction) => encodeUnsigned(transaction, chainId))
    const whole = await this.#finish(start, simulated, transactions)
    const hash = headerHash(whole)
    this.#simulation.setHash(whole.number, hash)
    const body = encodeBody({ transactions, uncles: [], ...(withdrawals === undefined ? {} : { withdrawals }) })
    const hashes = hashesOf(transactions)
    const places = hashes.map(
      (_, index): PlaceView => ({
        blockHash: hash,
        blockNumber: whole.number,
        blockTimestamp: whole.timestamp,
        index,
      }),
    )
    const { isFull } = this.#terms
    return {
      block: {
        hash,
        header: whole,
        sizeBytes: joinBlock(encodeHeader(whole), body).length,
        transactions: isFull
          ? simulated.transactions.map((one, i) => viewOf(one, hashes[i]!, places[i]!, whole.baseFeePerGas, chainId))
          : hashes,
        uncles: [],
        withdrawals,
      },
      calls: callViews(simulated.results, hashes, places),
    }
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

  async #finish(
    { header, chain }: StartedBlock,
    simulated: SimulatedBlock,
    transactions: readonly Uint8Array[],
  ): Promise<BlockHeader> {
    const { gasUsed, blobGasUsed, requestsHash, writes } = simulated
    const { root, bloom } = simulated.receipts ?? (await this.#receiptsOf(simulated))
    const hasMessages = chain !== undefined && isOpAtLeast(chain.fork, 'isthmus')
    return {
      ...header,
      stateRoot: await this.#chain.rootAfter(this.#base.hash, writes),
      ...(hasMessages ? { withdrawalsRoot: await this.#chain.rootAfter(this.#base.hash, writes, MESSAGE_PASSER) } : {}),
      transactionsRoot: transactionsRoot(transactions),
      receiptsRoot: root,
      logsBloom: bloom,
      gasUsed,
      ...(header.blobGasUsed === undefined ? {} : { blobGasUsed }),
      ...(requestsHash === undefined ? {} : { requestsHash }),
    }
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
    const error = status === 1 ? undefined : errorOf(result)
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

const errorOf = ({ exception = 'halted', output }: SimulatedBlockResult): SimulatedCallView['error'] => {
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
    if (thrown instanceof InputError) throw new RpcError(RPC_CODE.server, thrown.message)
    throw thrown
  }
}
