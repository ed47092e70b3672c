import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import type { BlockHeader } from '../chain/header.ts'
import { CREATE2_DEPLOYER, CREATE2_DEPLOYER_CODE } from '../chain/op/create2_deployer.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import { isFirstOfCanyon } from '../chain/op/op_header.ts'
import { depositOfLog, NO_REQUESTS, type Requests, requestsHash } from '../chain/requests.ts'
import { WEI_PER_GWEI, type Withdrawal } from '../chain/withdrawals.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { TransactionChanges } from '../state/changes.ts'
import type { WorkGround } from './block_steps.ts'
import { callBeforeTransactions, creditAccount, putCode, takeRequests } from './system_calls.ts'

/**
 * What the miner of a block is paid, and the miners of its uncles (YP 11.3): wei of a block without uncles, and how
 * many blocks each uncle lies before it.
 *
 * Example: {@link TransitionRequest}.
 */
export interface BlockReward {
  readonly wei: bigint
  readonly uncles: readonly { readonly coinbase: string; readonly distance: bigint }[]
}

/** What a block has beside its transactions. @internal */
export interface BlockBody {
  readonly withdrawals?: readonly Withdrawal[] | undefined
  readonly reward?: BlockReward | undefined
  /** `never`: no contract of the system is called, and nothing is requested. */
  readonly systemCalls?: 'never' | undefined
}

/**
 * What a block does before and after its transactions: requests (EIP-7685), and changes where they were asked for.
 *
 * Example: {@link BlockInput}.
 */
export interface BlockYield {
  /** From Prague on. */
  readonly requests?: Requests
  readonly requestsHash?: string
  /** Where changes were asked for: what the steps before the transactions did, and those after them. */
  readonly before?: TransactionChanges
  readonly after?: TransactionChanges
}

/** What the work around the transactions needs to know of the chain. */
export interface BlockChain {
  readonly fork: Fork
  /** Whose logs are deposits (EIP-6110), 0x-hex in lower case; undefined: the chain has no such contract. */
  readonly depositContract: string | undefined
  /** A chain of the OP stack at a fork: nothing is requested of the consensus layer. */
  readonly chain?: OpRules | undefined
}

/** What the work after the transactions reads of them. */
type BlockLogs = Pick<Receipts, 'emitting' | 'logs'>

/** Fields of the header that the work around the transactions reads. @internal */
export type WorkHeader = Partial<Pick<BlockHeader, 'parentHash' | 'parentBeaconBlockRoot'>>

/** What a block is paid by the rules of its fork: nothing from Paris on. @internal */
export const blockReward = (
  fork: Fork,
  number: bigint,
  uncles: readonly Pick<BlockHeader, 'coinbase' | 'number'>[] = [],
): BlockReward | undefined =>
  isAtLeast(fork, 'paris')
    ? undefined
    : {
        wei: rewardAt(fork),
        uncles: uncles.map((uncle) => ({ coinbase: uncle.coinbase, distance: number - uncle.number })),
      }

/** Wei of a block before Paris (EIP-649, EIP-1234). */
const rewardAt = (fork: Fork): bigint => {
  const ether = 10n ** 18n
  if (isAtLeast(fork, 'constantinople')) return 2n * ether
  return isAtLeast(fork, 'byzantium') ? 3n * ether : 5n * ether
}

/**
 * What a block does to the state around its transactions, in this order: system calls before them (EIP-4788,
 * EIP-2935); after them withdrawals (EIP-4895), rewards, and the system calls that collect requests (EIP-7002,
 * EIP-7251). The first block of Canyon on the OP stack puts a contract in its place.
 *
 * @internal
 */
export class BlockWork {
  yields: BlockYield = {}
  readonly #fork: Fork
  readonly #env: BlockEnvironment
  readonly #header: WorkHeader
  readonly #body: BlockBody
  readonly #depositContract: string | undefined
  readonly #chain: OpRules | undefined

  constructor(
    { fork, depositContract, chain }: BlockChain,
    env: BlockEnvironment,
    header: WorkHeader,
    body: BlockBody,
  ) {
    this.#fork = fork
    this.#depositContract = depositContract
    this.#chain = chain
    this.#env = env
    this.#header = header
    this.#body = body
  }

  async before(ground: WorkGround): Promise<void> {
    if (this.#body.systemCalls !== 'never') await callBeforeTransactions(ground, this.#fork, this.#env, this.#header)
    if (this.#chain !== undefined && isFirstOfCanyon(this.#chain, this.#env.timestamp))
      await putCode(ground, CREATE2_DEPLOYER, CREATE2_DEPLOYER_CODE)
    if (ground.recorder !== undefined) this.yields = { ...this.yields, before: ground.recorder.take() }
  }

  async after(ground: WorkGround, receipts: BlockLogs): Promise<void> {
    const { withdrawals = [], reward, systemCalls } = this.#body
    const fork = this.#fork
    for (const { address, amount } of withdrawals) await creditAccount(ground, fork, address, amount * WEI_PER_GWEI)
    if (reward !== undefined) await this.#pay(ground, reward)
    if (isAtLeast(fork, 'prague')) {
      const isQuiet = systemCalls === 'never' || this.#chain !== undefined
      const requests = isQuiet ? NO_REQUESTS : await this.#requests(ground, receipts)
      this.yields = { ...this.yields, requests, requestsHash: requestsHash(requests) }
    }
    if (ground.recorder !== undefined) this.yields = { ...this.yields, after: ground.recorder.take() }
  }

  async #requests(ground: WorkGround, receipts: BlockLogs): Promise<Requests> {
    const deposits = depositRequests(receipts, this.#depositContract)
    return { deposits, ...(await takeRequests(ground, this.#fork, this.#env)) }
  }

  /** YP 11.3: the miner's reward with a 32nd for each uncle, and the uncles' by their distance. */
  async #pay(ground: WorkGround, { wei, uncles }: BlockReward): Promise<void> {
    for (const { coinbase, distance } of uncles)
      await creditAccount(ground, this.#fork, coinbase, ((8n - distance) * wei) / 8n)
    await creditAccount(ground, this.#fork, this.#env.coinbase, wei + (wei / 32n) * BigInt(uncles.length))
  }
}

const NOTHING = new Uint8Array(0)

/**
 * Deposit requests of a block in the order of their logs (EIP-6110). Logs are decoded only of transactions that
 * have one of the contract.
 */
const depositRequests = (receipts: BlockLogs, contract: string | undefined): Uint8Array => {
  if (contract === undefined) return NOTHING
  const deposits: Uint8Array[] = []
  for (const i of receipts.emitting(contract)) {
    for (const log of receipts.logs(i)) {
      const deposit = depositOfLog(log, contract)
      if (deposit !== undefined) deposits.push(deposit)
    }
  }
  return new Uint8Array(Buffer.concat(deposits))
}
