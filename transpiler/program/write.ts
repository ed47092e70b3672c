import {
  OPERAND_NONE,
  OPERAND_SCRATCH,
  PROGRAM_INSTRUCTION_LIMBS,
  PROGRAM_INVERT,
  PROGRAM_OPCODES,
} from '../layout/program.ts'
import { LIMBS_PER_WORD } from '../layout/word.ts'
import type { PathProgram } from '../path_kernel.ts'
import type { Allocation } from './allocate.ts'
import { MESSAGE, type Source, VIRTUAL } from './draft.ts'
import { NotEncodableError, type Selection } from './select.ts'

/** Writes chosen instructions and registers in the layout of transpiler/layout/program.ts. */
export const writeProgram = ({ drafts, constants }: Selection, allocation: Allocation): PathProgram => {
  const { registers, fast, scratch, messages } = allocation
  const operand = (source: Source): number => {
    if (source < VIRTUAL) return source
    if (source >= MESSAGE) return OPERAND_SCRATCH | (messages + source - MESSAGE)
    return registers.get(source) ?? OPERAND_NONE
  }
  const code = new Uint32Array(drafts.length * PROGRAM_INSTRUCTION_LIMBS)
  drafts.forEach((draft, index) => {
    const isLongKeccak = draft.opcode === 'keccak' && draft.mode > 0
    const immediate = isLongKeccak ? messages : draft.immediate
    for (const field of [immediate, draft.column, draft.guard]) {
      if (field > 0xffff) throw new NotEncodableError('a field past 16 bits')
    }
    const at = index * PROGRAM_INSTRUCTION_LIMBS
    const flags = draft.invert ? PROGRAM_INVERT : 0
    code[at] = PROGRAM_OPCODES[draft.opcode] | (draft.mode << 8) | flags | (operand(draft.result) << 16)
    code[at + 1] = operand(draft.a) | (operand(draft.b) << 16)
    code[at + 2] = operand(draft.c) | (immediate << 16)
    code[at + 3] = draft.column | (draft.guard << 16)
  })
  const words = new Uint32Array(constants.length * LIMBS_PER_WORD)
  constants.forEach((constant, i) => {
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++) {
      words[i * LIMBS_PER_WORD + limb] = Number((constant >> BigInt(32 * limb)) & 0xffffffffn)
    }
  })
  return { code, instructions: drafts.length, constants: words, registers: fast + scratch, scratch }
}
