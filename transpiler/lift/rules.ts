import { MODES, VM_MODES } from '../layout/instruction.ts'
import { VM_CALLS, VM_COPY_SOURCES, VM_ENVIRONMENT, VM_OPCODES, type VmOpcode } from '../layout/lane_vm.ts'
import { FORKS, type Fork, valueAt } from '../spec/forks.ts'
import { GAS_EXP_BYTE_BY_FORK } from '../spec/gas.ts'
import { baseGasAt, type Opcode, opcodesAt } from '../spec/opcodes.ts'

/**
 * What lowering makes of a byte of code.
 *
 * compute      one instruction, on the EVM's operands
 * push .. size nothing: the symbolic stack changes
 * log          compute whose topics are wide
 * accountCopy  EXTCODECOPY: its address must stand in the stack
 * call .. refuse  end the block
 */
export type RuleKind =
  | 'compute'
  | 'push'
  | 'dup'
  | 'swap'
  | 'pop'
  | 'jumpdest'
  | 'position'
  | 'size'
  | 'isZero'
  | 'not'
  | 'log'
  | 'accountCopy'
  | 'call'
  | 'end'
  | 'jump'
  | 'branch'
  | 'refuse'

export interface Rule {
  readonly kind: RuleKind
  /** Of the EVM opcode. */
  readonly code: number
  readonly pops: number
  readonly pushes: number
  /** Static gas. */
  readonly gas: number
  /** For each byte of an EXP's exponent that is known; 0 for all else. */
  readonly gasPerByte: number
  readonly immediateBytes: number
  readonly opcode: number
  readonly mode: number
  /** The instruction takes its two operands in the other order. */
  readonly swaps: boolean
  /** Runs even where its result is not read: it costs, grows memory or warms what it names. */
  readonly kept: boolean
  readonly immediate: number
  readonly eval?: (operands: readonly bigint[]) => bigint
}

/** What an operation takes from its rule. */
export type OperationRule = Pick<Rule, 'opcode' | 'mode' | 'kept' | 'immediate' | 'pushes'>

/** Of an operation that gives a word and does nothing else. */
export const computed = (opcode: number, mode: number): OperationRule => ({
  opcode,
  mode,
  kept: false,
  immediate: 0,
  pushes: 1,
})

/** Mnemonic -> opcode, mode, and whether its two operands change places. */
const COMPUTED: Readonly<Record<string, readonly [VmOpcode, number, 'swaps'?]>> = {
  ADD: ['sum', MODES.sum.add],
  SUB: ['sum', MODES.sum.subtract],
  MUL: ['mul', 0],
  DIV: ['divide', MODES.divide.quotient],
  SDIV: ['divide', MODES.divide.signed],
  MOD: ['divide', MODES.divide.remainder],
  SMOD: ['divide', MODES.divide.signed | MODES.divide.remainder],
  ADDMOD: ['modular', MODES.modular.add],
  MULMOD: ['modular', MODES.modular.multiply],
  EXP: ['exp', 0],
  LT: ['compare', MODES.compare.less],
  GT: ['compare', MODES.compare.less, 'swaps'],
  SLT: ['compare', MODES.compare.signedLess],
  SGT: ['compare', MODES.compare.signedLess, 'swaps'],
  EQ: ['compare', MODES.compare.equal],
  AND: ['logic', MODES.logic.and],
  XOR: ['logic', MODES.logic.xor],
  OR: ['logic', MODES.logic.or],
  SHL: ['shift', MODES.shift.left],
  SHR: ['shift', MODES.shift.right],
  SAR: ['shift', MODES.shift.signedRight],
  BYTE: ['bytes', MODES.bytes.byte],
  SIGNEXTEND: ['bytes', MODES.bytes.signExtend],
  CLZ: ['bytes', MODES.bytes.leadingZeros],
  KECCAK256: ['keccak', 0],
  CALLDATALOAD: ['calldataLoad', 0],
  MLOAD: ['memory', VM_MODES.memory.load],
  MSTORE: ['memory', VM_MODES.memory.store],
  MSTORE8: ['memory', VM_MODES.memory.storeByte],
  SLOAD: ['storage', VM_MODES.storage.load],
  SSTORE: ['storage', VM_MODES.storage.store],
  TLOAD: ['transient', VM_MODES.storage.load],
  TSTORE: ['transient', VM_MODES.storage.store],
  BALANCE: ['account', VM_MODES.account.balance],
  EXTCODESIZE: ['account', VM_MODES.account.codeSize],
  EXTCODEHASH: ['account', VM_MODES.account.codeHash],
  BLOCKHASH: ['memo', VM_MODES.memo.blockHash],
  BLOBHASH: ['blobHash', 0],
  MCOPY: ['copyMemory', VM_COPY_SOURCES.indexOf('memory')],
  CALLDATACOPY: ['copyMemory', VM_COPY_SOURCES.indexOf('calldata')],
  CODECOPY: ['copyMemory', VM_COPY_SOURCES.indexOf('code')],
  RETURNDATACOPY: ['copyMemory', VM_COPY_SOURCES.indexOf('returndata')],
}

