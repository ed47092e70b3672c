import type { SETTLE_UNIFORM } from '../../../transpiler/layout/settle.ts'
import { type OpenBatch, OUTCOME_NONE } from '../../batch/open_batch.ts'
import { isDescribable, type LaneCopy, PlacedLanes, type RangeLanes } from './lanes.ts'
import type { UploadWords } from './upload_words.ts'

export type SettleField = (typeof SETTLE_UNIFORM)[number]

/**
 * What a range has of its executions: `described` by their number. Lanes lie in one buffer: first the columns that are
 * copied, then what is uploaded, from vector `uploadedAt` on.
 */
export interface RangeExecutions {
  readonly described: Uint32Array
  readonly copies: readonly LaneCopy[]
  readonly uploadedAt: number
  /** Where the range ends: sooner than asked for where the next transaction has no room. */
  readonly end: number
  /** Entries of the range at most, those of the block aside. */
  readonly capacity: number
}

/** Entries of a transaction beside its reads: sender and the account that it pays. */
export const PARTIES = 2

/**
 * Brings the lanes of [first, end) that pass over slots only, with their descriptions (transpiler/layout/settle.ts).
 * `mostEntries` and `mostBytes`: what the range may take of entries and of lanes.
 */
export const putExecutions = (
  batch: OpenBatch,
  { first, end }: { readonly first: number; readonly end: number },
  into: UploadWords,
  { mostEntries, mostBytes }: { readonly mostEntries: number; readonly mostBytes: number },
): RangeExecutions => {
  const { executions, executionOf, laneOf, outcome } = batch
  const lanes = new Map<number, RangeLanes>()
  let capacity = 0
  let i = first
  let lastNumber = -1
  let open: RangeLanes | undefined
  let reads = 0
  for (; i < end; i++) {
    const number = outcome[i] === OUTCOME_NONE ? executionOf[i]! : -1
    let own = PARTIES
    if (number >= 0) {
      if (number !== lastNumber) {
        lastNumber = number
        reads = executions[number]!.columns?.slotAt.length ?? 0
        open = lanes.get(number)
      }
      own += reads
    }
    // One more of the block.
    if (capacity + own + (i - first + 1) > mostEntries && i > first) break
    capacity += own
    if (number < 0) continue
    const lane = laneOf[i]!
    if (open === undefined) {
      open = { first: lane, last: lane }
      lanes.set(number, open)
    } else if (lane < open.first) open.first = lane
    else if (lane > open.last) open.last = lane
  }
  // Number 0 is read where there is none.
  const described = new Uint32Array(Math.max(1, executions.length))
  const placed = new PlacedLanes(into, mostBytes)
  const known = [...lanes].flatMap(([number, range]) => {
    const { columns } = executions[number]!
    return columns === undefined || !isDescribable(columns) ? [] : [{ number, columns, range }]
  })
  for (const { columns, range } of known) placed.reserve(columns, range)
  for (const { number, columns, range } of known) described[number] = placed.describe(columns, range)
  const { copies, uploadedAt } = placed
  return { described, copies, uploadedAt, end: i, capacity: Math.max(1, capacity) }
}

/** Brings what settling asks of the transactions of [first, end). Calls `put` with where each column begins. */
export const putTransactions = (
  batch: OpenBatch,
  { first, end }: { readonly first: number; readonly end: number },
  described: Uint32Array,
  into: UploadWords,
  put: (field: SettleField, vector: number) => void,
): void => {
  const { rules, fromIds, toIds, toCodes, tier, outcome, status, executionOf, laneOf, gas, refund } = batch
  const { type, nonce, value } = batch.batch
  const of = (column: { subarray(from: number, to: number): ArrayBufferView }, width = 1): number =>
    into.put(column.subarray(width * first, width * end))
  put('tierAt', of(tier))
  put('outcomeAt', of(outcome))
  put('statusAt', of(status))
  put('typeAt', of(type))
  put('rejectionAt', of(rules.rejection))
  put('fromAt', of(fromIds))
  put('toAt', of(toIds))
  put('toCodeAt', of(toCodes))
  put('executionOfAt', of(executionOf))
  put('laneOfAt', of(laneOf))
  put('nonceAt', of(nonce, 2))
  put('valueAt', of(value, 8))
  put('costAt', of(rules.cost, 8))
  put('priceAt', of(rules.price, 8))
  put('priorityAt', of(rules.priority, 8))
  put('intrinsicAt', of(rules.intrinsic))
  put('floorAt', of(rules.floor))
  put('gasLimitAt', of(rules.gasLimit))
  put('gasAt', of(gas))
  put('refundAt', of(refund))
  put('describedAt', into.put(described))
}
