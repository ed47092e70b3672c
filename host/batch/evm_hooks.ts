import type { Log } from '../chain/log.ts'

/**
 * An opcode as go-ethereum's tracers are told of it: after its gas was charged and before it does anything. cost: all
 * that it was charged, of a call what it hands on as well, and without the stipend; of one that ran out of gas what was
 * charged until then. refund: the counter with what the opcode itself brings. error: why it does not run.
 *
 * Example: {@link traceTransactions}.
 */
export interface OpcodeStep {
  readonly pc: number
  readonly op: number
  readonly name: string
  readonly gas: bigint
  readonly cost: bigint
  /** 1 in the transaction's own frame. */
  readonly depth: number
  readonly refund: bigint
  /** The top comes last. Not to be kept: it changes with the next opcode. */
  readonly stack: readonly bigint[]
  readonly memoryBytes: number
  /** A copy. */
  readonly memory: () => Uint8Array
  /** What the last call of the frame returned. */
  readonly returnData: Uint8Array
  /** The account whose storage the frame has. */
  readonly address: string
  /** Of SLOAD: the value of its slot. */
  readonly loaded: bigint | undefined
  readonly error: string | undefined
}

/**
 * A frame that begins: a call or a creation (`op`), or what SELFDESTRUCT moves. One that cannot begin (not enough
 * balance, too deep) is told as well, and ends at once.
 *
 * Example: {@link traceTransactions}.
 */
export interface EnteredFrame {
  readonly op: number
  /** 0 for the transaction's own. */
  readonly depth: number
  readonly from: string
  readonly to: string
  readonly input: Uint8Array
  readonly gas: bigint
  /** Undefined for STATICCALL. */
  readonly value: bigint | undefined
}

/**
 * A frame that ends. output: of a creation the code; error in the words of go-ethereum.
 *
 * Example: {@link traceTransactions}.
 */
export interface LeftFrame {
  readonly depth: number
  readonly output: Uint8Array
  readonly gasUsed: bigint
  readonly error: string | undefined
}

/**
 * What watches an execution. What these throw ends it.
 *
 * Example: {@link traceTransactions}.
 */
export interface EvmHooks {
  /** Before each opcode. */
  readonly step?: (step: OpcodeStep) => void
  /** When a frame begins. */
  readonly enter?: (frame: EnteredFrame) => void
  /** When a frame ends. */
  readonly exit?: (frame: LeftFrame) => void
  /** When a log is written; a frame that fails takes its logs back. */
  readonly log?: (log: Log) => void
}
