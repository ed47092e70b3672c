import type { LaneRows } from '../chain/lane_rows.ts'
import type { ReceiptSource } from '../chain/receipt_source.ts'

/** All that one source left of the receipts of a batch. @internal */
export interface SourceRows extends LaneRows {
  readonly source: ReceiptSource
}

/**
 * The included transactions that something executed, by what did; plain transfers are in none.
 *
 * status, executionOf, laneOf   as in ReceiptColumns; `rejected` is the status of what is not included
 */
export const rowsBySource = (
  status: Uint8Array,
  rejected: number,
  executionOf: Int32Array,
  laneOf: Int32Array,
  executions: readonly ReceiptSource[],
): readonly SourceRows[] => {
  const ends = new Uint32Array(executions.length + 1)
  const count = status.length
  for (let i = 0; i < count; i++) {
    const number = executionOf[i]!
    if (number >= 0 && status[i] !== rejected) ends[number + 1]!++
  }
  for (let number = 0; number < executions.length; number++) ends[number + 1]! += ends[number]!
  const transactions = new Uint32Array(ends[executions.length]!)
  const lanes = new Uint32Array(transactions.length)
  const next = ends.slice()
  for (let i = 0; i < count; i++) {
    const number = executionOf[i]!
    if (number < 0 || status[i] === rejected) continue
    const place = next[number]!++
    transactions[place] = i
    lanes[place] = laneOf[i]!
  }
  return executions.flatMap((source, number) => {
    const [first, end] = [ends[number]!, ends[number + 1]!]
    return first === end ? [] : [{ source, transactions, lanes, first, end }]
  })
}

/** Those of the rows whose transactions lie at `from` up to `to`, which is not among them. @internal */
export const rowsBetween = ({ transactions, lanes, first, end }: LaneRows, from: number, to: number): LaneRows => ({
  transactions,
  lanes,
  first: placeOf(transactions, first, end, from),
  end: placeOf(transactions, first, end, to),
})

/** Place of the first transaction from `least` on, among places [first, end), which ascend. */
const placeOf = (transactions: Uint32Array, first: number, end: number, least: number): number => {
  while (first < end) {
    const middle = (first + end) >>> 1
    if (transactions[middle]! < least) first = middle + 1
    else end = middle
  }
  return first
}
