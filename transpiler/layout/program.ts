import { WORKGROUP_SIZE } from './environment.ts'

/**
 * Path programs: the second form of a recorded path, for kernels/entry/path_program.wgsl. One dispatch runs many of
 * them; each workgroup of WORKGROUP_SIZE lanes runs one program with uniform control flow.
 *
 * INSTRUCTION  one vec4<u32> (instruction.ts); every result is a word (bools and u32 zero-extended)
 *   x   opcode (bits 0..7) | mode (8..14) | PROGRAM_INVERT (15) | result register (16..31, an operand or OPERAND_NONE)
 *   y   operand a (0..15) | operand b (16..31)
 *   z   operand c (0..15) | immediate (16..31)
 *   w   column of lanesOut that gets the result (0..15, OPERAND_NONE: none) | 1 + index of the guard whose condition
 *       the result is (16..31, 0: none)
 *   A slot or account look-up writes its id to component `mode` of column w.0..15, and its key to the columns at
 *   `immediate` where it finds nothing.
 *
 * OPERAND      16 bits, kind in the two top ones:
 *   REGISTER   word register in workgroup memory, below PROGRAM_FAST_REGISTERS
 *   CONSTANT   word of the group's constants area: environment words (ENVIRONMENT_WORDS, in order), skeleton ids of the
 *              path (PathKernel.skeletons, in order), then the program's own constants
 *   INPUT      the two columns of lanesIn from here on
 *   SCRATCH    word register in the scratch area of lanesOut
 *
 * A keccak of up to 95 bytes takes its padded words as operands. A longer one reads whole blocks from scratch: its
 * words stand in scratch registers from `immediate` on, padding included.
 *
 * WAVE         the whole of `lanesIn`, in vectors:
 *   table      for each workgroup: (vector of its group's header, first lane of the group, 0, 0)
 *   headers    PROGRAM_HEADER_VECTORS for each group:
 *                [0] (code, instructions, constants, lane count)
 *                [1] (input columns, result columns, key columns, hint columns or 0)
 *                [2] (scratch of the group's first workgroup, vectors of scratch for a workgroup, 0, 0)
 *              code, constants, input and hint columns are vectors of lanesIn; result and key columns and scratch of
 *              lanesOut. Columns are as in path_kernel.ts: column c of lane l at base + c * lane count + l. Looked-up
 *              keys have a base of their own, so the result columns of all groups stand together; column numbers
 *              are those of the path.
 *   then       code, constants and input columns of all groups in any order
 * The uniform's vector 0 is (workgroups of the wave, first vector of the table, slot mask, account mask).
 */
export const OPERAND_KIND_SHIFT = 14
export const OPERAND_INDEX_MASK = 0x3fff
export const OPERAND_REGISTER = 0x0000
export const OPERAND_CONSTANT = 0x4000
export const OPERAND_INPUT = 0x8000
export const OPERAND_SCRATCH = 0xc000
export const OPERAND_NONE = 0xffff

export const PROGRAM_INSTRUCTION_LIMBS = 4
export const PROGRAM_HEADER_VECTORS = 3
/** Vectors of lanesOut that one word register in scratch takes for a workgroup: [half][lane]. */
export const PROGRAM_SCRATCH_VECTORS = 2 * WORKGROUP_SIZE
/** Bytes that a keccak of three operands takes at most, so that its padding begins in them. */
export const PROGRAM_SHORT_KECCAK_BYTES = 95

/** Word registers of a lane in workgroup memory: 64 lanes of them fit 16 KiB. */
export const PROGRAM_FAST_REGISTERS = 8

/** Bounds of a program, so hostile code costs bounded time and memory. Past them a path has none. */
export const MAX_PROGRAM_VECTORS = 1 << 14
export const MAX_PROGRAM_CONSTANTS = 1 << 12
export const MAX_PROGRAM_SCRATCH = 1 << 10

/** Flag in x: the result, a bool, is inverted. */
export const PROGRAM_INVERT = 1 << 15

/** Immediate of `field`: the amount, and the flag of a shift to the right. */
export const PROGRAM_SHIFT_MASK = 0xff
export const PROGRAM_SHIFT_RIGHT = 0x100

/** Opcodes; the kernel's if-tree follows their order. Modes in comments, by name in instruction.ts. */
export const PROGRAM_OPCODES = {
  /** a */
  copy: 0,
  /** Component `mode` (0, 1) of the low half of a, as a scalar. */
  pick: 1,
  /** Bit 0: a & b; bit 1: a ^ b; both: their union, a | b. */
  logic: 2,
  /** 0: a + b; 1: a - b. */
  sum: 3,
  /** 0: a < b; 1: the same, signed; 2: a == b. */
  compare: 4,
  /** (a shifted by the immediate, & ~b) | c. Immediate: bits 0..7 amount, bit 8 set for right. */
  field: 5,
  /** 0: b << a; 1: b >> a; 2: the same, signed. */
  shift: 6,
  /** Scalars. 0: a + b; 1: a - b; 2: a * b; 3: gas for a callee (EIP-150); 4: bytes of a. */
  scalar: 7,
  /** 0: byte a of b; 1: b sign-extended from byte a; 2: leading zeros of a. */
  bytes: 8,
  /**
   * SSTORE of (original, current, next) = (a, b, c), the immediate its price where dirty. 0: gas; 1, 2: refund, before
   * and from London.
   */
  sstore: 9,
  /** Value of slot a; the immediate is its ordinal among slot look-ups, for the hint columns. */
  load: 10,
  /**
   * Of account a. 0: address; 1: balance; 2: exists; 3: has code; 4: its skeleton is b; 5: instance constant
   * `immediate`.
   */
  account: 11,
  /** Id of slot b of account a. */
  findSlot: 12,
  /** Id of the account at address a. */
  findAccount: 13,
  /**
   * Mode 0: hash of the padded words a, b, c and one of zeros; else of `mode` blocks from scratch register `immediate`
   * on.
   */
  keccak: 14,
  /** a * b */
  mul: 15,
  /** Bit 0: signed; bit 1: remainder. */
  divide: 16,
  /** 0: (a + b) mod c; 1: (a * b) mod c. */
  modular: 17,
  /** a ^ b */
  exp: 18,
  /** Ends the lane with gas a and refund b. */
  end: 19,
} as const
export type ProgramOpcode = keyof typeof PROGRAM_OPCODES