const OTHERS: Readonly<Record<string, RuleKind>> = {
  POP: 'pop',
  PC: 'position',
  CODESIZE: 'size',
  JUMPDEST: 'jumpdest',
  ISZERO: 'isZero',
  NOT: 'not',
  JUMP: 'jump',
  JUMPI: 'branch',
  CREATE: 'refuse',
  CREATE2: 'refuse',
  SELFDESTRUCT: 'refuse',
}

const ENDS: Readonly<Record<string, number>> = {
  STOP: VM_MODES.end.stop,
  RETURN: VM_MODES.end.return,
  REVERT: VM_MODES.end.revert,
  INVALID: VM_MODES.end.halt,
}

const KEPT: readonly VmOpcode[] = ['keccak', 'exp', 'memory', 'storage', 'account']

const NOTHING = {
  code: 0xfe,
  pops: 0,
  pushes: 0,
  gas: 0,
  gasPerByte: 0,
  immediateBytes: 0,
  opcode: 0,
  mode: 0,
  swaps: false,
  kept: true,
  immediate: 0,
} as const

/** A byte that is no instruction: it halts. */
const HALT: Rule = { ...NOTHING, kind: 'end', opcode: VM_OPCODES.end, mode: VM_MODES.end.halt }

const ruleOf = (row: Opcode, fork: Fork): Rule => {
  const { code, mnemonic, pops, pushes, immediateBytes } = row
  const base = { ...NOTHING, code, pops, pushes, immediateBytes, gas: baseGasAt(row, fork) }
  if (mnemonic.startsWith('PUSH')) return { ...base, kind: 'push' }
  if (mnemonic.startsWith('DUP')) return { ...base, kind: 'dup' }
  if (mnemonic.startsWith('SWAP')) return { ...base, kind: 'swap' }
  if (mnemonic.startsWith('LOG')) return { ...base, kind: 'log', opcode: VM_OPCODES.log, mode: pops - 2 }
  if (mnemonic === 'EXTCODECOPY') {
    const mode = VM_COPY_SOURCES.indexOf('accountCode')
    return { ...base, kind: 'accountCopy', opcode: VM_OPCODES.copyMemory, mode }
  }
  const evaluated = row.eval === undefined ? {} : { eval: row.eval }
  const operation = COMPUTED[mnemonic]
  if (operation !== undefined) {
    const [name, mode, order] = operation
    const swaps = order === 'swaps'
    const kept = pushes === 0 || KEPT.includes(name)
    const gasPerByte = row.dynamicGas?.includes('expByte') ? valueAt(GAS_EXP_BYTE_BY_FORK, fork) : 0
    return { ...base, kind: 'compute', opcode: VM_OPCODES[name], mode, swaps, kept, gasPerByte, ...evaluated }
  }
  const other = OTHERS[mnemonic]
  if (other !== undefined) return { ...base, kind: other, ...evaluated }
  const end = ENDS[mnemonic]
  if (end !== undefined) return { ...base, kind: 'end', opcode: VM_OPCODES.end, mode: end }
  const call = (VM_CALLS as readonly string[]).indexOf(mnemonic.toLowerCase())
  if (call >= 0) return { ...base, kind: 'call', opcode: VM_OPCODES.call, mode: call }
  const word = mnemonic === 'DIFFICULTY' ? 'prevrandao' : mnemonic.toLowerCase()
  const environment = (VM_ENVIRONMENT as readonly string[]).indexOf(word)
  if (environment < 0) throw new Error(`lift: no rule for ${mnemonic}`)
  return { ...base, kind: 'compute', opcode: VM_OPCODES.environment, mode: environment, kept: false }
}

const RULES = new Map<Fork, readonly Rule[]>(
  FORKS.map((fork) => [fork, opcodesAt(fork).map((row) => (row === undefined ? HALT : ruleOf(row, fork)))]),
)

/** By byte of code: every rule at `fork`. */
export const rulesAt = (fork: Fork): readonly Rule[] => RULES.get(fork)!

/** A private rule of micro codes: its operands are those of the instruction. */
export const privateRule = (
  name: VmOpcode,
  code: number,
  pops: number,
  pushes: number,
  fields: { readonly mode?: number; readonly immediate?: number } = {},
): Rule => ({
  ...NOTHING,
  kind: 'compute',
  code,
  pops,
  pushes,
  opcode: VM_OPCODES[name],
  ...fields,
})
