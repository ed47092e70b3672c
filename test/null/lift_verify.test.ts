import { describe, expect, test } from 'vitest'
import {
  VM_BLOCK_LIMBS,
  VM_INSTRUCTION_LIMBS,
  VM_OPCODES,
  VM_OPERAND_NONE,
  type VmOpcode,
} from '../../transpiler/layout/lane_vm.ts'
import { liftCode } from '../../transpiler/lift/lift.ts'
import {
  constantOperand,
  instanceOperand,
  instructionAt,
  type LiftedCode,
  stackOperand,
  type VmInstruction,
} from '../../transpiler/lift/lifted_code.ts'
import { LiftVerifyError, verifyLifted } from '../../transpiler/lift/verify.ts'
import { assemble } from '../fixtures/assembler.ts'

const SOURCE = `
  CALLER PUSH 7 ADD CALLVALUE PUSH20 0x71c7656ec7ab88b098defb751b7401b5f6d8976f
  CALLER PUSH 3 PUSH 0 PUSH 32 LOG2
  DUP1 CALLVALUE LT PUSH @on JUMPI
  PUSH 0 PUSH 0 PUSH 0 PUSH 0 ADDRESS GAS STATICCALL
  CALLER EXTCODESIZE SSTORE
  PUSH 0 PUSH 1 PUSH 2 CALLER EXTCODECOPY
  on: PUSH 0 CALLDATALOAD JUMP`

const lifted = liftCode(assemble(SOURCE), 'cancun', 'fused')
const INSTANCES = 1

const copyOf = (code: LiftedCode): LiftedCode => ({
  instructions: code.instructions.slice(),
  constants: code.constants.slice(),
  blocks: code.blocks.slice(),
  jumps: code.jumps.slice(),
  pcs: code.pcs.slice(),
  firstExit: code.firstExit,
})

const write = (code: LiftedCode, index: number, fields: Partial<VmInstruction>): void => {
  const { opcode, mode, result, a, b, c, immediate, gas, block } = {
    ...instructionAt(code.instructions, index),
    ...fields,
  }
  const limbs = [opcode | (mode << 8) | (result << 16), a | (b << 16), c | (immediate << 16), gas | (block << 16)]
  code.instructions.set(limbs, index * VM_INSTRUCTION_LIMBS)
}

/** The first instruction of an opcode. */
const find = (name: VmOpcode): number => {
  const count = lifted.instructions.length / VM_INSTRUCTION_LIMBS
  for (let i = 0; i < count; i++) if (instructionAt(lifted.instructions, i).opcode === VM_OPCODES[name]) return i
  throw new Error(`no ${name} in the subject`)
}

const changed = (name: VmOpcode, fields: Partial<VmInstruction>): LiftedCode => {
  const code = copyOf(lifted)
  write(code, find(name), fields)
  return code
}

const withLimb = (part: 'blocks' | 'jumps', index: number, value: number): LiftedCode => {
  const code = copyOf(lifted)
  code[part][index] = value
  return code
}

const NONE = VM_OPERAND_NONE
const BLOCKS = lifted.blocks.length / VM_BLOCK_LIMBS

