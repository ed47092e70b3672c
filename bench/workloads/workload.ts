import type { Block } from '../../host/chain/batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import type { StateWrites } from '../../host/state/state.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { createRandom, type Random } from '../random.ts'
import { BASE_FEE, type BatchWriter } from './batch_writer.ts'

/** A named kind of traffic. */
export interface Workload {
  readonly name: string
  /** One line for `--list`. */
  readonly title: string
  readonly shares: Sharing
  /** `never`: what is measured is path programs, no path's own kernel. */
  readonly kernels?: 'never'
  build(options: WorkloadOptions): Promise<Scenario>
}

/**
 * What the transactions of one block share, the sender's nonce and the coinbase aside.
 * `nothing`: each could run alone and leave the same values.
 * `account`: the balance or nonce of a contract, on which no outcome depends: each could run alone with the same
 * receipt.
 * `slots`: storage slots, so outcomes may depend on the order.
 */
export type Sharing = 'nothing' | 'account' | 'slots'

/** `count` addresses as limbs, all different; the first `senders` of them will sign transactions. */
export type MakePeople = (count: number, senders: number, random: Random) => Uint32Array

export interface WorkloadOptions {
  /** Cancun or later. */
  readonly fork: Fork
  /** Transactions per block. */
  readonly size: number
  readonly seed: number
  /** Blocks that will be asked for at most. */
  readonly blocks: number
  /** Absent: addresses without keys. */
  readonly people?: MakePeople
}

/**
 * A pre-state and the blocks that run on it one after another. Block k + 1 is meant for the state that block k leaves
 * behind: its nonces follow, a tenth of its recipients are new, its timestamp is 12 s later.
 */
export interface Scenario {
  readonly fork: Fork
  readonly chainId: bigint
  /** The pre-state, as one commit on an empty state. */
  readonly genesis: StateWrites
  /** Contracts in use and where they come from. */
  readonly programs: readonly string[]
  /** Facts of this scenario that a result should state, such as its number of pools. */
  readonly notes: readonly string[]
  next(): WorkloadBlock
}

/** A block and what an independent model says about its outcome. Every transaction is meant to succeed. */
export interface WorkloadBlock extends Block {
  /** Slot values after the block, from the workload's own arithmetic. Valid until the next block is made. */
  readonly expected: SlotColumns
  /** Wei moved by calls inside transactions: from `addresses[5 * 2 i]` to `addresses[5 * (2 i + 1)]`, `amounts[i]`. */
  readonly internalTransfers?: { readonly addresses: Uint32Array; readonly amounts: readonly bigint[] }
}

export interface SlotColumns {
  readonly count: number
  /** 5 limbs each. */
  readonly addresses: Uint32Array
  /** Words. */
  readonly keys: Uint32Array
  readonly values: Uint32Array
}

/** The fork that mainnet runs. */
export const DEFAULT_FORK: Fork = 'osaka'
/** The contracts are compiled for it. */
export const OLDEST_FORK: Fork = 'cancun'
export const WORKLOAD_CHAIN_ID = 1n
export const COINBASE = '0x95222290dd7278aa3ddd389cc1e1d165cc4bafe5'
/** Ether of every sender: 100,000. */
export const WEALTH = 10n ** 23n

const FIRST_BLOCK = 24_000_000n
export const FIRST_TIMESTAMP = 1_764_800_000n
const MAINNET_GAS_LIMIT = 60_000_000

/** Environment of block `index`. The block gas limit is raised where the batch needs more than mainnet's. */
export const workloadEnvironment = (seed: number, index: number, writer: BatchWriter): BlockEnvironment => {
  const random = createRandom(seed, `prevrandao ${index}`)
  let prevRandao = 0n
  for (let limb = 0; limb < 8; limb++) prevRandao = (prevRandao << 32n) | BigInt(random.u32())
  return {
    number: FIRST_BLOCK + BigInt(index),
    timestamp: FIRST_TIMESTAMP + 12n * BigInt(index),
    coinbase: COINBASE,
    gasLimit: BigInt(Math.max(MAINNET_GAS_LIMIT, writer.gasLimitSum)),
    baseFeePerGas: BigInt(BASE_FEE),
    prevRandao,
  }
}
