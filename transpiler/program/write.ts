import { OPERAND_NONE, PROGRAM_INSTRUCTION_LIMBS, PROGRAM_INVERT, PROGRAM_OPCODES } from '../layout/program.ts'
import { LIMBS_PER_WORD } from '../layout/word.ts'
import type { PathProgram } from '../path_kernel.ts'
import type { Allocation } from './allocate.ts'
import { type Source, VIRTUAL } from './draft.ts'
import { NotEncodableError, type Selection } from './select.ts'

const OPERANDS_PER_VECTOR = 8

/** Writes chosen instructions and registers in the layout of transpiler/layout/program.ts. */
export const writeProgram = (
  { drafts, constants }: Selection,
  { registers, fast, scratch }: Allocation,
): PathProgram => {
  const operand = (source: Source): number => (source < VIRTUAL ? source : (registers.get(source) ?? OPERAND_NONE))
  const listVectors = drafts.reduce((sum, { list }) => sum + Math.ceil(list.length / OPERANDS_PER_VECTOR), 0)
  const code = new Uint32Array((drafts.length + listVectors) * PROGRAM_INSTRUCTION_LIMBS)
  let listAt = drafts.length
  drafts.forEach((draft, index) => {
    let { immediate } = draft
    if (draft.list.length > 0) {
      immediate = listAt
      draft.list.forEach((source, i) => {
        code[listAt * PROGRAM_INSTRUCTION_LIMBS + (i >> 1)]! |= operand(source) << (16 * (i & 1))
      })
      listAt += Math.ceil(draft.list.length / OPERANDS_PER_VECTOR)
    }
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
