import {
  VM_INSTRUCTION_LIMBS,
  VM_OPERAND_CONSTANT,
  VM_OPERAND_INSTANCE,
  VM_OPERAND_MASK,
  VM_OPERAND_NONE,
  VM_OPERAND_STACK,
} from '../layout/lane_vm.ts'

/**
 * Code of the lane VM (layout/lane_vm.ts). It depends on the code's skeleton and the fork alone.
 *
 * Example: {@link liftCode}.
 */
export interface LiftedCode {
  /** VM_INSTRUCTION_LIMBS each. */
  readonly instructions: Uint32Array
  /** 8 limbs per word, least significant first. */
  readonly constants: Uint32Array
  /** VM_BLOCK_LIMBS each. */
  readonly blocks: Uint32Array
  /** By byte of the code: block + 1 of the JUMPDEST there, 0 none; padded to a multiple of 8. */
  readonly jumps: Uint16Array
  /** Blocks from this one on are entered by one side exit of a superblock each, at the height of that one. */
  readonly firstExit: number
  /** By instruction: byte position of the EVM opcode it stands for; the size of the code for the STOP after it. */
  readonly pcs: Uint32Array
}

/**
 * `superblocks`: blocks that something enters go on into those after them. `fused`: a block ends where the EVM may go
 * elsewhere.
 * `traced`: every EVM opcode is a block of its own, so the stack is the EVM's wherever a block begins.
 *
 * Example: {@link liftCode}.
 */
export type LiftForm = 'superblocks' | 'fused' | 'traced'

export const MAX_STACK_WORDS = 1024
/** Limits of the fields: blocks of a code (0 of the jump table is none), constants of its pool. */
export const MAX_BLOCKS = 0xfffe
export const MAX_CONSTANTS = VM_OPERAND_MASK + 1
/** Positions that an operand reaches, from the height at the start of the block. */
export const LOWEST_POSITION = -(1 << 13)
export const HIGHEST_POSITION = (1 << 13) - 1
/** The immediate of `refuse` in code that passes those limits: no code of an EVM opcode. */
export const REFUSED_SIZE = 0x100
/**
 * The same where a stack faults in a block that may have looked at an account or slot before: bounds are checked once a
 * block.
 */
export const REFUSED_STACK = 0x101

export const stackOperand = (position: number): number => VM_OPERAND_STACK | (position & VM_OPERAND_MASK)
export const constantOperand = (index: number): number => VM_OPERAND_CONSTANT | index
export const instanceOperand = (index: number): number => VM_OPERAND_INSTANCE | index

const KIND_MASK = 0xffff ^ VM_OPERAND_MASK
export type OperandKind = 'stack' | 'constant' | 'instance' | 'none' | 'unknown'

export const operandKind = (operand: number): OperandKind => {
  if (operand === VM_OPERAND_NONE) return 'none'
  switch (operand & KIND_MASK) {
    case VM_OPERAND_STACK:
      return 'stack'
    case VM_OPERAND_CONSTANT:
      return 'constant'
    case VM_OPERAND_INSTANCE:
      return 'instance'
    default:
      return 'unknown'
  }
}

/** Index of an operand in the pool or among the instance's immediates. */
export const operandIndex = (operand: number): number => operand & VM_OPERAND_MASK
/** Position of a STACK operand: its 14 bits as two's complement. */
export const operandPosition = (operand: number): number => (operand << 18) >> 18

/** The fields of an instruction. */
export interface VmInstruction {
  readonly opcode: number
  readonly mode: number
  readonly result: number
  readonly a: number
  readonly b: number
  readonly c: number
  /** 16 bits, as they stand there. */
  readonly immediate: number
  readonly gas: number
  readonly block: number
}

export const instructionAt = (instructions: Uint32Array, index: number): VmInstruction => {
  const at = index * VM_INSTRUCTION_LIMBS
  const [x, y, z, w] = [instructions[at]!, instructions[at + 1]!, instructions[at + 2]!, instructions[at + 3]!]
  return {
    opcode: x & 0xff,
    mode: (x >>> 8) & 0xff,
    result: x >>> 16,
    a: y & 0xffff,
    b: y >>> 16,
    c: z & 0xffff,
    immediate: z >>> 16,
    gas: w & 0xffff,
    block: w >>> 16,
  }
}

/** A change of height: an immediate read as i16. */
export const heightChange = (immediate: number): number => (immediate << 16) >> 16
