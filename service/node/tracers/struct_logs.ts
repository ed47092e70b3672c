import type { OpcodeStep, TracedResult, TransactionWatcher } from '../../../host/index.ts'
import type { StructLogOptions } from '../trace_calls.ts'
import type { StructLogsView, StructStep } from '../trace_views.ts'
import type { TraceBudget, Tracer } from './tracer.ts'

const SLOAD = 0x54
const SSTORE = 0x55
const REVERTED = 'execution reverted'

/** JSON of a step without what is asked for. */
const STEP_BYTES = 70
/** Of a word: quotes, prefix and comma; of a slot its whole line. */
const WORD_BYTES = 5
const SLOT_BYTES = 138

/** Keeps each opcode with the machine before it, as go-ethereum's struct logger does. */
export class StructLogger implements Tracer<StructLogsView> {
  readonly watcher: TransactionWatcher
  readonly #options: StructLogOptions
  readonly #budget: TraceBudget
  readonly #steps: StructStep[] = []
  readonly #storage = new Map<string, Map<bigint, bigint>>()
  #bytes = 0
  #result: TracedResult | undefined
  #error: string | undefined

  constructor(options: StructLogOptions, budget: TraceBudget) {
    this.#options = options
    this.#budget = budget
    this.watcher = {
      hooks: {
        step: (step) => this.#step(step),
        exit: ({ depth, error }) => {
          if (depth === 0) this.#error = error
        },
      },
      executed: (result) => {
        this.#result = result
      },
    }
  }

  #step(step: OpcodeStep): void {
    const { limit, stack, memory, returnData } = this.#options
    if (limit !== 0 && this.#bytes > limit) return
    const kept: StructStep = {
      pc: step.pc,
      op: step.name,
      gas: step.gas,
      gasCost: step.cost,
      depth: step.depth,
      refund: step.refund,
      error: step.error,
      stack: stack ? [...step.stack] : undefined,
      returnData: returnData ? step.returnData : undefined,
      memory: memory ? step.memory() : undefined,
      storage: this.#slots(step),
    }
    const bytes = bytesOf(kept)
    this.#budget.take(bytes)
    this.#bytes += bytes
    this.#steps.push(kept)
  }

  /** SLOAD tells what it reads, SSTORE what it will have written. */
  #slots({ op, stack, address, loaded }: OpcodeStep): ReadonlyMap<bigint, bigint> | undefined {
    if (!this.#options.storage || (op !== SLOAD && op !== SSTORE)) return undefined
    const slots = this.#storage.get(address) ?? new Map<bigint, bigint>()
    this.#storage.set(address, slots)
    const value = op === SLOAD ? loaded : stack.at(-2)
    const key = stack.at(-1)
    if (key === undefined || value === undefined) return undefined
    slots.set(key, value)
    return new Map(slots)
  }

  view(): StructLogsView {
    const { status, gasUsed, output } = this.#result!
    const failed = status === 0
    const isSilent = failed && this.#error !== REVERTED
    return {
      kind: 'structLogs',
      gas: gasUsed,
      failed,
      returnValue: isSilent ? new Uint8Array(0) : output,
      steps: this.#steps,
    }
  }
}

const bytesOf = ({ op, stack = [], returnData, memory, storage }: StructStep): number => {
  let bytes = STEP_BYTES + op.length
  for (const word of stack) bytes += WORD_BYTES + hexDigits(word)
  if (returnData !== undefined) bytes += 2 * returnData.length
  if (memory !== undefined) bytes += (2 + WORD_BYTES / 32) * memory.length
  if (storage !== undefined) bytes += SLOT_BYTES * storage.size
  return bytes
}

/** To four digits. */
const hexDigits = (word: bigint): number => {
  let digits = 1
  for (let rest = word >> 16n; rest > 0n; rest >>= 64n) digits += 16
  return digits
}
