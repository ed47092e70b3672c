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
  ADD: ['sum', 0],
  SUB: ['sum', 1],
  MUL: ['mul', 0],
  DIV: ['divide', 0],
  SDIV: ['divide', 1],
  MOD: ['divide', 2],
  SMOD: ['divide', 3],
  ADDMOD: ['modular', 0],
  MULMOD: ['modular', 1],
  EXP: ['exp', 0],
  LT: ['compare', 0],
  GT: ['compare', 0, 'swaps'],
  SLT: ['compare', 1],
  SGT: ['compare', 1, 'swaps'],
  EQ: ['compare', 2],
  AND: ['logic', 1],
  XOR: ['logic', 2],
  OR: ['logic', 3],
  SHL: ['shift', 0],
  SHR: ['shift', 1],
  SAR: ['shift', 2],
  BYTE: ['bytes', 0],
  SIGNEXTEND: ['bytes', 1],
  CLZ: ['bytes', 2],
  KECCAK256: ['keccak', 0],
  CALLDATALOAD: ['calldataLoad', 0],
  MLOAD: ['memory', 0],
  MSTORE: ['memory', 1],
  MSTORE8: ['memory', 2],
  SLOAD: ['storage', 0],
  SSTORE: ['storage', 1],
  TLOAD: ['transient', 0],
  TSTORE: ['transient', 1],
  BALANCE: ['account', 0],
  EXTCODESIZE: ['account', 1],
  EXTCODEHASH: ['account', 2],
  BLOCKHASH: ['memo', 0],
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

export const END_STOP = 0
const END_RETURN = 1
export const END_REVERT = 2
export const END_HALT = 3
const ENDS: Readonly<Record<string, number>> = {
  STOP: END_STOP,
  RETURN: END_RETURN,
  REVERT: END_REVERT,
  INVALID: END_HALT,
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
const HALT: Rule = { ...NOTHING, kind: 'end', opcode: VM_OPCODES.end, mode: END_HALT }

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
