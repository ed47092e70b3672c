import type { EVM, EVMOpts, ExecResult, Message } from '@ethereumjs/evm'
import type { Fork } from '../../../../transpiler/spec/forks.ts'
import { opcodesAt } from '../../../../transpiler/spec/opcodes.ts'
import type { EvmStep } from '../../../batch/evm_step.ts'
import type { OpFork } from '../../../chain/op/op_forks.ts'
import { type CommonOptions, evmOptionsOf } from './evm_options.ts'
import { SpecifiedEvm } from './specified_evm.ts'

export type OnStep = (step: EvmStep) => void

/** Who is told of steps, and whether with the memory before them. */
export interface TraceTerms {
  readonly fork: Fork
  readonly onStep: OnStep
  readonly memory: boolean
}

const MAX_STACK_WORDS = 1024
const STOP = 0x00
const SSTORE = 0x55
const SELFDESTRUCT = 0xff
/** After them no STOP is run. */
const ENDS: ReadonlySet<number> = new Set([STOP, 0xf3, SELFDESTRUCT])

/**
 * @ethereumjs/evm with its stock loop. It tells of the steps that other clients tell of: an undefined opcode has its
 * own byte, the STOP after the code is a step, an opcode that the stack does not allow is none.
 */
class TracedEvm extends SpecifiedEvm {
  readonly #fork: Fork
  readonly #onStep: OnStep
  readonly #memory: boolean
  /** Codes of the open frames. */
  readonly #codes: Uint8Array[] = []
  /** The refund counter before an SSTORE: its gas handler moves it, and runs before the step is told. */
  #refund = 0n
  /** What the SELFDESTRUCT at hand costs; undefined where it does not run. */
  #destroyCost: bigint | undefined

  constructor(options: EVMOpts, { fork, onStep, memory }: TraceTerms) {
    super(options)
    this.#fork = fork
    this.#onStep = onStep
    this.#memory = memory
    const store = this._opcodeMap[SSTORE]!
    this._opcodeMap[SSTORE] = {
      ...store,
      gasHandler: async (runState, gas, common) => {
        this.#refund = runState.gasRefund
        return store.gasHandler(runState, gas, common)
      },
    }
    const destroy = this._opcodeMap[SELFDESTRUCT]!
    this._opcodeMap[SELFDESTRUCT] = {
      ...destroy,
      opcodeInfo: { ...destroy.opcodeInfo, dynamicGas: true },
      gasHandler: async (runState, gas, common) => {
        this.#destroyCost = undefined
        const cost = destroy.opcodeInfo.dynamicGas ? await destroy.gasHandler(runState, gas, common) : gas
        if (cost <= runState.interpreter.getGasLeft()) this.#destroyCost = cost
        return cost
      },
    }
    this.events.on('step', ({ pc, gasLeft, gasRefund, depth, stack, memory, memoryWordCount }, next) => {
      const op = this.#codes.at(-1)?.[pc] ?? STOP
      if (this.#fits(op, stack.length)) {
        const refund = Number(op === SSTORE ? this.#refund : gasRefund)
        const memSize = 32 * Number(memoryWordCount)
        const cost = op === SELFDESTRUCT ? this.#destroyCost : undefined
        const told = cost === undefined ? {} : { cost }
        const step = { pc, op, gas: gasLeft, depth: depth + 1, stack: [...stack], memSize, refund, ...told }
        this.#onStep(this.#memory ? { ...step, memory } : step)
      }
      next?.()
    })
  }

  protected override async runInterpreter(message: Message, options?: object): Promise<ExecResult> {
    const code = message.code as Uint8Array
    this.#codes.push(code)
    try {
      const result = await super.runInterpreter(message, options)
      const { runState, exceptionError, gasRefund } = result
      if (runState !== undefined && exceptionError === undefined) {
        const { programCounter, opCode, gasLeft, stack, memory, memoryWordCount } = runState
        if (programCounter >= code.length && !ENDS.has(opCode)) {
          const [refund, memSize] = [Number(gasRefund), 32 * Number(memoryWordCount)]
          const depth = message.depth + 1
          this.#onStep({
            pc: code.length,
            op: STOP,
            gas: gasLeft,
            depth,
            stack: [...stack.getStack()],
            memSize,
            refund,
            ...(this.#memory ? { memory: memory.read(0, memSize) } : {}),
          })
        }
      }
      return result
    } finally {
      this.#codes.pop()
    }
  }

  #fits(op: number, height: number): boolean {
    const row = opcodesAt(this.#fork)[op]
    return row === undefined || (height >= row.pops && height - row.pops + row.pushes <= MAX_STACK_WORDS)
  }
}

/** `opFork`: on a chain of the OP stack. */
export const createTracedEvm = (options: CommonOptions, terms: TraceTerms, opFork: OpFork | undefined): EVM =>
  new TracedEvm(evmOptionsOf(options, opFork), terms)
