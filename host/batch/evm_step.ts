/**
 * The machine before one opcode. depth: 1 in the transaction's own frame; stack: the top comes last; memSize in bytes;
 * refund: the transaction's counter so far.
 */
export interface EvmStep {
  readonly pc: number
  readonly op: number
  readonly gas: bigint
  readonly depth: number
  readonly stack: readonly bigint[]
  readonly memSize: number
  readonly refund: number
  /** What SELFDESTRUCT costs where it runs: steps after it do not tell. */
  readonly cost?: bigint
  /** memSize bytes, where they were asked for. */
  readonly memory?: Uint8Array
}
