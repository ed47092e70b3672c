import { VM_OPCODES } from '../layout/lane_vm.ts'
import { codeSkeleton } from '../skeleton.ts'
import type { Fork } from '../spec/forks.ts'
import { type CodeBlock, cutBlocks } from './blocks.ts'
import { CodeWriter, vmInstruction } from './code_writer.ts'
import { type DraftSource, draftBlock } from './draft.ts'
import { type LiftedCode, type LiftForm, MAX_BLOCKS, MAX_STACK_WORDS, REFUSED_SIZE } from './lifted_code.ts'
import { lowerBlock } from './lower.ts'
import { END_HALT, type Rule, rulesAt } from './rules.ts'

/**
 * EVM bytecode to code of the lane VM (layout/lane_vm.ts), at a fork from Berlin on: earlier ones price accesses otherwise.
 *
 * Each block is run on a symbolic stack, so PUSH, DUP, SWAP and POP vanish into operands. Codes of the same skeleton
 * give the same result. Time is linear in the size of the code. Code that passes the limits of the fields is one
 * instruction, which refuses it.
 */
export const liftCode = (code: Uint8Array, fork: Fork, form: LiftForm = 'fused'): LiftedCode => {
  const instances = new Map(codeSkeleton(code).places.map(({ offset }, index) => [offset, index]))
  return liftWith(code, rulesAt(fork), instances, form)
}

/** The same with other rules. `instances`: by offset of a lifted immediate its index. */
export const liftWith = (
  code: Uint8Array,
  rules: readonly Rule[],
  instances: ReadonlyMap<number, number>,
  form: LiftForm,
): LiftedCode => {
  // A block for each byte at most, and one behind the code.
  if (code.length >= MAX_BLOCKS) return refusedCode(code)
  const { list, jumps } = cutBlocks(code, rules, form)
  const source: DraftSource = { code, rules, jumps, instances }
  const writer = new CodeWriter()
  list.forEach((block, index) => {
    const next = index + 1 < list.length ? index + 1 : undefined
    const first = writer.nextInstruction
    const { need, growth } = block
    if (isImpossible(block)) {
      writer.instruction(vmInstruction({ opcode: VM_OPCODES.end, mode: END_HALT }), block.start)
      writer.block(first, 0, 0, 0)
      return
    }
    const above = lowerBlock(draftBlock(source, block, next), writer)
    writer.block(first, need, growth, above)
  })
  return writer.overflows ? refusedCode(code) : writer.finish(jumps)
}

/** No stack that the EVM allows survives this block. */
const isImpossible = ({ need, growth }: CodeBlock): boolean => need > MAX_STACK_WORDS || growth > MAX_STACK_WORDS

const refusedCode = (code: Uint8Array): LiftedCode => {
  const writer = new CodeWriter()
  writer.instruction(vmInstruction({ opcode: VM_OPCODES.refuse, immediate: REFUSED_SIZE }), 0)
  writer.block(0, 0, 0, 0)
  return writer.finish(new Uint16Array(Math.ceil(code.length / 8) * 8))
}
