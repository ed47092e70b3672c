import { isStorePrice, STORE_PRICES } from '../ir/ops.ts'
import { MODES, PROGRAM_MODES } from '../layout/instruction.ts'
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

/** The dirty price tells the prices apart. */
const storeRows = (): (readonly [string, ProgramRow])[] =>
  [...STORE_PRICES].map(([op, { dirty, clearRefund }]) => {
    const { gas, refund, refundBefore } = PROGRAM_MODES.sstore
    const mode = isStorePrice(op) ? gas : clearRefund === REFUND_SSTORE_CLEAR ? refund : refundBefore
    return [op, { opcode: 'sstore', mode, immediate: dirty }]
  })

/**
 * Operations of path IR by name. What is not here has an encoding of its own in encode.ts (constants, inputs, hashes,
 * look-ups, byte moves), or none: then the path has no program.
 */
export const PROGRAM_ROWS: ReadonlyMap<string, ProgramRow> = new Map<string, ProgramRow>([
  ['and', { opcode: 'logic', mode: MODES.logic.and }],
  ['xor', { opcode: 'logic', mode: MODES.logic.xor }],
  ['or', { opcode: 'logic', mode: MODES.logic.or }],
  ['add', { opcode: 'sum' }],
  ['sub', { opcode: 'sum', mode: MODES.sum.subtract }],
  ['lt', { opcode: 'compare' }],
  ['gt', { opcode: 'compare', swap: true }],
  ['slt', { opcode: 'compare', mode: MODES.compare.signedLess }],
  ['sgt', { opcode: 'compare', mode: MODES.compare.signedLess, swap: true }],
  ['eq', { opcode: 'compare', mode: MODES.compare.equal }],
  ['iszero', { opcode: 'compare', mode: MODES.compare.equal }],
  ['ge32', { opcode: 'compare', invert: true }],
  ['gt32', { opcode: 'compare', swap: true }],
  ['eq32', { opcode: 'compare', mode: MODES.compare.equal }],
  ['shl', { opcode: 'shift' }],
  ['shr', { opcode: 'shift', mode: MODES.shift.right }],
  ['sar', { opcode: 'shift', mode: MODES.shift.signedRight }],
  ['add32', { opcode: 'scalar' }],
  ['sub32', { opcode: 'scalar', mode: PROGRAM_MODES.scalar.subtract }],
  ['mul32', { opcode: 'scalar', mode: PROGRAM_MODES.scalar.multiply }],
  ['callgas', { opcode: 'scalar', mode: PROGRAM_MODES.scalar.callGas }],
  ['bytelength', { opcode: 'scalar', mode: PROGRAM_MODES.scalar.byteLength }],
  ['byte', { opcode: 'bytes' }],
  ['signextend', { opcode: 'bytes', mode: MODES.bytes.signExtend }],
  ['clz', { opcode: 'bytes', mode: MODES.bytes.leadingZeros }],
  ...storeRows(),
  ['address', { opcode: 'account' }],
  ['balance', { opcode: 'account', mode: PROGRAM_MODES.account.balance }],
  ['exists', { opcode: 'account', mode: PROGRAM_MODES.account.exists }],
  ['hascode', { opcode: 'account', mode: PROGRAM_MODES.account.hasCode }],
  ['mul', { opcode: 'mul' }],
  ['div', { opcode: 'divide' }],
  ['sdiv', { opcode: 'divide', mode: MODES.divide.signed }],
  ['mod', { opcode: 'divide', mode: MODES.divide.remainder }],
  ['smod', { opcode: 'divide', mode: MODES.divide.signed | MODES.divide.remainder }],
  ['addmod', { opcode: 'modular' }],
  ['mulmod', { opcode: 'modular', mode: MODES.modular.multiply }],
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
