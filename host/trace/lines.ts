import type { Fork } from '../../transpiler/spec/forks.ts'
import { memoryGas } from '../../transpiler/spec/gas.ts'
import { opcodesAt } from '../../transpiler/spec/opcodes.ts'
import type { EvmStep } from '../batch/evm_step.ts'
import { bytesToHex } from '../primitives/hex.ts'
import type { TransactionTrace } from './trace.ts'

const BYTES_PER_WORD = 32
const STOP = 0x00
const RETURN = 0xf3
const REVERT = 0xfd

/**
 * A trace in the lines of EIP-3155 as `evm statetest --trace` of go-ethereum prints them, a last one with output and
 * gas of the call. A number in `gas` and `gasCost` is hex, others are decimal.
 */
export const traceLines = (trace: TransactionTrace, fork: Fork, shown: ShownFields = {}): string[] => [
  ...stepLines(trace, fork, shown),
  summaryLine(trace),
]

/** What lines of steps have beside the fields that all have; memory is there where the steps have it. */
export interface ShownFields {
  /** `never`: null stands in its place. */
  readonly stack?: 'never' | undefined
}

/** The name of an opcode at a fork. */
export const opcodeName = (op: number, fork: Fork): string =>
  opcodesAt(fork)[op]?.mnemonic ?? `opcode 0x${op.toString(16)} not defined`

/** The same without the last line. */
export const stepLines = ({ steps, left }: TransactionTrace, fork: Fork, shown: ShownFields = {}): string[] => {
  const costs = gasCosts(steps)
  // What the lane could not do costs nothing.
  if (left !== undefined && steps.length > 0) costs[steps.length - 1] = 0n
  return steps.map(({ pc, op, gas, memSize, stack, memory, depth, refund }, n) =>
    JSON.stringify({
      pc,
      op,
      gas: hex(gas),
      gasCost: hex(costs[n]!),
      ...(memory === undefined || memory.length === 0 ? {} : { memory: bytesToHex(memory) }),
      memSize,
      stack: shown.stack === 'never' ? null : stack.map(hex),
      depth,
      refund,
      opName: opcodeName(op, fork),
    }),
  )
}

const ERRORS = { succeeded: undefined, reverted: 'execution reverted', halted: 'halted' } as const

const summaryLine = ({ left, status, gasUsed, output }: TransactionTrace): string => {
  const error = left ?? ERRORS[status]
  return JSON.stringify({
    output: output.slice(2),
    gasUsed: hex(gasUsed),
    ...(error === undefined ? {} : { error }),
  })
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

/**
 * What each step costs: the gas before it less the gas before the next step of its frame. A call is charged
 * what it hands on, as go-ethereum does, so what its callee gave back is added; where the callee has no steps (a
 * precompile, an account without code) the trace does not tell what came back, and the cost is what is gone. The last
 * step of a frame costs its growth of memory where it returns or reverts, nothing where it stops, what it says where it
 * destroys, else all that is left: it halted.
 */
const gasCosts = (steps: readonly EvmStep[]): bigint[] => {
  const costs = new Array<bigint>(steps.length).fill(0n)
  /** By depth: the step of the open frame that comes next. */
  const next: number[] = []
  for (let n = steps.length - 1; n >= 0; n--) {
    const { depth, gas } = steps[n]!
    const after = next[depth]
    // Frames deeper than this one lie between it and its next step.
    const callee = next[depth + 1]
    next.length = depth
    next[depth] = n
    if (after === undefined) costs[n] = lastCost(steps[n]!)
    else
      costs[n] = gas - steps[after]!.gas + (callee === undefined ? 0n : givenBack(steps[after - 1]!, costs[after - 1]!))
  }
  return costs
}

const lastCost = ({ op, gas, stack, memSize, cost }: EvmStep): bigint => {
  if (op === STOP) return 0n
  if (cost !== undefined) return cost
  if (op !== RETURN && op !== REVERT) return gas
  const offset = Number(stack.at(-1) ?? 0n)
  const length = Number(stack.at(-2) ?? 0n)
  const words = length === 0 ? 0 : Math.ceil((offset + length) / BYTES_PER_WORD)
  const before = memSize / BYTES_PER_WORD
  const growth = BigInt(words > before ? memoryGas(words) - memoryGas(before) : 0)
  return growth < gas ? growth : gas
}

const givenBack = ({ gas }: EvmStep, cost: bigint): bigint => gas - cost
