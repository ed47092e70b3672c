import { OPERAND_NONE, type ProgramOpcode } from '../layout/program.ts'

/**
 * Where an instruction takes an operand from: below VIRTUAL an operand of the layout that needs no register, from
 * VIRTUAL on the result of a value, whose register is not chosen yet.
 */
export type Source = number
export const VIRTUAL = 0x10000
export const NONE: Source = OPERAND_NONE

/** Word i of a message that a keccak reads from scratch, as a result: MESSAGE + i. */
export const MESSAGE: Source = 0x8000_0000

/**
 * An instruction whose registers are not chosen. `result`: VIRTUAL plus the value's number, MESSAGE plus a word's, or
 * NONE. A message is read by the next keccak of a mode above 0, which finds it from scratch register 0 of the messages
 * on.
 */
export interface Draft {
  readonly opcode: ProgramOpcode
  mode: number
  invert: boolean
  readonly a: Source
  readonly b: Source
  readonly c: Source
  immediate: number
  readonly result: Source
  column: number
  guard: number
}

/** Every source of an instruction. */
export const sourcesOf = ({ a, b, c }: Draft): readonly [Source, Source, Source] => [a, b, c]
