import { decodeBlock } from '../../host/chain/decode_block.ts'
import { environmentOf } from '../../host/chain/header.ts'
import { isOpAtLeast } from '../../host/chain/op/op_forks.ts'
import { VAULTS } from '../../host/chain/op/predeploys.ts'
import {
  addressFromHex,
  type BlockEnvironment,
  type ChainBlock,
  type ChainReads,
  decodeTransaction,
  InputError,
  isAtLeast,
  quantityToBigInt,
  type State,
  StoreError,
  TraceError,
  type TransactionObject,
  traceCall,
  traceTransactions,
} from '../../host/index.ts'
import type { BlockName } from '../json_rpc/codec.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { blobsOf, type Rules, rulesOf } from './block_place.ts'
import type { BlockReader } from './block_reader.ts'
import { callEnvironment } from './call_environment.ts'
import type { Executors } from './executors.ts'
import type { CallRequest } from './state_calls.ts'
import type { BlockTraceView, TraceCalls, TraceOptions } from './trace_calls.ts'
import type { TraceView } from './trace_views.ts'
import { CallTree } from './tracers/call_tree.ts'
import { Prestate } from './tracers/prestate.ts'
import { StructLogger } from './tracers/struct_logs.ts'
import { TraceBudget, type Tracer } from './tracers/tracer.ts'
import { hashesOf } from './transaction_views.ts'

/** Of JSON, about, that the traces of one request may come to. */
const MOST_BYTES = 32 * 1024 * 1024

/** What a traced transaction stands on. */
interface Ground extends Rules {
  readonly env: BlockEnvironment
  readonly state: State
}

/** Executes transactions of the chain again, and calls, and traces them. */
export class BlockTracer implements TraceCalls {
  readonly #chain: ChainReads
  readonly #blocks: BlockReader
  readonly #executors: Executors
  /** Gas that a traced call has at most. */
  readonly #gasCap: bigint

  constructor(chain: ChainReads, blocks: BlockReader, executors: Executors, gasCap: bigint) {
    this.#chain = chain
    this.#blocks = blocks
    this.#executors = executors
    this.#gasCap = gasCap
  }

