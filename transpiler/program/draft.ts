import { OPERAND_NONE, type ProgramOpcode } from '../layout/program.ts'

/**
 * Where an instruction takes an operand from: below VIRTUAL an operand of the layout that needs no register, from VIRTUAL on
 * the result of a value, whose register is not chosen yet.
 */
export type Source = number
export const VIRTUAL = 0x10000
export const NONE: Source = OPERAND_NONE

/** An instruction whose registers are not chosen. `result`: VIRTUAL plus the value's number, or NONE. */
export interface Draft {
  readonly opcode: ProgramOpcode
  mode: number
  invert: boolean
  readonly a: Source
  readonly b: Source
  readonly c: Source
  /** Words of a keccak, PROGRAM_KECCAK_WORDS for each block. */
  readonly list: readonly Source[]
  immediate: number
  readonly result: Source
  column: number
  guard: number
}

/** Every source of an instruction. */
export const sourcesOf = ({ a, b, c, list }: Draft): readonly Source[] => [a, b, c, ...list]
