import {
  OPERAND_CONSTANT,
  OPERAND_NONE,
  OPERAND_SCRATCH,
  PROGRAM_INSTRUCTION_LIMBS,
  PROGRAM_OPCODES,
} from '../../../../transpiler/layout/program.ts'
import { KECCAK_RATE_BYTES } from '../../../../transpiler/layout/word.ts'
import type { PathProgram } from '../../../../transpiler/path_kernel.ts'

/** An opcode of no program: an id that the columns of the lane hold already, `mode` of the column at the immediate. */
export const KNOWN_ID = 0xff

const BYTES_PER_WORD = 32

/**
 * What of a path's program has to run again for a transaction that has taken the path to its end, on other values of
 * slots and accounts: what is computed from these values, and what that needs. All else, the ids of look-ups whose key
 * does not hang on them above all, is as it was.
 *
 * In: the code of a program (transpiler/layout/program.ts). Out: such a code, with KNOWN_ID for such look-ups. Run over
 * columns of lanesOut that hold what the whole program left, it leaves there what the whole program would.
 */
export const placeProgram = ({ code }: PathProgram): Uint32Array => {
  const count = code.length / PROGRAM_INSTRUCTION_LIMBS
  /** The instruction that wrote each register last, for the operands of the one that is looked at. */
  const written = new Map<number, number>()
  const sources: number[][] = []
  const changes = new Uint8Array(count)
  for (let n = 0; n < count; n++) {
    const at = n * PROGRAM_INSTRUCTION_LIMBS
    const opcode = code[at]! & 0xff
    const own = operandsOf(code, at).flatMap((operand) => written.get(operand) ?? [])
    sources.push(own)
    const reads = opcode === PROGRAM_OPCODES.load || opcode === PROGRAM_OPCODES.account
    changes[n] = reads || own.some((source) => changes[source] !== 0) ? 1 : 0
    const result = code[at]! >>> 16
    if (result !== OPERAND_NONE) written.set(result, n)
  }
  const needed = new Uint8Array(count)
  for (let n = count - 1; n >= 0; n--) {
    const at = n * PROGRAM_INSTRUCTION_LIMBS
    const opcode = code[at]! & 0xff
    const shows = (code[at + 3]! & 0xffff) !== OPERAND_NONE || code[at + 3]! >>> 16 !== 0
    if (opcode === PROGRAM_OPCODES.end || (changes[n] !== 0 && shows)) needed[n] = 1
    if (needed[n] !== 0 && !isKnown(opcode, changes[n]!)) for (const source of sources[n]!) needed[source] = 1
  }
  const kept: number[] = []
  for (let n = 0; n < count; n++) {
    if (needed[n] === 0) continue
    const at = n * PROGRAM_INSTRUCTION_LIMBS
    const [x, y, z, w] = code.subarray(at, at + PROGRAM_INSTRUCTION_LIMBS)
    if (isKnown(x! & 0xff, changes[n]!))
      kept.push((x! & ~0xff) | KNOWN_ID, NO_OPERANDS, OPERAND_NONE | ((w! & 0xffff) << 16), OPERAND_NONE)
    else if (changes[n] === 0) kept.push(x!, y!, z!, OPERAND_NONE)
    else kept.push(x!, y!, z!, w!)
  }
  return Uint32Array.from(kept)
}

const NO_OPERANDS = OPERAND_NONE | (OPERAND_NONE << 16)

/** A look-up whose id is as it was. */
const isKnown = (opcode: number, changes: number): boolean =>
  changes === 0 && (opcode === PROGRAM_OPCODES.findSlot || opcode === PROGRAM_OPCODES.findAccount)

/** The registers that an instruction reads. */
const operandsOf = (code: Uint32Array, at: number): number[] => {
  const mode = (code[at]! >>> 8) & 0x7f
  const operands = [code[at + 1]! & 0xffff, code[at + 1]! >>> 16, code[at + 2]! & 0xffff]
  if ((code[at]! & 0xff) === PROGRAM_OPCODES.keccak && mode !== 0) {
    const words = Math.ceil((mode * KECCAK_RATE_BYTES) / BYTES_PER_WORD)
    for (let n = 0; n < words; n++) operands.push(OPERAND_SCRATCH | ((code[at + 2]! >>> 16) + n))
  }
  return operands.filter(isRegister)
}

/** Constants and inputs lie between the two kinds. */
const isRegister = (operand: number): boolean =>
  operand < OPERAND_CONSTANT || (operand >= OPERAND_SCRATCH && operand !== OPERAND_NONE)
