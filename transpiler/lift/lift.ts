import { VM_MODES } from '../layout/instruction.ts'
import { VM_OPCODES } from '../layout/lane_vm.ts'
import { codeSkeleton } from '../skeleton.ts'
import type { Fork } from '../spec/forks.ts'
import { type CodeBlock, cutBlocks } from './blocks.ts'
import { CodeWriter, vmInstruction } from './code_writer.ts'
import { type DraftSource, draftBlock } from './draft.ts'
import {
  type LiftedCode,
  type LiftForm,
  MAX_BLOCKS,
  MAX_STACK_WORDS,
  REFUSED_SIZE,
  REFUSED_STACK,
} from './lifted_code.ts'
import { type ExitBlock, lowerBlock, lowerExit } from './lower.ts'
import { type Rule, rulesAt } from './rules.ts'
import { draftSuperblocks } from './superblocks.ts'
import type { BlockDraft } from './values.ts'

/**
 * EVM bytecode to code of the lane VM (layout/lane_vm.ts), at a fork from Berlin on: earlier ones price accesses
 * otherwise.
 *
 * Each block is run on a symbolic stack, so PUSH, DUP, SWAP and POP vanish into operands; superblocks go on where it is
 * known what comes next, so jumps and what is passed through the stack vanish as well. Codes of the same skeleton give
 * the same result. Time is linear in the size of the code. Code that passes the limits of the fields is one
 * instruction, which refuses it.
 *
 * @example
 * import { liftCode } from 'wgevm/transpiler'
 *
 * const lifted = liftCode(Uint8Array.of(0x60, 1, 0x60, 0, 0x55), 'osaka') // PUSH1 1, PUSH1 0, SSTORE
 * console.log(lifted.instructions.length / 4) // 2
 */
export const liftCode = (code: Uint8Array, fork: Fork, form: LiftForm = 'superblocks'): LiftedCode => {
  const instances = new Map(codeSkeleton(code).immediates.map(({ offset }, index) => [offset, index]))
  return liftWith(code, rulesAt(fork), instances, form)
}

/** The same with other rules. `instances`: by offset of a lifted immediate its index. */
export const liftWith = (
  code: Uint8Array,
  rules: readonly Rule[],
  instances: ReadonlyMap<number, number>,
  form: LiftForm,
): LiftedCode => {
  // A block for each byte at most, and one after the code.
  if (code.length >= MAX_BLOCKS) return refusedCode(code)
  const { list, jumps } = cutBlocks(code, rules, form)
  const source: DraftSource = { code, rules, list, jumps, instances, immediates: new Map() }
  const superblocks = form === 'superblocks' ? draftSuperblocks(source) : NO_SUPERBLOCKS
  const lifting = new CodeLifting(source, superblocks)
  return lifting.run() ?? refusedCode(code)
}

const HALT = vmInstruction({ opcode: VM_OPCODES.end, mode: VM_MODES.end.halt })
const REFUSE_STACK = vmInstruction({ opcode: VM_OPCODES.refuse, immediate: REFUSED_STACK })

const NO_SUPERBLOCKS: ReadonlyMap<number, BlockDraft> = new Map()

/** No stack that the EVM allows survives this block. */
const isImpossible = ({ need, growth }: CodeBlock): boolean => need > MAX_STACK_WORDS || growth > MAX_STACK_WORDS

/**
 * Writes the blocks of a code in its order, a superblock where there is one; after them what superblocks need: the
 * plain form of their first block, where a stack may fit that and not them, and the blocks of their side exits. Before
 * those exits stands a block that refuses, for stacks that fit no form of a block that looks at state: which looks the
 * EVM would have taken is not known.
 */
class CodeLifting {
  private readonly source: DraftSource
  private readonly superblocks: ReadonlyMap<number, BlockDraft>
  private readonly writer = new CodeWriter()
  /** Blocks of the code to write once more, and side exits, in the order of their numbers. */
  private readonly plain: number[] = []
  private readonly exits: ExitBlock[] = []
  /** The block that refuses; 0 for none. */
  private readonly refusing: number

  constructor(source: DraftSource, superblocks: ReadonlyMap<number, BlockDraft>) {
    this.source = source
    this.superblocks = superblocks
    source.list.forEach((block, index) => {
      if (this.needsPlain(block, index)) this.plain.push(index)
    })
    this.refusing = source.list.some(({ looks }) => looks) ? source.list.length + this.plain.length : 0
  }

  run(): LiftedCode | undefined {
    const { writer, plain, exits } = this
    const { list, jumps } = this.source
    const plainAt = new Map(plain.map((index, n) => [index, list.length + n]))
    list.forEach((block, index) => {
      const draft = this.superblocks.get(index)
      if (draft === undefined) this.writePlain(block, index)
      else this.write(draft, plainAt.get(index) ?? this.unfit(block))
    })
    for (const index of plain) this.writePlain(list[index]!, index)
    if (this.refusing !== 0) {
      writer.block(writer.nextInstruction, 0, 0, 0)
      writer.instruction(REFUSE_STACK, list.at(-1)!.start)
    }
    for (const exit of exits) lowerExit(exit, writer)
    if (writer.overflows || this.firstExit + exits.length > MAX_BLOCKS) return undefined
    return writer.finish(jumps, exits.length)
  }

  private needsPlain({ need, growth }: CodeBlock, index: number): boolean {
    const draft = this.superblocks.get(index)
    return draft !== undefined && (draft.need > need || draft.growth > growth)
  }

  private writePlain(block: CodeBlock, index: number): void {
    const { writer } = this
    if (isImpossible(block)) {
      writer.block(writer.nextInstruction, 0, 0, 0)
      writer.instruction(block.looks ? REFUSE_STACK : HALT, block.start)
    } else this.write(draftBlock(this.source, index), this.unfit(block))
  }

  /** The block to enter where the stack fits no form of this one. */
  private unfit({ looks }: CodeBlock): number {
    return looks ? this.refusing : 0
  }

  private get firstExit(): number {
    return this.source.list.length + this.plain.length + (this.refusing === 0 ? 0 : 1)
  }

  private write(draft: BlockDraft, plain: number): void {
    const { writer, exits } = this
    const first = writer.nextInstruction
    const above = lowerBlock(draft, writer, exits, this.firstExit)
    writer.block(first, draft.need, draft.growth, above, plain)
  }
}

const refusedCode = (code: Uint8Array): LiftedCode => {
  const writer = new CodeWriter()
  writer.instruction(vmInstruction({ opcode: VM_OPCODES.refuse, immediate: REFUSED_SIZE }), 0)
  writer.block(0, 0, 0, 0)
  return writer.finish(new Uint16Array(Math.ceil(code.length / 8) * 8))
}
