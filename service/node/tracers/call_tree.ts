import type { EnteredFrame, LeftFrame, Log, TransactionWatcher } from '../../../host/index.ts'
import type { CallTreeOptions } from '../trace_calls.ts'
import type { CallLog, CallTreeView, CallView } from '../trace_views.ts'
import { revertWords } from './revert_words.ts'
import type { TraceBudget, Tracer } from './tracer.ts'

type Writable<Of> = { -readonly [Name in keyof Of]: Of[Name] }

/** A call that is not over yet. */
interface OpenCall extends Omit<Writable<CallView>, 'calls' | 'logs'> {
  readonly calls: OpenCall[]
  logs: CallLog[]
}

const TYPES: ReadonlyMap<number, string> = new Map([
  [0xf0, 'CREATE'],
  [0xf1, 'CALL'],
  [0xf2, 'CALLCODE'],
  [0xf4, 'DELEGATECALL'],
  [0xf5, 'CREATE2'],
  [0xfa, 'STATICCALL'],
  [0xff, 'SELFDESTRUCT'],
])
const CREATE = 0xf0
const CREATE2 = 0xf5
const REVERTED = 'execution reverted'
/** Of homestead's first rule, from then on an error: the contract is made without code. */
const NO_CODE_KEPT = 'contract creation code storage out of gas'

const FRAME_BYTES = 320
const LOG_BYTES = 400
const NOTHING = new Uint8Array(0)

/** What a call tree needs to know of its transaction. */
export interface TreeTerms {
  readonly gasLimit: bigint
  /** Whether a creation that cannot pay for its code fails (homestead). */
  readonly failsWithoutCode: boolean
}

/** The calls of a transaction as a tree, as go-ethereum's callTracer has it. */
export class CallTree implements Tracer<CallTreeView> {
  readonly watcher: TransactionWatcher
  readonly #options: CallTreeOptions
  readonly #terms: TreeTerms
  readonly #budget: TraceBudget
  readonly #open: OpenCall[] = []
  #depth = 0
  #gasUsed = 0n

  constructor(options: CallTreeOptions, terms: TreeTerms, budget: TraceBudget) {
    this.#options = options
    this.#terms = terms
    this.#budget = budget
    this.watcher = {
      hooks: {
        enter: (frame) => this.#enter(frame),
        exit: (frame) => this.#exit(frame),
        log: (log) => this.#log(log),
      },
      executed: ({ gasUsed }) => {
        this.#gasUsed = gasUsed
      },
    }
  }

  #enter({ op, depth, from, to, input, gas, value }: EnteredFrame): void {
    this.#depth = depth
    if (this.#options.onlyTopCall && depth > 0) return
    this.#budget.take(FRAME_BYTES + 2 * input.length)
    this.#open.push({
      type: TYPES.get(op)!,
      from,
      to,
      gas: depth === 0 ? this.#terms.gasLimit : gas,
      gasUsed: 0n,
      input,
      output: NOTHING,
      error: undefined,
      revertReason: undefined,
      value,
      calls: [],
      logs: [],
    })
  }

  #exit({ depth, output, gasUsed, error }: LeftFrame): void {
    this.#depth = depth - 1
    if (this.#options.onlyTopCall && depth > 0) return
    this.#budget.take(2 * output.length)
    const call = this.#open.at(-1)!
    call.gasUsed = gasUsed
    this.#end(call, output, error)
    if (depth === 0) return
    this.#open.pop()
    this.#open.at(-1)!.calls.push(call)
  }

  #end(call: OpenCall, output: Uint8Array, error: string | undefined): void {
    if (error === undefined || (error === NO_CODE_KEPT && !this.#terms.failsWithoutCode)) {
      call.output = output
      return
    }
    call.error = error
    if (call.type === TYPES.get(CREATE) || call.type === TYPES.get(CREATE2)) call.to = undefined
    if (error !== REVERTED || output.length === 0) return
    call.output = output
    call.revertReason = revertWords(output)
  }

  #log(log: Log): void {
    if (!this.#options.withLog || (this.#options.onlyTopCall && this.#depth > 0)) return
    this.#budget.take(LOG_BYTES + log.data.length)
    const call = this.#open.at(-1)!
    call.logs.push({ ...log, position: call.calls.length })
  }

  view(): CallTreeView {
    const [call] = this.#open
    if (call === undefined) return { kind: 'calls', call: { ...FAILED_DEPOSIT, gasUsed: this.#gasUsed } }
    call.gasUsed = this.#gasUsed
    dropLogs(call, false)
    return { kind: 'calls', call }
  }
}

/** What op-geth says of a deposit that could not start, and so made no call. */
const FAILED_DEPOSIT: CallView = {
  type: 'STOP',
  from: `0x${'0'.repeat(40)}`,
  to: undefined,
  gas: 0n,
  gasUsed: 0n,
  input: NOTHING,
  output: NOTHING,
  error: 'failed deposit transaction',
  revertReason: undefined,
  value: undefined,
  calls: [],
  logs: [],
}

/** Logs of calls that failed, and of those inside of them, are gone. */
const dropLogs = (call: OpenCall, isFailed: boolean): void => {
  const fails = isFailed || call.error !== undefined
  if (fails) call.logs = []
  for (const inner of call.calls) dropLogs(inner, fails)
}
