import type { TransactionBatch } from '../host/chain/batch.ts'
import { encodeBatch, TransactionInputError } from '../host/chain/encode_batch.ts'
import type { Log } from '../host/chain/log.ts'
import { rejectionText } from '../host/chain/rejection.ts'
import { decodeSigned } from '../host/flows/decode_signed.ts'
import type { ExecutionResult } from '../host/flows/execution_result.ts'
import { createExecutor } from '../host/flows/executor.ts'
import type { Executor, ExecutorOptions } from '../host/flows/executor_interface.ts'
import { hexToBytes } from '../host/primitives/hex.ts'
import { addressToHex } from '../host/primitives/word.ts'
import { logsHash } from '../host/receipts/logs_hash.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import type { AccountColumns, State, StateWrites } from '../host/state/state.ts'
import { stateRootOf } from '../host/state/trie/trie.ts'
import { type StateTestEntry, type StateTestIndexes, stateTestBlockHash } from './state_test.ts'

/** Which tier executed a transaction; `rejected` where none did. */
export type StateTestTier = 'transfer' | 'pathKernel' | 'pathProgram' | 'pathHost' | 'laneVm' | 'cpu' | 'rejected'

/** The first five are what `evm statetest` of go-ethereum gives. */
export interface StateTestResult {
  readonly name: string
  readonly pass: boolean
  readonly stateRoot: string
  readonly fork: string
  /** Why it does not pass. */
  readonly error?: string
  readonly tier: StateTestTier
  /** Why the CPU tier executed it, or why it was rejected. */
  readonly reason?: string
  readonly file: string
  readonly indexes: StateTestIndexes
}

export type StateTestOptions = Omit<ExecutorOptions, 'fork' | 'chainId' | 'state'> & {
  /**
   * The tier that executes every transaction that it can; the CPU tier has the others. Default: what an executor would
   * choose.
   */
  readonly tier?: 'lane-vm'
}

/** Every call goes to the lane VM, which is waited for. */
const LANE_VM = { laneVm: 'always', paths: 'never', compile: 'wait', waves: 'always' } as const

/**
 * Runs entries of state tests one after another through executors that it keeps, one for each fork and chain, so
 * what they learnt (analysed code, recorded paths) serves the next entry. Each entry has a state of its own.
 */
export class StateTestRunner {
  readonly #options: Omit<StateTestOptions, 'tier'>
  readonly #executors = new Map<string, { readonly executor: Executor; readonly state: OneTestState }>()

  constructor({ tier, ...options }: StateTestOptions = {}) {
    this.#options = tier === 'lane-vm' ? { ...options, ...LANE_VM } : options
  }

  /**
   * One call at a time. Rejects only for faults of the executor; an entry that fails is a result. The state after it is
   * that of `memory`.
   */
  async run(entry: StateTestEntry, memory = MemoryState.from(entry.pre)): Promise<StateTestResult> {
    const { name, file, indexes, forkName, env, expected } = entry
    const outcome = await this.#execute(entry, memory)
    const stateRoot = stateRootOf(memory.dump())
    const logs = logsHash(outcome.logs)
    const errors: string[] = []
    if (outcome.tier === 'rejected' && expected.exception === undefined) {
      errors.push(`unexpected rejection: ${outcome.reason}`)
    }
    if (outcome.tier !== 'rejected' && expected.exception !== undefined) {
      errors.push(`expected exception ${expected.exception}, the transaction was included`)
    }
    if (stateRoot !== expected.stateRoot) {
      errors.push(`post state root mismatch: got ${stateRoot}, want ${expected.stateRoot}`)
    }
    if (logs !== expected.logsHash) {
      errors.push(`post state logs hash mismatch: got ${logs}, want ${expected.logsHash}`)
    }
    if (outcome.gasUsed > env.gasLimit) errors.push(`gas used ${outcome.gasUsed} is above the block's limit`)
    return {
      name,
      pass: errors.length === 0,
      stateRoot,
      fork: forkName,
      ...(errors.length === 0 ? {} : { error: errors.join('; ') }),
      tier: outcome.tier,
      ...(outcome.reason === undefined ? {} : { reason: outcome.reason }),
      file,
      indexes,
    }
  }

  close(): void {
    for (const { executor } of this.#executors.values()) executor.close()
    this.#executors.clear()
  }

  async #execute(entry: StateTestEntry, memory: MemoryState): Promise<Outcome> {
    const { executor, state } = this.#executorOf(entry)
    let transactions: TransactionBatch
    try {
      transactions = stateTestBatch(entry)
    } catch (thrown) {
      if (!(thrown instanceof TransactionInputError)) throw thrown
      return { tier: 'rejected', reason: thrown.reason, logs: [], gasUsed: 0n }
    }
    state.memory = memory
    executor.forget()
    const result = await executor.execute({ env: entry.env, transactions })
    if (result.rejected.length > 0) {
      return { tier: 'rejected', reason: rejectionText(result.rejected[0]!.code), logs: [], gasUsed: 0n }
    }
    const reason = Object.keys(result.exits)[0]
    const { receipts } = result
    return {
      tier: tierOf(result),
      ...(reason === undefined ? {} : { reason }),
      logs: receipts.logs(0),
      gasUsed: receipts.blockGasUsed,
    }
  }

  #executorOf({ fork, chainId }: StateTestEntry): { readonly executor: Executor; readonly state: OneTestState } {
    const key = `${fork} ${chainId}`
    let found = this.#executors.get(key)
    if (found === undefined) {
      const state = new OneTestState()
      found = { executor: createExecutor({ ...this.#options, fork, chainId, state }), state }
      this.#executors.set(key, found)
    }
    return found
  }
}

interface Outcome {
  readonly tier: StateTestTier
  readonly reason?: string
  readonly logs: readonly Log[]
  readonly gasUsed: bigint
}

/**
 * The transaction of an entry as a batch of one. Throws TransactionInputError where its bytes are none, or not its
 * sender's.
 */
export const stateTestBatch = ({ transaction, chainId, fork, sender, expected }: StateTestEntry): TransactionBatch => {
  if (typeof transaction !== 'string') return encodeBatch([transaction])
  const batch = decodeSigned([hexToBytes(transaction)], { chainId, fork })
  const signer = addressToHex(batch.from, 0)
  if (sender !== undefined && signer !== sender && expected.exception === undefined) {
    throw new TransactionInputError(0, `signed by ${signer}, expected ${sender}`)
  }
  return batch
}

const tierOf = ({ tiers }: ExecutionResult): StateTestTier => {
  for (const tier of ['transfer', 'pathKernel', 'pathProgram', 'pathHost', 'laneVm'] as const)
    if (tiers[tier] > 0) return tier
  return 'cpu'
}

/** The state of the entry that is running; its ancestors are those of every state test. */
class OneTestState implements State {
  memory = new MemoryState()

  readAccounts(addresses: Uint32Array, count: number): AccountColumns {
    return this.memory.readAccounts(addresses, count)
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array {
    return this.memory.readSlots(addresses, keys, count)
  }

  readCode(codeHash: string): Uint8Array {
    return this.memory.readCode(codeHash)
  }

  hasStorage(address: string): boolean {
    return this.memory.hasStorage(address)
  }

  blockHash(number: bigint): string {
    return stateTestBlockHash(number)
  }

  commit(writes: StateWrites): void {
    this.memory.commit(writes)
  }
}
