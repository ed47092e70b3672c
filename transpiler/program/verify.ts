import { ENVIRONMENT_WORDS } from '../layout/environment.ts'
import { PROGRAM_MODES } from '../layout/instruction.ts'
import {
  MAX_PROGRAM_CONSTANTS,
  MAX_PROGRAM_SCRATCH,
  MAX_PROGRAM_VECTORS,
  OPERAND_CONSTANT,
  OPERAND_INDEX_MASK,
  OPERAND_INPUT,
  OPERAND_NONE,
  OPERAND_REGISTER,
  OPERAND_SCRATCH,
  PROGRAM_FAST_REGISTERS,
  PROGRAM_INSTRUCTION_LIMBS,
  PROGRAM_OPCODES,
} from '../layout/program.ts'
import { BYTES_PER_WORD, KECCAK_RATE_BYTES, LIMBS_PER_WORD } from '../layout/word.ts'
import type { PathKernel, PathProgram } from '../path_kernel.ts'
import { OPCODE_ROWS } from './rows.ts'
import { type Instruction, instructionAt } from './text.ts'

type Held = 'word' | 'account' | 'slot'

/** What the program may touch: the manifest of its path. */
export type ProgramManifest = Pick<PathKernel, 'inputColumns' | 'outputColumns' | 'skeletons' | 'guards' | 'lookups'>

/**
 * What is wrong with a program, as one line, or undefined. A program that passes reads and writes nothing outside its
 * group's columns, constants and registers, whatever its lanes hold, and ends: the kernel relies on it, since it runs
 * without index checks. For programs from outside the process (a path store), and for the tests of the encoder.
 */
export const programFault = (program: PathProgram, manifest: ProgramManifest): string | undefined => {
  const { code, instructions, constants, scratch } = program
  const vectors = code.length / PROGRAM_INSTRUCTION_LIMBS
  const wholeVectors = Number.isInteger(vectors) && constants.length % LIMBS_PER_WORD === 0
  if (!wholeVectors || instructions < 1 || instructions !== vectors) return 'lengths do not fit'
  if (vectors > MAX_PROGRAM_VECTORS || constants.length > LIMBS_PER_WORD * MAX_PROGRAM_CONSTANTS) return 'too large'
  if (!(Number.isInteger(scratch) && scratch >= 0 && scratch <= MAX_PROGRAM_SCRATCH)) return 'too many registers'
  const words = ENVIRONMENT_WORDS.length + manifest.skeletons.length + constants.length / LIMBS_PER_WORD
  /** What each written register holds. An id may index the state tables, a word may not. */
  const written = new Map<number, Held>()
  const slots = manifest.lookups.filter(({ kind }) => kind === 'slot').length
  const inputs = Math.max(2, manifest.inputColumns)

  const operandFault = (operand: number): string | undefined => {
    if (operand === OPERAND_NONE) return undefined
    const index = operand & OPERAND_INDEX_MASK
    switch (operand & ~OPERAND_INDEX_MASK) {
      case OPERAND_CONSTANT:
        return index < words ? undefined : 'no such constant'
      case OPERAND_INPUT:
        return index + 1 < inputs ? undefined : 'no such input'
      default:
        return written.has(operand) ? undefined : 'a register is read before it is written'
    }
  }
  const resultFault = ({ result, opcode, mode, operands, invert }: Instruction): string | undefined => {
    if (result === OPERAND_NONE) return undefined
    const kind = result & ~OPERAND_INDEX_MASK
    if (kind === OPERAND_CONSTANT || kind === OPERAND_INPUT) return 'the result is no register'
    const most = kind === OPERAND_REGISTER ? PROGRAM_FAST_REGISTERS : scratch
    if ((result & OPERAND_INDEX_MASK) >= most) return 'no such register'
    const isEntry =
      opcode === PROGRAM_OPCODES.pick && mode === PROGRAM_MODES.pick.second && operands[0] === OPERAND_INPUT
    const isAccount = opcode === PROGRAM_OPCODES.findAccount || isEntry
    const held = isAccount ? 'account' : opcode === PROGRAM_OPCODES.findSlot ? 'slot' : 'word'
    written.set(result, invert ? 'word' : held)
    return undefined
  }
  const keyFault = (row: Instruction): string | undefined => {
    const isSlot = row.opcode === PROGRAM_OPCODES.findSlot
    const lookup = manifest.lookups.find(({ keyColumn }) => keyColumn === row.immediate)
    const fits = lookup?.column === row.column && lookup.component === row.mode && (lookup.kind === 'slot') === isSlot
    return fits ? undefined : 'no such look-up'
  }
  const instructionFault = (row: Instruction, isLast: boolean): string | undefined => {
    const opcode = OPCODE_ROWS.get(row.opcode)
    if (opcode === undefined || row.mode >= opcode.modes) return 'no such operation'
    if ((opcode.name === 'end') !== isLast) return 'the last instruction, and no other, ends'
    for (const operand of row.operands) {
      const fault = operandFault(operand)
      if (fault !== undefined) return fault
    }
    if (opcode.immediate === 'scratch') {
      for (let i = 0; i < Math.ceil((row.mode * KECCAK_RATE_BYTES) / BYTES_PER_WORD); i++) {
        if (!written.has(OPERAND_SCRATCH | (row.immediate + i))) return 'a register is read before it is written'
      }
    }
    if (opcode.name === 'load' && row.immediate >= slots) return 'no such look-up'
    if (opcode.name === 'load' && written.get(row.operands[0]) !== 'slot') return 'a load of what is no slot'
    if (opcode.name === 'account' && written.get(row.operands[0]) !== 'account') return 'a field of what is no account'
    if (opcode.immediate === 'keyColumn') return keyFault(row) ?? resultFault(row)
    if (row.guard > manifest.guards.length) return 'no such guard'
    if (row.column !== OPERAND_NONE && (row.column < 1 || row.column + 1 >= manifest.outputColumns))
      return 'no such column'
    return resultFault(row)
  }
  for (let i = 0; i < instructions; i++) {
    const fault = instructionFault(instructionAt(code, i), i === instructions - 1)
    if (fault !== undefined) return `instruction ${i}: ${fault}`
  }
  return undefined
}
