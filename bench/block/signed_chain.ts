import type { TransactionBatch } from '../../host/chain/batch.ts'
import { genesisHeader } from '../../host/chain/genesis_header.ts'
import { type BlockHeader, encodeHeader, environmentOf } from '../../host/chain/header.ts'
import { packTransactions } from '../../host/chain/packed.ts'
import type { BlockInput } from '../../host/flows/block_input.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import type { Executor } from '../../host/flows/executor_interface.ts'
import { rlpBytes, rlpList } from '../../host/primitives/rlp.ts'
import { wordFromBigInt, wordToHex } from '../../host/primitives/word.ts'
import type { Receipts } from '../../host/receipts/receipts.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import type { StateTrie } from '../../host/state/trie/state_trie.ts'
import { createStateTrie, stateRootOf } from '../../host/state/trie/trie.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { SYSTEM_CONTRACTS } from '../contracts/system.ts'
import { BASE_FEE } from '../workloads/batch_writer.ts'
import type { Scenario, Workload, WorkloadBlock } from '../workloads/workload.ts'
import { signBatch } from './sign_batch.ts'
import { Signers } from './signers.ts'

export interface SignedChainOptions {
  readonly fork: Fork
  readonly size: number
  readonly seed: number
  /** Blocks that will be asked for at most. */
  readonly blocks: number
  /** How the producer executes. */
  readonly executor: Partial<Parameters<typeof createExecutor>[0]>
}

/** A block over the wire, and what the workload's model says of it. */
export interface SignedBlock {
  readonly parent: BlockHeader
  /** Its transactions are in one buffer. */
  readonly block: BlockInput
  /** The same one by one. */
  readonly signed: readonly Uint8Array[]
  /** Its environment is that of the header. Valid until the next block is made. */
  readonly work: WorkloadBlock
  /** What the producer's execution gave. */
  readonly receipts: Receipts
}

/** The highest priority fee; each transaction of a block pays a wei less than the one before it. */
const FIRST_TIP = 3_000_000_000n

/**
 * A chain of blocks of one workload: its transactions, signed, in blocks that a producer has built and sealed on its
 * own copy of the state. Priority fees fall along a block, so that the producer keeps the workload's order.
 */
export class SignedChain {
  readonly scenario: Scenario
  /** The state before the first block, which is not changed. */
  readonly genesis: MemoryState
  /** Of block 0, whose state that is. */
  readonly genesisHeader: BlockHeader
  /** The producer's: after the last block that was made. */
  readonly state: MemoryState
  readonly #signers: Signers
  readonly #producer: Executor
  readonly #parentState: StateTrie
  readonly #first: WorkloadBlock
  #isFirst = true
  #parent: BlockHeader

  private constructor(scenario: Scenario, signers: Signers, options: SignedChainOptions) {
    const { fork } = options
    this.scenario = scenario
    this.#signers = signers
    this.genesis = new MemoryState()
    this.genesis.commit(scenario.genesis)
    for (const [address, code] of Object.entries(SYSTEM_CONTRACTS))
      this.genesis.setAccount(address, { nonce: 1n, code })
    this.#first = scenario.next()
    const { timestamp, gasLimit } = this.#first.env
    const dump = this.genesis.dump()
    // Half full, so the base fee begins where it is and then falls; twice what a block of the workload may use.
    const half = { gasLimit: 2n * gasLimit, baseFeePerGas: BigInt(BASE_FEE) }
    const genesis = genesisHeader(fork, { stateRoot: stateRootOf(dump), timestamp: timestamp - 12n, ...half })
    this.genesisHeader = { ...genesis, gasUsed: gasLimit }
    this.#parent = this.genesisHeader
    this.#parentState = createStateTrie(dump)
    this.state = this.genesis.clone()
    this.#producer = createExecutor({ fork, chainId: scenario.chainId, state: this.state, ...options.executor })
  }

  static async open(workload: Workload, options: SignedChainOptions): Promise<SignedChain> {
    const signers = new Signers(options.seed)
    const { fork, size, seed, blocks } = options
    const scenario = await workload.build({ fork, size, seed, blocks, people: signers.people })
    return new SignedChain(scenario, signers, options)
  }

  /** Makes the next block. */
  async next(): Promise<SignedBlock> {
    const { env, transactions: drawn, ...model } = this.#isFirst ? this.#first : this.scenario.next()
    this.#isFirst = false
    const transactions = withFallingTips(drawn)
    const signed = signBatch(transactions, this.scenario.chainId, this.#signers)
    const parent = this.#parent
    const mixHash = new Uint32Array(8)
    wordFromBigInt(mixHash, 0, env.prevRandao)
    const built = await this.#producer.build({
      parent,
      attributes: { timestamp: env.timestamp, coinbase: env.coinbase, prevRandao: wordToHex(mixHash, 0) },
      pool: signed,
      decoded: transactions,
      parentState: this.#parentState,
    })
    if (built.order.length !== signed.length || built.order.some((index, n) => index !== n))
      throw new Error(`the producer built ${built.order.length} of ${signed.length} transactions, or in another order`)
    const { header } = built.block
    this.#parent = header
    return {
      parent,
      block: { ...built.block, transactions: packTransactions(signed) },
      signed,
      work: { ...model, env: environmentOf(header, this.scenario.fork, undefined), transactions },
      receipts: built.execution.receipts,
    }
  }

  close(): void {
    this.#producer.close()
  }
}

const withFallingTips = (batch: TransactionBatch): TransactionBatch => {
  const maxPriorityFeePerGas = new Uint32Array(8 * batch.count)
  for (let i = 0; i < batch.count; i++) wordFromBigInt(maxPriorityFeePerGas, 8 * i, FIRST_TIP - BigInt(i))
  return { ...batch, maxPriorityFeePerGas }
}

/** A block as a peer takes it: RLP of header, transactions, no uncles and no withdrawals. */
export const encodeBlock = ({ block: { header }, signed }: SignedBlock): Uint8Array =>
  rlpList([
    encodeHeader(header),
    rlpList(signed.map(rlpBytes)),
    rlpList([]),
    ...(header.withdrawalsRoot === undefined ? [] : [rlpList([])]),
  ])
