import { jumpDestinations } from '../skeleton.ts'
import type { PathAccount } from './accounts.ts'
import type { FrameGas } from './gas.ts'
import { type Bytes, EMPTY_BYTES, Memory, type Word } from './memory.ts'

/** How a frame ended. A halt has no output and uses all its gas. */
export interface FrameResult {
  readonly status: 'success' | 'revert' | 'halt'
  readonly output: Bytes
}

export const HALT: FrameResult = { status: 'halt', output: EMPTY_BYTES }

/** What a frame is opened with. `self` owns storage and balance; `code` is where the code comes from (DELEGATECALL). */
export interface FrameContext {
  readonly self: PathAccount
  readonly codeAccount: PathAccount
  readonly caller: Word
  readonly value: Word
  readonly calldata: Bytes
  readonly isStatic: boolean
  readonly depth: number
  readonly gas: FrameGas
}

export class Frame {
  readonly context: FrameContext
  readonly code: Uint8Array
  readonly jumpDestinations: Uint8Array
  readonly stack: Word[] = []
  readonly memory = new Memory()
  returnData: Bytes = EMPTY_BYTES
  pc = 0

  constructor(context: FrameContext) {
    this.context = context
    this.code = context.codeAccount.code
    this.jumpDestinations = jumpDestinations(this.code)
  }
}
