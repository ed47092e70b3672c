import { isStorePrice, STORE_PRICES } from '../ir/ops.ts'
import { PROGRAM_OPCODES, type ProgramOpcode } from '../layout/program.ts'
import { REFUND_SSTORE_CLEAR } from '../spec/gas.ts'

/** How an operation of path IR is encoded where one instruction does it and the operands keep their order. */
export interface ProgramRow {
  readonly opcode: ProgramOpcode
  readonly mode?: number
  /** Operands a and b change places. */
  readonly swap?: true
  /** The result, a bool, is inverted. */
  readonly invert?: true
  readonly immediate?: number
}

/** Mode 0 is the price; 1 and 2 are the refund, before and from London on. The dirty price tells the prices apart. */
const storeRows = (): (readonly [string, ProgramRow])[] =>
  [...STORE_PRICES].map(([op, { dirty, clearRefund }]) => {
    const mode = isStorePrice(op) ? 0 : clearRefund === REFUND_SSTORE_CLEAR ? 2 : 1
    return [op, { opcode: 'sstore', mode, immediate: dirty }]
  })

/**
 * Operations of path IR by name. What is not here has an encoding of its own in encode.ts (constants, inputs, hashes,
 * look-ups, byte moves), or none: then the path has no program.
 */
export const PROGRAM_ROWS: ReadonlyMap<string, ProgramRow> = new Map<string, ProgramRow>([
  ['and', { opcode: 'logic', mode: 1 }],
  ['xor', { opcode: 'logic', mode: 2 }],
  ['or', { opcode: 'logic', mode: 3 }],
  ['add', { opcode: 'sum' }],
  ['sub', { opcode: 'sum', mode: 1 }],
  ['lt', { opcode: 'compare' }],
  ['gt', { opcode: 'compare', swap: true }],
  ['slt', { opcode: 'compare', mode: 1 }],
  ['sgt', { opcode: 'compare', mode: 1, swap: true }],
  ['eq', { opcode: 'compare', mode: 2 }],
  ['iszero', { opcode: 'compare', mode: 2 }],
  ['ge32', { opcode: 'compare', invert: true }],
  ['gt32', { opcode: 'compare', swap: true }],
  ['eq32', { opcode: 'compare', mode: 2 }],
  ['shl', { opcode: 'shift' }],
  ['shr', { opcode: 'shift', mode: 1 }],
  ['sar', { opcode: 'shift', mode: 2 }],
  ['add32', { opcode: 'scalar' }],
  ['sub32', { opcode: 'scalar', mode: 1 }],
  ['mul32', { opcode: 'scalar', mode: 2 }],
  ['callgas', { opcode: 'scalar', mode: 3 }],
  ['bytelength', { opcode: 'scalar', mode: 4 }],
  ['byte', { opcode: 'bytes' }],
  ['signextend', { opcode: 'bytes', mode: 1 }],
  ['clz', { opcode: 'bytes', mode: 2 }],
  ...storeRows(),
  ['address', { opcode: 'account' }],
  ['balance', { opcode: 'account', mode: 1 }],
  ['exists', { opcode: 'account', mode: 2 }],
  ['hascode', { opcode: 'account', mode: 3 }],
  ['mul', { opcode: 'mul' }],
  ['div', { opcode: 'divide' }],
  ['sdiv', { opcode: 'divide', mode: 1 }],
  ['mod', { opcode: 'divide', mode: 2 }],
  ['smod', { opcode: 'divide', mode: 3 }],
  ['addmod', { opcode: 'modular' }],
  ['mulmod', { opcode: 'modular', mode: 1 }],
  ['exp', { opcode: 'exp' }],
])

/** What each opcode takes: operands, for the text form and the verifier; bits of its mode; what its immediate is. */
export interface ProgramOpcodeRow {
  readonly name: ProgramOpcode
  readonly operands: number
  readonly modes: number
  readonly immediate?: 'shift' | 'number' | 'keyColumn' | 'scratch'
}

const ROWS: readonly ProgramOpcodeRow[] = [
  { name: 'copy', operands: 1, modes: 1 },
  { name: 'pick', operands: 1, modes: 2 },
  { name: 'logic', operands: 2, modes: 4 },
  { name: 'sum', operands: 2, modes: 2 },
  { name: 'compare', operands: 2, modes: 3 },
  { name: 'field', operands: 3, modes: 1, immediate: 'shift' },
  { name: 'shift', operands: 2, modes: 3 },
  { name: 'scalar', operands: 2, modes: 5 },
  { name: 'bytes', operands: 2, modes: 3 },
  { name: 'sstore', operands: 3, modes: 3, immediate: 'number' },
  { name: 'load', operands: 1, modes: 1, immediate: 'number' },
  { name: 'account', operands: 2, modes: 6, immediate: 'number' },
  { name: 'findSlot', operands: 2, modes: 4, immediate: 'keyColumn' },
  { name: 'findAccount', operands: 1, modes: 4, immediate: 'keyColumn' },
  { name: 'keccak', operands: 3, modes: 128, immediate: 'scratch' },
  { name: 'mul', operands: 2, modes: 1 },
  { name: 'divide', operands: 2, modes: 4 },
  { name: 'modular', operands: 3, modes: 2 },
  { name: 'exp', operands: 2, modes: 1 },
  { name: 'end', operands: 2, modes: 1 },
]

/** Rows by opcode number. */
export const OPCODE_ROWS: ReadonlyMap<number, ProgramOpcodeRow> = new Map(
  ROWS.map((row) => [PROGRAM_OPCODES[row.name], row]),
)
