import { ENVIRONMENT_WORDS } from '../layout/environment.ts'
import {
  OPERAND_INDEX_MASK,
  OPERAND_KIND_SHIFT,
  OPERAND_NONE,
  PROGRAM_INSTRUCTION_LIMBS,
  PROGRAM_INVERT,
  PROGRAM_SHIFT_MASK,
  PROGRAM_SHIFT_RIGHT,
} from '../layout/program.ts'
import { LIMBS_PER_WORD } from '../layout/word.ts'
import type { PathProgram } from '../path_kernel.ts'
import { OPCODE_ROWS } from './rows.ts'

/** An instruction's fields, as the kernel reads them. */
export interface Instruction {
  readonly opcode: number
  readonly mode: number
  readonly invert: boolean
  readonly result: number
  readonly operands: readonly [a: number, b: number, c: number]
  readonly immediate: number
  readonly column: number
  readonly guard: number
}

export const instructionAt = (code: Uint32Array, index: number): Instruction => {
  const at = index * PROGRAM_INSTRUCTION_LIMBS
  const [x, y, z, w] = [code[at]!, code[at + 1]!, code[at + 2]!, code[at + 3]!]
  return {
    opcode: x & 0xff,
    mode: (x >> 8) & 0x7f,
    invert: (x & PROGRAM_INVERT) !== 0,
    result: x >>> 16,
    operands: [y & 0xffff, y >>> 16, z & 0xffff],
    immediate: z >>> 16,
    column: w & 0xffff,
    guard: w >>> 16,
  }
}

const KINDS = ['r', 'c', 'in', 's'] as const

/**
 * One line for each instruction: `r2 = sum.1 r0 c12`, then the column it writes (`> 4`) and the guard it decides
 * (`? 3`).
 */
export const printProgram = (program: PathProgram, skeletons: number): string => {
  const constantText = (index: number): string => {
    if (index < ENVIRONMENT_WORDS.length) return ENVIRONMENT_WORDS[index]!
    const own = index - ENVIRONMENT_WORDS.length - skeletons
    if (own < 0) return `skeleton${index - ENVIRONMENT_WORDS.length}`
    let value = 0n
    for (let limb = LIMBS_PER_WORD - 1; limb >= 0; limb--) {
      value = (value << 32n) | BigInt(program.constants[own * LIMBS_PER_WORD + limb] ?? 0)
    }
    return `#0x${value.toString(16)}`
  }
  const operandText = (operand: number): string => {
    if (operand === OPERAND_NONE) return '-'
    const kind = KINDS[operand >> OPERAND_KIND_SHIFT]!
    const index = operand & OPERAND_INDEX_MASK
    return kind === 'c' ? constantText(index) : `${kind}${index}`
  }
  const lines: string[] = []
  for (let i = 0; i < program.instructions; i++) {
    const { opcode, mode, invert, result, operands, immediate, column, guard } = instructionAt(program.code, i)
    const row = OPCODE_ROWS.get(opcode)
    const name = `${invert ? '!' : ''}${row?.name ?? opcode}${mode === 0 ? '' : `.${mode}`}`
    const taken = operands.slice(0, row?.operands ?? 3)
    const parts = [name, ...taken.map(operandText)]
    if (row?.immediate === 'shift') {
      if (immediate !== 0)
        parts.push(`${(immediate & PROGRAM_SHIFT_RIGHT) === 0 ? '<<' : '>>'}${immediate & PROGRAM_SHIFT_MASK}`)
    } else if (row?.immediate === 'scratch') {
      if (mode > 0) parts.push(`from s${immediate}`)
    } else if (row?.immediate !== undefined) parts.push(`${immediate}`)
    if (column !== OPERAND_NONE) parts.push(`> ${column}`)
    if (guard !== 0) parts.push(`? ${guard - 1}`)
    lines.push(`${result === OPERAND_NONE ? '' : `${operandText(result)} = `}${parts.join(' ')}`)
  }
  return `${lines.join('\n')}\n`
}