describe('verifyLifted', () => {
  test('what the lifter gives passes', () => {
    verifyLifted(lifted, INSTANCES)
  })

  test.each([
    ['an opcode that does not exist', changed('sum', { opcode: 29 }), /no opcode 29/],
    ['a mode that does not exist', changed('sum', { mode: 2 }), /has no mode/],
    ['a negation of what has none', changed('sum', { mode: 0x80 }), /has no mode/],
    ['a constant behind the pool', changed('sum', { a: constantOperand(999) }), /no constant 999/],
    ['an immediate that the instance lacks', changed('sum', { a: instanceOperand(INSTANCES) }), /no instance 1/],
    ['an operand of no kind', changed('sum', { a: 0xc000 }), /of no kind/],
    ['a word below what the block needs', changed('sum', { a: stackOperand(-1) }), /below what it needs/],
    ['a word above the height that nothing wrote', changed('sum', { a: stackOperand(40) }), /before it is written/],
    ['a result above the bounds', changed('sum', { result: stackOperand(40) }), /outside of its bounds/],
    ['a result that is a constant', changed('sum', { result: constantOperand(0) }), /goes to the stack/],
    ['a third operand of what takes two', changed('sum', { c: stackOperand(0) }), /does not read that operand/],
    ['a result of what gives none', changed('log', { result: stackOperand(0) }), /has no result/],
    ['topics that are no stack words', changed('log', { c: constantOperand(0) }), /stand in the stack/],
    ['a topic that does not stand there', changed('log', { c: stackOperand(-1) }), /below what it needs/],
    ['an immediate where none is read', changed('sum', { immediate: 1 }), /has no immediate/],
    ['a block where none is named', changed('sum', { block: 1 }), /names a block/],
    ['a terminator within a block', changed('sum', { opcode: VM_OPCODES.jump }), /is not last/],
    ['a block without a terminator', changed('branch', { opcode: VM_OPCODES.sum, mode: 0 }), /is last/],
    ['a branch to a block that is not there', changed('branch', { block: BLOCKS }), /no block/],
    ['an else block that is not there', changed('branch', { c: BLOCKS }), /no block/],
    ['a destination beside a block', changed('branch', { a: stackOperand(0), mode: 0 }), /reads no destination/],
    ['a test beside a destination', changed('branch', { mode: 3, block: 0 }), /tests nothing/],
    ['a test that is none', changed('branch', { mode: 10 }), /no mode/],
    ['two copies to one position', changed('copy', { result: stackOperand(0), c: stackOperand(0) }), /to one position/],
    ['a second copy to nowhere', changed('copy', { b: stackOperand(0) }), /to nowhere/],
    ['a copy to nowhere in a jump', changed('jump', { b: constantOperand(0) }), /to nowhere/],
    ['a block beside a destination', changed('jump', { block: 1, mode: 1 }), /no block/],
    ['a height that the block cannot reach', changed('branch', { immediate: 100 }), /change of height/],
    ['a height below what the block needs', changed('branch', { immediate: -30 & 0xffff }), /change of height/],
    ['a call whose operands do not stand there', changed('call', { c: stackOperand(50) }), /before it is written/],
    ['a call whose result is not the top', changed('call', { result: stackOperand(1) }), /not the new top/],
    ['a call without a result', changed('call', { result: NONE }), /not the new top/],
    ['a following block that is not there', changed('call', { block: BLOCKS }), /no block/],
    [
      'an address that is no stack word',
      changed('copyMemory', { immediate: constantOperand(0) }),
      /stand in the stack/,
    ],
    ['a first block that is not the start', withLimb('blocks', 0, 1), /does not start the code/],
    ['an empty block', withLimb('blocks', VM_BLOCK_LIMBS, 0), /is empty/],
    ['bounds that no stack has', withLimb('blocks', 1, 1025), /no stack has/],
    ['a plain form that asks for more', withLimb('blocks', 3, 2), /asks for more/],
    ['a plain form that is not there', withLimb('blocks', 3, BLOCKS), /its plain form is block/],
    ['a plain form in front', withLimb('blocks', VM_BLOCK_LIMBS + 3, 1), /its plain form is block 1/],
    ['a jump to a block that is not there', withLimb('jumps', 0, BLOCKS + 1), /jump table names/],
    ['an odd jump table', { ...lifted, jumps: lifted.jumps.slice(1) }, /whole vectors/],
    ['a program counter too few', { ...lifted, pcs: lifted.pcs.slice(1) }, /program counters/],
    ['a part of an instruction', { ...lifted, instructions: lifted.instructions.slice(1) }, /part of an entry/],
    ['code without blocks', { ...lifted, blocks: new Uint32Array(0) }, /0 blocks/],
  ])('%s is found', (_, code, message) => {
    expect(() => verifyLifted(code, INSTANCES)).toThrow(LiftVerifyError)
    expect(() => verifyLifted(code, INSTANCES)).toThrow(message)
  })
})

/** Block 0 goes on after its branch; its exit brings a word down first. */
const SUPERBLOCK = `
  CALLER CALLVALUE DUP1 CALLDATASIZE ADD SWAP1 PUSH @out JUMPI
  PUSH 0 SSTORE STOP
  out: SSTORE STOP`

describe('verifyLifted of superblocks', () => {
  const whole = liftCode(assemble(SUPERBLOCK), 'cancun')
  const { firstExit } = whole
  const count = whole.instructions.length / VM_INSTRUCTION_LIMBS
  const exit = Array.from({ length: count }, (_, i) => i).find((i) => {
    const { opcode, c } = instructionAt(whole.instructions, i)
    return opcode === VM_OPCODES.branch && c === NONE
  })!
  const written = (fields: Partial<VmInstruction>, at = exit): LiftedCode => {
    const code = copyOf(whole)
    write(code, at, fields)
    return code
  }

  test('what the lifter gives passes, and has a block for the exit', () => {
    verifyLifted(whole)
    expect(firstExit).toBe(whole.blocks.length / VM_BLOCK_LIMBS - 1)
  })

  test.each([
    ['an exit to a block that is not there', written({ block: firstExit + 1 }), /no side exit to block/],
    ['an exit that nothing enters', written({ block: 1, immediate: 0 }), /no side exit enters it/],
    ['an exit at another height', written({ immediate: 1 }), /no side exit to block/],
    ['an exit to a destination', written({ mode: 1 }), /no block/],
    ['a jump into an exit', written({ block: firstExit }, count - 1), /no block/],
    [
      'an exit that reads what is not written',
      written({ a: stackOperand(9) }, whole.blocks[firstExit * VM_BLOCK_LIMBS]),
      /before it is written/,
    ],
    ['exits behind the end', { ...whole, firstExit: firstExit + 2 }, /exits from block/],
  ])('%s is found', (_, code, message) => {
    expect(() => verifyLifted(code)).toThrow(LiftVerifyError)
    expect(() => verifyLifted(code)).toThrow(message)
  })
})
