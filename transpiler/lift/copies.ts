import { VM_OPCODES } from '../layout/lane_vm.ts'
import { type CodeWriter, vmInstruction } from './code_writer.ts'
import { stackOperand, type VmInstruction } from './lifted_code.ts'

/** A word to bring to a position. */
export interface Copy {
  readonly operand: number
  readonly to: number
}

/**
 * Writes copies that have an effect in their order, two to an instruction where the second does not read what the first
 * writes.
 * `leavesOne`: one that would be alone at the end is returned instead, for the jump that follows.
 */
export const writeCopies = (
  writer: CodeWriter,
  copies: readonly Copy[],
  pc: number,
  leavesOne: boolean,
): Copy | undefined => {
  for (let n = 0; n < copies.length; ) {
    const { operand: a, to } = copies[n]!
    const next = copies[n + 1]
    const last = copies[n + 2]
    if (next === undefined && leavesOne) return copies[n]
    const [opcode, result] = [VM_OPCODES.copy, stackOperand(to)]
    if (
      next !== undefined &&
      last?.operand === result &&
      a === stackOperand(next.to) &&
      next.operand === stackOperand(last.to)
    ) {
      // Two words that change places through a position of no other use.
      const swap = { b: a, c: stackOperand(last.to) }
      writer.instruction(vmInstruction({ opcode, a: next.operand, result: a, ...swap }), pc)
      n += 3
    } else if (next === undefined || next.operand === result) {
      writer.instruction(vmInstruction({ opcode, a, result }), pc)
      n++
    } else {
      writer.instruction(vmInstruction({ opcode, a, result, b: next.operand, c: stackOperand(next.to) }), pc)
      n += 2
    }
  }
  return undefined
}

/** The fields of a jump that also copies. */
export const jumpCopy = (copy: Copy | undefined): Partial<Pick<VmInstruction, 'b' | 'result'>> =>
  copy === undefined ? {} : { b: copy.operand, result: stackOperand(copy.to) }
