/**
 * What instructions of path programs (program.ts) and of the lane VM (lane_vm.ts) have in common.
 *
 *   x   opcode (bits 0..7) | mode (8..14) | a flag (15) | result operand (16..31)
 *   y   operand a (0..15) | operand b (16..31)
 *   z   operand c (0..15) | immediate (16..31)
 */
export const INSTRUCTION_OPCODE_MASK = 0xff
export const INSTRUCTION_MODE_SHIFT = 8
export const INSTRUCTION_MODE_MASK = 0x7f

/** What an opcode does, by its mode. An opcode that is not here has no mode, or one that its own comment explains. */
export const MODES = {
  logic: { and: 1, xor: 2, or: 3 },
  sum: { add: 0, subtract: 1 },
  compare: { less: 0, signedLess: 1, equal: 2 },
  shift: { left: 0, right: 1, signedRight: 2 },
  bytes: { byte: 0, signExtend: 1, leadingZeros: 2 },
  /** Bits. */
  divide: { quotient: 0, signed: 1, remainder: 2 },
  modular: { add: 0, multiply: 1 },
} as const

/** Modes of opcodes that only path programs have. */
export const PROGRAM_MODES = {
  pick: { first: 0, second: 1 },
  scalar: { add: 0, subtract: 1, multiply: 2, callGas: 3, byteLength: 4 },
  /** Refunds before and from London on (EIP-3529). */
  sstore: { gas: 0, refundBefore: 1, refund: 2 },
  account: { address: 0, balance: 1, exists: 2, hasCode: 3, skeleton: 4, instance: 5 },
  keccak: { operands: 0 },
} as const

/** Modes of opcodes that only the lane VM has. */
export const VM_MODES = {
  memory: { load: 0, store: 1, storeByte: 2 },
  /** Of slots and of transient slots. */
  storage: { load: 0, store: 1 },
  account: { balance: 0, codeSize: 1, codeHash: 2 },
  end: { stop: 0, return: 1, revert: 2, halt: 3 },
  /** Bits: a destination that is known only when it runs. */
  jump: { toBlock: 0, dynamic: 1 },
  memo: { blockHash: 0, precompile: 1 },
} as const
