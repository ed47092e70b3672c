import type { TransactionBatch } from '../chain/batch.ts'
import type { CallObject } from '../chain/call_batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import type { StateOverrides } from '../state/overlay_state.ts'

/**
 * Calls that see what the calls before them in the bundle wrote.
 *
 * @example
 * import { type CallBundle, createExecutor, MemoryState } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * // bob can pay only because the first call has paid him
 * const bundle: CallBundle = { calls: [{ from: alice, to: bob, value: 2n }, { from: bob, to: alice, value: 1n }] }
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n } })
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const at = { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n }
 * const simulation = await executor.simulate({ at, bundles: [bundle] })
 * console.log([...simulation.status]) // [ 1, 1 ]
 * executor.close()
 */
export interface CallBundle {
  readonly calls: readonly CallObject[]
  readonly overrides?: StateOverrides
}

/**
 * `calls` are independent of each other; so are bundles. Exactly one of both is given. Nothing is committed.
 *
 * As in eth_call, the caller's nonce and code do not matter and gas costs nothing where no price is given; BASEFEE is
 * that of `at` all the same. `checkBalance: false` lends a caller what it lacks for value and gas.
 *
 * @example
 * import { createExecutor, MemoryState, type SimulateRequest } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const bob = '0x0000000000000000000000000000000000000b0b'
 * const request: SimulateRequest = {
 *   at: { number: 1n, timestamp: 1n, coinbase: bob, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n },
 *   calls: [{ from: alice, to: bob, value: 5n }],
 *   overrides: { [alice]: { balance: 5n } },
 * }
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState() })
 * const simulation = await executor.simulate(request)
 * console.log(simulation.get(0).status, simulation.get(0).gasUsed) // 1 21000n
 * executor.close()
 */
export interface SimulateRequest {
  readonly at: BlockEnvironment
  readonly calls?: TransactionBatch | readonly CallObject[]
  readonly bundles?: readonly CallBundle[]
  readonly overrides?: StateOverrides
  readonly checkBalance?: boolean
  /** As in `ExecuteRequest`. */
  readonly signal?: AbortSignal
}
