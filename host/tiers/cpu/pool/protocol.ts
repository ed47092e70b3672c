import type { MessagePort } from 'node:worker_threads'
import type { Fork } from '../../../../transpiler/spec/forks.ts'
import type { CpuOutcome } from '../../../batch/outcome.ts'
import type { TransactionBatch } from '../../../chain/batch.ts'
import type { BlockEnvironment } from '../../../chain/environment.ts'
import type { OpCharges } from '../../../chain/op/charges.ts'
import type { OpRules } from '../../../chain/op/op_chain.ts'
import type { AccountView } from '../../../state/snapshot.ts'

/**
 * What passes between the executor's thread and a worker of the CPU tier.
 *
 * A lot is a list of transactions offered at once, the same for every worker. Whoever executes position p first puts
 * its number into `claims[p]` (Atomics): 0 none yet, MAIN the executor's thread, n the worker numbered n.
 *
 * control   i32[6], one per worker, in shared memory
 *   POSTED    messages that the worker has posted
 *   ANSWERED  answers posted to the worker; it sleeps on this
 *   BEATS     signs of life: reads of the state, and transactions
 *   BUSY      1 while it has something to execute
 *   CODES     KiB of the codes that it remembers
 *   ROOM      KiB of codes that it may remember from batch to batch, which the executor's thread says
 */
export const POSTED = 0
export const ANSWERED = 1
export const BEATS = 2
export const BUSY = 3
export const CODES = 4
export const ROOM = 5
export const CONTROL_LENGTH = 6
export const MAIN = -1

/** The resident tables, in shared memory; the executor's thread writes them while workers read. */
export interface TableHandles {
  readonly accountIndex: Uint32Array
  readonly accountRows: Uint32Array
  readonly accountHosts: Uint32Array
  readonly slotIndex: Uint32Array
  readonly slotKeys: Uint32Array
  readonly slotValues: Uint32Array
}

/** A code by its id in the resident code table. */
export interface SharedCode {
  readonly id: number
  readonly hash: string
  readonly bytes: Uint8Array
}

/** Values before the batch of what is not in the tables and will be read. */
export interface Foreseen {
  readonly accounts: readonly { readonly address: string; readonly view: AccountView | undefined }[]
  readonly slots: readonly { readonly address: string; readonly key: bigint; readonly value: bigint }[]
}

/** Something that is not in the tables; the answer is its value before the batch. */
export type Question =
  | { readonly account: string }
  | { readonly slot: string; readonly key: bigint }
  | { readonly codeHash: string }
  | { readonly codeId: number }
  | { readonly blockNumber: bigint }

export type Answer = AccountView | bigint | Uint8Array | SharedCode | string | undefined

export type ToWorker =
  | { readonly kind: 'tables'; readonly tables: TableHandles }
  | { readonly kind: 'codes'; readonly codes: readonly SharedCode[] }
  /** Ids of codes are others now. */
  | { readonly kind: 'renamed' }
  | {
      readonly kind: 'lot'
      readonly lot: number
      readonly batch: number
      readonly env: BlockEnvironment
      readonly transactions: TransactionBatch
      readonly charges: OpCharges | undefined
      readonly claims: Int32Array
      readonly foreseen: Foreseen
    }
  | { readonly kind: 'answer'; readonly question: number; readonly answer: Answer }
  /** There will be no answer: the batch is over, or the state did not give one. */
  | { readonly kind: 'refusal'; readonly question: number }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'question'; readonly question: number; readonly lot: number; readonly about: Question }
  | { readonly kind: 'outcomes'; readonly lot: number; readonly outcomes: readonly PositionedOutcome[] }

/** `outcome` is undefined where the execution was given up. */
export interface PositionedOutcome {
  readonly position: number
  readonly outcome: CpuOutcome | undefined
}

/** What a worker is started with. */
export interface WorkerStart {
  readonly number: number
  readonly fork: Fork
  readonly chainId: bigint
  readonly chain: OpRules | undefined
  readonly control: Int32Array
  readonly port: MessagePort
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isAmount = (value: unknown): boolean => typeof value === 'bigint' && value >= 0n
const isList = (value: unknown, isItem: (item: never) => boolean): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null && isItem(item as never))

const isView = (view: AccountView | undefined): boolean =>
  view === undefined || (isAmount(view.nonce) && isAmount(view.balance) && isText(view.codeHash))

const isSlot = ({ address, key, value }: { address: unknown; key: unknown; value: unknown }): boolean =>
  isText(address) && isAmount(key) && isAmount(value)

/** Whether an outcome has the shape of one, so whoever enters it does not stop halfway. */
export const isOutcome = (value: unknown): value is CpuOutcome => {
  const outcome = value as CpuOutcome
  const { reads } = outcome
  if (!Array.isArray(reads.accounts) || !reads.accounts.every(isText) || !isList(reads.slots, isSlot)) return false
  // Every transaction looks at its sender.
  if (reads.accounts.length === 0 || reads.accounts.length !== reads.seen.length) return false
  if (!reads.seen.every((seen) => isView(seen.view) && isAmount(seen.leastBalance) && isAmount(seen.mostBalance)))
    return false
  if ('rejected' in outcome) return typeof outcome.rejected === 'number'
  const { status, gasUsed, logs, output, coinbaseFee, vaultFees = [], writes } = outcome
  return (
    (status === 0 || status === 1) &&
    isAmount(gasUsed) &&
    [coinbaseFee, ...vaultFees].every((fee) => fee === undefined || isAmount(fee)) &&
    output instanceof Uint8Array &&
    isList(logs, (log: { address: unknown; topics: unknown; data: unknown }) => {
      return isText(log.address) && isText(log.data) && Array.isArray(log.topics) && log.topics.every(isText)
    }) &&
    isList(writes.accounts, (write: { address: unknown; account: AccountView | undefined; cleared: unknown }) => {
      return isText(write.address) && isView(write.account) && typeof write.cleared === 'boolean'
    }) &&
    isList(writes.slots, isSlot) &&
    [...writes.code].every(([hash, bytes]) => isText(hash) && bytes instanceof Uint8Array)
  )
}
