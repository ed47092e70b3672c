import { selectTransactions } from '../../host/chain/select_batch.ts'
import { opcodeName, type ShownFields, traceLines } from '../../host/trace/lines.ts'
import { type TransactionTrace, traceOnCpu } from '../../host/trace/trace.ts'
import { atPlaces, type IncludedTransaction, type TransitionOutput } from './run_transition.ts'

export interface TraceChoice extends ShownFields {
  readonly memory?: 'always' | undefined
}

/**
 * Executes each included transaction again on the state at its place, with the stock loop of @ethereumjs/evm, and hands
 * over its steps. System calls have none.
 */
export const traceIncluded = async (
  output: TransitionOutput,
  memory: 'always' | undefined,
  visit: (transaction: IncludedTransaction, trace: TransactionTrace) => void,
): Promise<void> => {
  const { input, batch, included, transition } = output
  const { rules, chainId, block } = input
  const byRow = new Map(included.map((transaction) => [transaction.row, transaction]))
  await atPlaces(output, async (row, state) => {
    const transaction = byRow.get(row)
    if (transaction === undefined) return
    const one = selectTransactions(batch, [row])
    const trace = await traceOnCpu({ fork: rules.fork, chainId, env: block.env, state, batch: one, memory })
    const isSame = !('reason' in trace) && (trace.status === 'succeeded') === (transition.receipts.status[row] === 1)
    if (!isSame) throw new Error(`the trace of transaction ${transaction.hash} is not of what was executed`)
    visit(transaction, trace)
  })
}

/** The trace in lines, and the name of its file. */
export const traceFile = (
  { index, hash }: IncludedTransaction,
  trace: TransactionTrace,
  { input }: TransitionOutput,
  shown: ShownFields,
): { readonly name: string; readonly lines: readonly string[] } => ({
  name: `trace-${index}-${hash}.jsonl`,
  lines: traceLines(trace, input.rules.fork, shown),
})

/** How often each opcode was executed, by name in the order of the alphabet. */
export class OpcodeCount {
  readonly #counts = new Map<string, number>()

  add({ steps }: TransactionTrace, { input }: TransitionOutput): void {
    for (const { op } of steps) {
      const name = opcodeName(op, input.rules.fork)
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    }
  }

  json(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