  async transaction(hash: string, options: TraceOptions): Promise<TraceView> {
    const place = this.#chain.transaction(hash)
    if (place === undefined) throw new RpcError(RPC_CODE.server, 'transaction not found')
    const block = this.#chain.block(place.blockHash)!
    const [traced] = await limited(options, (signal) => this.#trace(block, options, signal, place.index))
    return traced!.trace
  }

  async block(name: BlockName, options: TraceOptions): Promise<readonly BlockTraceView[]> {
    const block = this.#blocks.find(name)
    if (block === undefined) throw new RpcError(RPC_CODE.server, `block ${nameText(name)} not found`)
    return limited(options, (signal) => this.#trace(block, options, signal, undefined))
  }

  /** All transactions of a block, or one. */
  async #trace(
    block: ChainBlock,
    options: TraceOptions,
    signal: AbortSignal,
    only: number | undefined,
  ): Promise<readonly BlockTraceView[]> {
    const { header, hash } = block
    if (header.number === 0n) throw new RpcError(RPC_CODE.server, 'genesis is not traceable')
    const ground = this.#groundOf(block)
    const { transactions: signed } = decodeBlock(this.#chain.blockBytes(hash)!)
    const transactions = await this.#executors.decodeBlock(ground, signed)
    const budget = new TraceBudget(MOST_BYTES)
    const tracers = new Map<number, Tracer<TraceView>>()
    const { parentHash, parentBeaconBlockRoot } = header
    await traceTransactions({
      ...ground,
      chainId: this.#chain.config.chainId,
      parentHash,
      ...(parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot }),
      transactions,
      signed,
      signal,
      end: only === undefined ? transactions.count : only + 1,
      watch: (index) => {
        if (only !== undefined && index !== only) return undefined
        const transaction = decodeTransaction(transactions, index)
        const tracer = tracerOf(options, transaction, ground, budget, vaultsOf(transaction, ground))
        tracers.set(index, tracer)
        return tracer.watcher
      },
    })
    const hashes = hashesOf(signed)
    return [...tracers].map(([index, tracer]) => ({ transactionHash: hashes[index]!, trace: tracer.view() }))
  }

  #groundOf({ header }: ChainBlock): Ground {
    const state = this.#chain.stateAt(header.parentHash)
    if (state === undefined) throw new RpcError(RPC_CODE.server, `the state before block ${header.number} is not kept`)
    const { fork, chain } = rulesOf(this.#chain.config, header)
    return { fork, chain, state, env: environmentOf(header, fork, blobsOf(this.#chain.config, fork, header.timestamp)) }
  }

  async call(request: CallRequest, options: TraceOptions): Promise<TraceView> {
    const block = this.#blocks.known(request.at)
    const state = this.#chain.stateAt(block.hash)
    if (state === undefined)
      throw new RpcError(RPC_CODE.server, `the state after block ${block.header.number} is not kept`)
    const { env } = callEnvironment(this.#chain.config, block.header, request)
    const { fork, chain } = rulesOf(this.#chain.config, block.header)
    const gasCap = this.#gasCap
    const { gas } = request.call
    const call = { ...request.call, gas: gas === undefined || gas > gasCap ? gasCap : gas }
    const transaction: TransactionObject = {
      ...(call.to === undefined ? {} : { to: call.to }),
      ...(call.authorizations === undefined ? {} : { authorizations: call.authorizations }),
      from: call.from ?? NOBODY,
      nonce: 0n,
      gasLimit: call.gas,
    }
    return limited(options, async (signal) => {
      const nonce = call.to === undefined ? await nonceOf(state, transaction.from) : 0n
      const budget = new TraceBudget(MOST_BYTES)
      const tracer = tracerOf(options, { ...transaction, nonce }, { fork, chain, env, state }, budget)
      const { chainId } = this.#chain.config
      const { overrides = {} } = request
      await traceCall({ chainId, fork, chain, env, state, call, overrides, signal, watcher: tracer.watcher })
      return tracer.view()
    })
  }
}

const NOBODY = `0x${'0'.repeat(40)}`

const tracerOf = (
  options: TraceOptions,
  transaction: TransactionObject,
  { fork, env }: Ground,
  budget: TraceBudget,
  vaults: readonly string[] = [],
): Tracer<TraceView> => {
  switch (options.tracer) {
    case 'structLogs':
      return new StructLogger(options, budget)
    case 'callTracer': {
      const terms = { gasLimit: transaction.gasLimit, failsWithoutCode: isAtLeast(fork, 'homestead') }
      return new CallTree(options, terms, budget)
    }
    case 'prestateTracer': {
      const terms = {
        ...{ transaction, coinbase: env.coinbase, vaults },
        hasDelegations: isAtLeast(fork, 'prague'),
        destroysOnlyCreated: isAtLeast(fork, 'cancun'),
      }
      return new Prestate(options, terms, budget)
    }
  }
}

/** The vaults that a transaction of a block pays: a deposit none, and the operator's from Isthmus on. */
const vaultsOf = ({ deposit }: TransactionObject, { chain }: Ground): readonly string[] => {
  if (chain === undefined || deposit !== undefined) return []
  return isOpAtLeast(chain.fork, 'isthmus') ? VAULTS : VAULTS.slice(0, 2)
}

const nameText = (name: BlockName): string =>
  'number' in name ? `#${name.number}` : 'hash' in name ? name.hash : name.tag

/** A trace with a limit of time; what ends it is told in one line. */
const limited = async <Value>(
  { timeoutMs }: TraceOptions,
  trace: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> => {
  try {
    return await trace(AbortSignal.timeout(timeoutMs))
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'TimeoutError')
      throw new RpcError(RPC_CODE.server, 'execution timeout')
    if (thrown instanceof TraceError) throw new RpcError(RPC_CODE.server, `tracing failed: ${thrown.message}`)
    if (thrown instanceof InputError) throw new RpcError(RPC_CODE.invalidParams, thrown.message)
    if (thrown instanceof StoreError && thrown.fault === 'depth') throw new RpcError(RPC_CODE.server, thrown.message)
    throw thrown
  }
}

const nonceOf = async (state: State, address: string): Promise<bigint> => {
  const limbs = new Uint32Array(5)
  addressFromHex(limbs, 0, address)
  return quantityToBigInt((await state.readAccounts(limbs, 1)).nonce, 0)
}
