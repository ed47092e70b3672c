import { VM_OPCODES } from '../layout/lane_vm.ts'
import { type DraftSource, draftSuperblock } from './draft.ts'
import { MAX_BLOCKS, MAX_STACK_WORDS } from './lifted_code.ts'
import { LikelyBlocks } from './likely.ts'
import { type BlockDraft, isConstant, type Value } from './values.ts'

/** Operations of all superblocks of a code and words that their exits bring to their positions, at most. */
const MOST_INSTRUCTIONS = 16_000
/** Exits take numbers of blocks; superblocks leave them more than half. */
const MOST_EXITS = MAX_BLOCKS / 4

/**
 * Superblocks of a code by their first block, for blocks that something enters: the start of the code and, of each
 * superblock found, what its end and its exits go to and the JUMPDESTs that it leaves on the stack. Nearest to the
 * start first, as many as the size of the code allows; what is left has its plain form.
 */
export const draftSuperblocks = (source: DraftSource): ReadonlyMap<number, BlockDraft> => {
  const { code, rules, list, jumps } = source
  const likely = new LikelyBlocks(code, rules, list, jumps)
  const found = new Map<number, BlockDraft>()
  const seen = new Set<number>()
  const heads: number[] = []
  let instructions = MOST_INSTRUCTIONS
  let exits = MOST_EXITS
  const visit = (index: number): void => {
    if (seen.has(index) || likely.fails(index)) return
    seen.add(index)
    heads.push(index)
  }
  const visitStack = (stack: readonly Value[]): void => {
    for (const value of stack) {
      if (!isConstant(value) || value.word >= BigInt(jumps.length)) continue
      const entry = jumps[Number(value.word)]!
      if (entry !== 0) visit(entry - 1)
    }
  }
  visit(0)
  for (const index of heads) {
    const { need, growth } = list[index]!
    if (need > MAX_STACK_WORDS || growth > MAX_STACK_WORDS) continue
    const draft = draftSuperblock(source, index, likely)
    const { end, stack, length } = draft
    const left = draft.operations.filter(({ exit }) => exit !== undefined)
    instructions -= draft.operations.length + draft.exitWords
    exits -= left.length
    if (instructions < 0 || exits < 0) break
    if (length > 1) found.set(index, draft)
    for (const { exit } of left) {
      visit(exit!.target)
      visitStack(exit!.stack)
    }
    visitStack(stack)
    if (end.opcode === VM_OPCODES.call || end.opcode === VM_OPCODES.jump || end.opcode === VM_OPCODES.branch) {
      if ((end.mode & 1) === 0 || end.opcode === VM_OPCODES.call) visit(end.target)
      if (end.opcode === VM_OPCODES.branch) visit(end.otherwise)
    }
  }
  return found
}
