import type { Receipts } from '../host/receipts/receipts.ts'
import type { MemoryState } from '../host/state/memory_state.ts'
import { checkInvariants } from './invariants.ts'
import { compareWithSerial, runSerial } from './oracle.ts'
import { createRandom } from './random.ts'
import { drawSample, pickTransactions, prefix } from './subset.ts'
import type { Scenario, Sharing, WorkloadBlock } from './workloads/workload.ts'

/** The result of a measured run is not what a serial client gives. The message is the first difference. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError'
}

/** Blocks up to this size are compared with serial execution in full, larger ones by a sample of this size. */
export const VERIFIED_SAMPLE = 2_000

/** A block that was executed, and the state on both sides of it. */
export interface ExecutedBlock {
  readonly scenario: Pick<Scenario, 'fork' | 'chainId'>
  readonly shares: Sharing
  readonly block: WorkloadBlock
  readonly receipts: Receipts
  readonly before: MemoryState
  readonly after: MemoryState
}

export interface Verification {
  /** Transactions compared with serial execution. */
  readonly count: number
  /** Time that the serial run took in `runTx`, and the gas it used. */
  readonly serialMs: number
  readonly serialGas: number
}

/**
 * Verifies a block against serial @ethereumjs/vm, or throws VerificationError.
 *
 * Up to VERIFIED_SAMPLE transactions: all of them, and the whole state. More: a seeded sample (where transactions share
 * slots: the first ones, since later ones depend on all before them) with receipts, and where nothing is shared every
 * account and slot it touched; plus, for the whole block, the invariants and the workload's own model of the state.
 */
export const verifyBlock = async (executed: ExecutedBlock, seed: number): Promise<Verification> => {
  const { scenario, shares, block, receipts, before, after } = executed
  const { env, transactions } = block
  const fault = await checkInvariants(before, after, block, receipts)
  if (fault !== undefined) throw new VerificationError(fault)
  const whole = transactions.count <= VERIFIED_SAMPLE
  const indices = whole
    ? prefix(transactions.count)
    : shares === 'slots'
      ? prefix(VERIFIED_SAMPLE)
      : drawSample(transactions.count, VERIFIED_SAMPLE, createRandom(seed, 'verified sample'))
  const sample = pickTransactions(transactions, indices)
  const serial = await runSerial({ ...scenario, env, state: before, transactions: sample })
  const difference = compareWithSerial({ receipts, state: after }, serial, {
    indices,
    state: whole ? 'whole' : shares === 'nothing' ? 'touched' : 'none',
  })
  if (difference !== undefined) throw new VerificationError(difference)
  return { count: indices.length, serialMs: serial.elapsedMs, serialGas: Number(serial.totalGasUsed) }
}

/** What `verifyBlock` does, in words. */
export const verificationText = (count: number, samples: number, shares: Sharing): string => {
  const blocks = samples === 1 ? '1 block' : `${samples} blocks`
  const model = 'every nonce, balance and modelled slot of all transactions'
  if (count <= VERIFIED_SAMPLE) {
    return `every transaction of ${blocks}: receipts, logs, blooms and the whole state equal serial @ethereumjs/vm; ${model}`
  }
  const drawn = shares === 'slots' ? `the first ${VERIFIED_SAMPLE}` : `a seeded sample of ${VERIFIED_SAMPLE}`
  const compared = shares === 'nothing' ? 'receipts, logs, blooms and touched state' : 'receipts, logs and blooms'
  return `${drawn} of ${count} transactions in ${samples === 1 ? '1 block' : `each of ${samples} blocks`}: ${compared} equal serial @ethereumjs/vm; ${model}`
}
