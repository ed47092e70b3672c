import type { PathColumns } from '../emit/columns.ts'
import type { PathIr } from '../ir/path_ir.ts'
import { MAX_PROGRAM_CONSTANTS, MAX_PROGRAM_SCRATCH, MAX_PROGRAM_VECTORS } from '../layout/program.ts'
import type { PathProgram } from '../path_kernel.ts'
import { allocateRegisters } from './allocate.ts'
import { NotEncodableError, selectInstructions } from './select.ts'
import { writeProgram } from './write.ts'

/**
 * The path as a program for kernels/entry/path_program.wgsl (transpiler/layout/program.ts): the same guards, look-ups
 * and output columns as its own kernels have. Undefined where an operation or effect has no encoding, and past the
 * bounds of a program.
 *
 * In: verified path IR and its columns. The program computes what the IR means on every lane, except that the exit code
 * of a lane that fails several guards is the lowest of them; a guard that failed before the first miss wins over
 * the miss.
 */
export const encodeProgram = (path: PathIr, columns: PathColumns): PathProgram | undefined => {
  try {
    const selection = selectInstructions(path, columns)
    if (selection.drafts.length > MAX_PROGRAM_VECTORS || selection.constants.length > MAX_PROGRAM_CONSTANTS) {
      return undefined
    }
    const allocation = allocateRegisters(selection.drafts)
    if (allocation.scratch > MAX_PROGRAM_SCRATCH) return undefined
    const program = writeProgram(selection, allocation)
    return program.code.length / 4 > MAX_PROGRAM_VECTORS ? undefined : program
  } catch (thrown) {
    if (thrown instanceof NotEncodableError) return undefined
    throw thrown
  }
}
