import type { TransactionBatch, TransactionObject } from '../chain/batch.ts'
import type { BlobSchedule, BlockHeader } from '../chain/header.ts'
import type { SignedTransactions } from '../chain/packed.ts'
import type { Withdrawal } from '../chain/withdrawals.ts'
import type { KnownSenders } from '../senders/known_senders.ts'
import type { StateTrie } from '../state/trie/state_trie.ts'

/**
 * What the consensus layer, or a sequencer, decides of a block.
 *
 * @example
 * import type { BlockAttributes } from 'wgevm'
 *
 * const attributes: BlockAttributes = {
 *   timestamp: 1_700_000_000n,
 *   coinbase: '0x0000000000000000000000000000000000000b0b',
 *   prevRandao: `0x${'00'.repeat(32)}`,
 *   withdrawals: [],
 *   parentBeaconBlockRoot: `0x${'00'.repeat(32)}`,
 * }
 * console.log(attributes.gasLimit) // undefined
 */
export interface BlockAttributes {
  readonly timestamp: bigint
  /** 0x-hex. */
  readonly coinbase: string
  /** 0x-hex, 32 bytes. */
  readonly prevRandao: string
  /** What the gas limit should come to: on Ethereum a block may only go a step towards it. Default: the parent's. */
  readonly gasLimit?: bigint
  /** 0x-hex, at most 32 bytes. */
  readonly extraData?: string
  readonly withdrawals?: readonly Withdrawal[]
  /** From Cancun on: 0x-hex, 32 bytes. */
  readonly parentBeaconBlockRoot?: string
  /** On the OP stack: what the block begins with, as it comes over the wire; it holds all of it, or is not built. */
  readonly transactions?: SignedTransactions
  /** On the OP stack: nothing comes from the pool. */
  readonly noTxPool?: boolean
  /** On the OP stack from Holocene on, in place of `extraData`: denominator and elasticity, 8 bytes, 0x-hex. */
  readonly eip1559Params?: string
  /** On the OP stack from Jovian on: wei per gas. */
  readonly minBaseFee?: bigint
}

/**
 * What `build` makes a block of: the parent, what the consensus layer or a sequencer decides, and a pool of signed
 * transactions.
 *
 * @example
 * import { type BuildRequest, createExecutor, createStateTrie, genesisHeader, MemoryState, stateRootOf } from 'wgevm'
 *
 * const coinbase = '0x0000000000000000000000000000000000000b0b'
 * const state = MemoryState.from({ '0x00000000000000000000000000000000000a11ce': { balance: 10n ** 18n } })
 * const request: BuildRequest = {
 *   parent: genesisHeader('paris', { stateRoot: stateRootOf(state.dump()) }),
 *   attributes: { timestamp: 12n, coinbase, prevRandao: `0x${'0'.repeat(64)}` },
 *   pool: [Uint8Array.of(0xff)],
 *   parentState: createStateTrie(state.dump()),
 * }
 * const executor = createExecutor({ fork: 'paris', chainId: 1n, state })
 * const { block, dropped } = await executor.build(request)
 * console.log(block.header.number, dropped.length) // 1n 1
 * executor.close()
 */
export interface BuildRequest {
  readonly parent: BlockHeader
  readonly attributes: BlockAttributes
  /**
   * Signed transactions as they come over the wire, in the order of their arrival. What cannot be read is `dropped`.
   */
  readonly pool: SignedTransactions
  /**
   * Senders of the pool, where the caller has recovered them before. They are **taken as given**. Not beside `decoded`.
   */
  readonly senders?: KnownSenders
  /** The same decoded, with their senders, where the caller has them so. */
  readonly decoded?: TransactionBatch | readonly TransactionObject[]
  /**
   * The trie of the state that the executor's State holds, which is the parent's: its root is checked. It follows the
   * block.
   */
  readonly parentState: StateTrie
  readonly blobSchedule?: BlobSchedule
  /** Asks for the block access list (EIP-7928). */
  readonly accessList?: boolean
  /** Asks for `execution.changes`: what each transaction did to the state at its place. */
  readonly changes?: boolean
  /** As in `ExecuteRequest`; the trie is then where it was. */
  readonly signal?: AbortSignal
}
