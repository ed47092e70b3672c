import { StateTestRunner } from '../../conformance/run_state_test.ts'
import type { StateTestEntry } from '../../conformance/state_test.ts'
import { traceSubject } from '../../conformance/trace_subject.ts'
import { TransactionInputError } from '../../host/chain/encode_batch.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { traceLines } from '../../host/trace/lines.ts'
import { traceOnCpu } from '../../host/trace/trace.ts'
import { openAdapter } from './named_device.ts'
import type { TestReport } from './report.ts'
import { dumpState } from './state_dump.ts'
import type { TraceChoice } from './traces.ts'

export interface StateTestChoice {
  readonly dump: boolean
  /** Undefined: no trace. */
  readonly trace: TraceChoice | undefined
}

/** Runs state tests one after another, and tells what go-ethereum tells of them. */
export class StateTests {
  readonly #runner: StateTestRunner
  readonly #device: ComputeDevice | undefined

  private constructor(device: ComputeDevice | undefined) {
    this.#device = device
    this.#runner = new StateTestRunner(device === undefined ? {} : { device })
  }

  static async open(adapter: string | undefined): Promise<StateTests> {
    return new StateTests(await openAdapter(adapter))
  }

  /** The report, and what goes to stderr: the trace, and the root. */
  async run(
    entry: StateTestEntry,
    { dump, trace }: StateTestChoice,
  ): Promise<{ readonly report: TestReport; readonly lines: readonly string[] }> {
    const lines = trace === undefined ? [] : await stepsOf(entry, trace)
    const memory = MemoryState.from(entry.pre)
    const { name, pass, stateRoot, fork, error } = await this.#runner.run(entry, memory)
    const report = {
      name,
      pass,
      stateRoot,
      fork,
      ...(error === undefined ? {} : { error }),
      ...(dump ? { state: dumpState(memory) } : {}),
    }
    return { report, lines: [...lines, JSON.stringify({ stateRoot }).replace(':', ': ')] }
  }

  close(): void {
    this.#runner.close()
    this.#device?.destroy()
  }
}

/** No steps where the transaction may not be included. */
const stepsOf = async (entry: StateTestEntry, choice: TraceChoice): Promise<readonly string[]> => {
  try {
    const trace = await traceOnCpu({ ...traceSubject(entry), memory: choice.memory })
    return 'reason' in trace ? [] : traceLines(trace, entry.fork, choice)
  } catch (thrown) {
    if (!(thrown instanceof TransactionInputError)) throw thrown
    return []
  }
}
