import {
  VM_BLOCK_LIMBS,
  VM_CALLS,
  VM_COPY_SOURCES,
  VM_ENVIRONMENT,
  VM_INSTRUCTION_LIMBS,
  VM_INVERT,
  VM_OPERAND_NONE,
  VM_TEST_BITS,
  VM_TEST_SHIFT,
  type VmOpcode,
} from '../layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../layout/word.ts'
import { FORMS_BY_CODE, readsOf } from './forms.ts'
import {
  heightChange,
  instructionAt,
  type LiftedCode,
  operandIndex,
  operandKind,
  operandPosition,
  type VmInstruction,
} from './lifted_code.ts'

/** What each mode is called; the opcode itself where nothing else is said. */
const MODES: Readonly<Partial<Record<VmOpcode, readonly string[]>>> = {
  logic: ['zero', 'and', 'xor', 'or'],
  sum: ['add', 'sub'],
  compare: ['lt', 'slt', 'eq'],
  shift: ['shl', 'shr', 'sar'],
  bytes: ['byte', 'signextend', 'clz'],
  environment: VM_ENVIRONMENT,
  memory: ['mload', 'mstore', 'mstore8'],
  storage: ['sload', 'sstore'],
  transient: ['tload', 'tstore'],
  divide: ['div', 'sdiv', 'mod', 'smod'],
  modular: ['addmod', 'mulmod'],
  copyMemory: VM_COPY_SOURCES.map((source) => `copy.${source}`),
  account: ['balance', 'extcodesize', 'extcodehash'],
  call: VM_CALLS,
  end: ['stop', 'return', 'revert', 'halt'],
  jump: ['jump', 'jump.dynamic'],
  branch: ['branch', 'branch.dynamic', ...new Array<string>(2 * VM_TEST_BITS).fill('branch')],
  memo: ['blockhash', 'memo.precompile'],
}

const TESTS: readonly (string | undefined)[] = [undefined, 'lt', 'slt', 'eq', 'bits']

/** Word of a constant pool. */
export const constantWord = (constants: Uint32Array, index: number): bigint => {
  let word = 0n
  for (let limb = LIMBS_PER_WORD - 1; limb >= 0; limb--) {
    word = (word << 32n) | BigInt(constants[index * LIMBS_PER_WORD + limb]!)
  }
  return word
}

const copyText = (operandText: (operand: number) => string, { result, a, b, c, gas }: VmInstruction): string => {
  const targets = [result, c].filter((operand) => operand !== VM_OPERAND_NONE).map(operandText)
  const sources = [a, b].slice(0, Math.max(1, targets.length)).map(operandText)
  const target = targets.length === 0 ? '' : `${targets.join(', ')} = `
  return `${target}copy ${sources.join(', ')}${gas === 0 ? '' : `  gas ${gas}`}`
}

/**
 * Lifted code as text, for people: one line for each block and each instruction. `s` positions count from the height at
 * the start of the block, `i` are immediates of the instance.
 *
 * @example
 * import { liftCode, printLifted } from 'wgevm/transpiler'
 *
 * const text = printLifted(liftCode(Uint8Array.of(0x60, 1, 0x60, 0, 0x55), 'osaka'))
 * console.log(text.split('\n')[1]?.trim()) // sstore 0, 0x1  gas 6
 */
export const printLifted = (lifted: LiftedCode): string => {
  const { instructions, blocks, constants } = lifted
  const operandText = (operand: number): string => {
    switch (operandKind(operand)) {
      case 'stack':
        return `s${operandPosition(operand)}`
      case 'constant':
        return `0x${constantWord(constants, operandIndex(operand)).toString(16)}`
      case 'instance':
        return `i${operandIndex(operand)}`
      default:
        return '0'
    }
  }
  const instructionText = (index: number): string => {
    const { opcode, mode, result, a, b, c, immediate, gas, block } = instructionAt(instructions, index)
    const [name, form] = FORMS_BY_CODE.get(opcode) ?? [`opcode${opcode}`, undefined]
    const plain = mode & ~VM_INVERT
    const called = name === 'log' ? `log${mode}` : (MODES[name as VmOpcode]?.[plain] ?? name)
    const verb = (mode & VM_INVERT) === 0 ? called : `not.${called}`
    const change = heightChange(immediate)
    const height = `height ${change < 0 ? '' : '+'}${change}`
    const tail: string[] = []
    const operands = [a, b, c].slice(0, form === undefined ? 3 : readsOf(form, plain))
    if (name === 'copy') return copyText(operandText, instructionAt(instructions, index))
    if (name === 'memory' && immediate !== 0) tail.push(`offset 0x${immediate.toString(16)}`)
    if (name === 'branch') {
      const [to, from] = [
        (plain & 1) === 0 ? `block ${block}` : operandText(a),
        c === VM_OPERAND_NONE ? 'on' : `block ${c}`,
      ]
      const test = TESTS[plain >> VM_TEST_SHIFT]
      const condition = test === undefined ? operandText(b) : `${test} ${operandText(a)}, ${operandText(b)}`
      return `${verb} ${condition} ? ${to} : ${from}  ${height}  gas ${gas}`
    }
    if (name === 'jump') {
      const copies = result === VM_OPERAND_NONE ? '' : `${operandText(result)} = ${operandText(b)}, `
      return `${copies}${verb} ${(plain & 1) === 0 ? `block ${block}` : operandText(a)}  ${height}  gas ${gas}`
    }
    if (name === 'call') tail.push(`then block ${block}`, height)
    if (name === 'refuse') tail.push(`opcode 0x${immediate.toString(16)}`)
    if (name === 'memo' && plain === 1) tail.push(`0x${immediate.toString(16)}`)
    if (name === 'copyMemory' && VM_COPY_SOURCES[plain] === 'accountCode') tail.push(`of ${operandText(immediate)}`)
    if (name === 'call' || (name === 'log' && mode > 0)) operands.push(c)
    const list = operands.map(operandText).join(', ')
    const target = operandKind(result) === 'none' ? '' : `${operandText(result)} = `
    const head = `${target}${verb}${list === '' ? '' : ` ${list}`}`
    return [head, ...tail, ...(gas === 0 ? [] : [`gas ${gas}`])].join('  ')
  }
  const lines: string[] = []
  for (let at = 0, block = 0; at < blocks.length; at += VM_BLOCK_LIMBS, block++) {
    const bounds = blocks[at + 1]!
    const plain = blocks[at + 3] === 0 ? '' : `, plain block ${blocks[at + 3]!}`
    lines.push(`block ${block}: need ${bounds & 0xffff}, growth ${bounds >>> 16}, above ${blocks[at + 2]!}${plain}`)
    const end = blocks[at + VM_BLOCK_LIMBS] ?? instructions.length / VM_INSTRUCTION_LIMBS
    for (let i = blocks[at]!; i < end; i++) lines.push(`  ${instructionText(i)}`)
  }
  return `${lines.join('\n')}\n`
}
