import { createEVM, type EVM } from '@ethereumjs/evm'
import { Address, bytesToHex, hexToBytes } from '@ethereumjs/util'
import type { TransactionBatch } from '../../host/chain/batch.ts'
import { decodeTransaction } from '../../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import type { Log } from '../../host/chain/log.ts'
import { commonOf } from '../../host/precompiles/common.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { type SerialBase, SerialState } from '../serial_state.ts'

/** What one call gave. Gas is execution gas, without the intrinsic part; the refund is not taken off. */
export interface SerialCall {
  readonly status: 0 | 1
  readonly executionGas: bigint
  readonly refund: bigint
  readonly output: string
  readonly logs: readonly Log[]
}

export interface SerialCalls {
  readonly results: readonly SerialCall[]
  /** Time in `runCall` and in taking its effects back. */
  readonly elapsedMs: number
}

/** How long the calls may take together; the first `atLeast`, by default one, are always made. */
export interface SerialBudget {
  readonly ms: number
  readonly atLeast?: number
}

/**
 * The reference of simulations: the calls of `indices`, as many as the time allows, each with `runCall`
 * of @ethereumjs/evm on the same state.
 */
export const runSerialCalls = async (
  fork: Fork,
  chainId: bigint,
  env: BlockEnvironment,
  state: SerialBase,
  batch: TransactionBatch,
  indices: readonly number[],
  budget: SerialBudget = { ms: Number.POSITIVE_INFINITY },
): Promise<SerialCalls> => {
  const stateManager = new SerialState(state)
  const evm = await createEVM({ common: commonOf(fork, chainId), stateManager })
  const block = blockOf(env)
  const results: SerialCall[] = []
  let elapsedMs = 0
  for (const i of indices) {
    if (results.length >= (budget.atLeast ?? 1) && elapsedMs > budget.ms) break
    const { from, to, data, value, gasLimit } = decodeTransaction(batch, i)
    const call = {
      caller: addressOf(from),
      data: hexToBytes((data ?? '0x') as `0x${string}`),
      value: value ?? 0n,
      block,
    }
    const target = to === undefined ? {} : { to: addressOf(to) }
    const intrinsic = intrinsicOf(call.data, fork, to === undefined)
    const startedMs = performance.now()
    await evm.journal.checkpoint()
    warm(evm, fork, from, to, env.coinbase)
    const { execResult } = await evm.runCall({ ...call, ...target, gasPrice: 0n, gasLimit: gasLimit - intrinsic })
    await evm.journal.revert()
    evm.journal.cleanJournal()
    stateManager.originalStorageCache.clear()
    elapsedMs += performance.now() - startedMs
    results.push({
      status: execResult.exceptionError === undefined ? 1 : 0,
      executionGas: execResult.executionGasUsed,
      refund: execResult.gasRefund ?? 0n,
      output: bytesToHex(execResult.returnValue),
      logs: (execResult.logs ?? []).map(([address, topics, bytes]) => ({
        address: bytesToHex(address),
        topics: topics.map(bytesToHex),
        data: bytesToHex(bytes),
      })),
    })
  }
  return { results, elapsedMs }
}

/** Gas used as a transaction pays it: refund capped (EIP-3529), then the floor (EIP-7623). */
export const paidGas = (call: SerialCall, data: Uint8Array, fork: Fork, creates: boolean): bigint => {
  const spent = intrinsicOf(data, fork, creates) + call.executionGas
  const cap = spent / (isAtLeast(fork, 'london') ? 5n : 2n)
  const used = spent - (call.refund < cap ? call.refund : cap)
  const floor = isAtLeast(fork, 'prague') ? 21_000n + 10n * tokensOf(data) : 0n
  return used < floor ? floor : used
}

/** EIP-2, 2028 and 3860: written again here, so the reference shares nothing with what it checks. */
const intrinsicOf = (data: Uint8Array, fork: Fork, creates: boolean): bigint => {
  const nonZero = BigInt(data.filter((byte) => byte !== 0).length)
  const zero = BigInt(data.length) - nonZero
  const initcode = creates && isAtLeast(fork, 'shanghai') ? 2n * BigInt(Math.ceil(data.length / 32)) : 0n
  return 21_000n + (creates ? 32_000n : 0n) + 4n * zero + (isAtLeast(fork, 'istanbul') ? 16n : 68n) * nonZero + initcode
}

const tokensOf = (data: Uint8Array): bigint => data.reduce((sum, byte) => sum + (byte === 0 ? 1n : 4n), 0n)

const warm = (evm: EVM, fork: Fork, from: string, to: string | undefined, coinbase: string): void => {
  if (!isAtLeast(fork, 'berlin')) return
  const { journal } = evm
  for (const address of evm.precompiles.keys()) journal.addAlwaysWarmAddress(address)
  for (const address of [from, to, isAtLeast(fork, 'shanghai') ? coinbase : undefined])
    if (address !== undefined) journal.addAlwaysWarmAddress(address)
}

const addressOf = (hex: string): Address => new Address(hexToBytes(hex as `0x${string}`))

const blockOf = (env: BlockEnvironment) => ({
  header: {
    number: env.number,
    coinbase: addressOf(env.coinbase),
    timestamp: env.timestamp,
    difficulty: env.prevRandao,
    prevRandao: hexToBytes(`0x${env.prevRandao.toString(16).padStart(64, '0')}`),
    gasLimit: env.gasLimit,
    baseFeePerGas: env.baseFeePerGas,
    getBlobGasPrice: () => env.blobBaseFee ?? 1n,
  },
})
