import { VM_BLOCK_LIMBS, VM_INSTRUCTION_LIMBS, VM_INVERT, VM_OPERAND_NONE, type VmOpcode } from '../layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../layout/word.ts'
import { ACCOUNT_COPY, CALL_OPERANDS, FORMS_BY_CODE, readsOf } from './forms.ts'
import {
  HIGHEST_POSITION,
  heightChange,
  instructionAt,
  type LiftedCode,
  LOWEST_POSITION,
  MAX_BLOCKS,
  MAX_CONSTANTS,
  MAX_STACK_WORDS,
  operandIndex,
  operandKind,
  operandPosition,
  stackOperand,
  type VmInstruction,
} from './lifted_code.ts'

/**
 * Lifted code that breaks an invariant; the message says which block or instruction.
 *
 * @example
 * import { LiftVerifyError, liftCode, verifyLifted } from 'wgevm/transpiler'
 *
 * const lifted = liftCode(Uint8Array.of(0x00), 'osaka')
 * try {
 *   verifyLifted({ ...lifted, instructions: lifted.instructions.map((limb) => limb ^ 0xff) })
 * } catch (error) {
 *   console.log(error instanceof LiftVerifyError) // true
 * }
 */
export class LiftVerifyError extends Error {
  override readonly name = 'LiftVerifyError'
}

const fail = (message: string): never => {
  throw new LiftVerifyError(message)
}

/**
 * Checks every invariant of layout/lane_vm.ts that does not need the EVM code. Throws LiftVerifyError.
 *
 * Blocks tile the code and each ends with its only terminator; modes, fields and targets exist; positions are within
 * what the block declares, and what stands above its height is written before it is read; at the end everything up to
 * the new height is written. `instances`: lifted immediates of the code, where known.
 *
 * @example
 * import { liftCode, verifyLifted } from 'wgevm/transpiler'
 *
 * verifyLifted(liftCode(Uint8Array.of(0x60, 1, 0x60, 0, 0x55), 'osaka'))
 */
export const verifyLifted = (lifted: LiftedCode, instances: number = MAX_CONSTANTS): void => {
  const { instructions, constants, blocks, jumps, pcs, firstExit } = lifted
  const count = instructions.length / VM_INSTRUCTION_LIMBS
  const blockCount = blocks.length / VM_BLOCK_LIMBS
  const words = constants.length / LIMBS_PER_WORD
  if (!Number.isInteger(count) || !Number.isInteger(blockCount) || !Number.isInteger(words)) fail('a part of an entry')
  if (blockCount < 1 || blockCount > MAX_BLOCKS) fail(`${blockCount} blocks`)
  if (words > MAX_CONSTANTS) fail(`${words} constants`)
  if (pcs.length !== count) fail(`${pcs.length} program counters of ${count} instructions`)
  if (jumps.length % 8 !== 0) fail('the jump table is not whole vectors')
  if (firstExit < 1 || firstExit > blockCount) fail(`exits from block ${firstExit} of ${blockCount} on`)
  for (const entry of jumps) if (entry > firstExit) fail(`the jump table names block ${entry - 1} of ${firstExit}`)
  const pool: Pool = { constants: words, instances, blocks: firstExit, exits: blockCount, carried: new Map() }
  for (let block = 0; block < blockCount; block++) {
    const at = block * VM_BLOCK_LIMBS
    const first = blocks[at]!
    if (block === 0 && first !== 0) fail('block 0 does not start the code')
    const end = block + 1 < blockCount ? blocks[at + VM_BLOCK_LIMBS]! : count
    if (first >= end) fail(`block ${block} is empty`)
    checkPlain(blocks, firstExit, block)
    if (block >= firstExit && !pool.carried.has(block)) fail(`block ${block}: no side exit enters it`)
    const bounds = { need: blocks[at + 1]! & 0xffff, growth: blocks[at + 1]! >>> 16, above: blocks[at + 2]! }
    const body = new BlockCheck(`block ${block}`, bounds, pool, pool.carried.get(block))
    for (let i = first; i < end; i++) body.check(instructionAt(instructions, i), i === end - 1)
  }
}

/**
 * The block to enter in its stead, where a block has one, stands after it and asks for no more; after two of them
 * comes no other.
 */
const checkPlain = (blocks: Uint32Array, firstExit: number, block: number): void => {
  const at = block * VM_BLOCK_LIMBS
  const plain = blocks[at + 3]!
  if (plain === 0) return
  const to = plain * VM_BLOCK_LIMBS
  if (block >= firstExit || plain <= block || plain >= firstExit)
    fail(`block ${block}: its plain form is block ${plain}`)
  const last = blocks[to + 3]!
  if (last !== 0 && blocks[last * VM_BLOCK_LIMBS + 3] !== 0)
    fail(`block ${last}: the plain form of block ${plain}, which is that of block ${block}, has one itself`)
  const [bounds, own] = [blocks[to + 1]!, blocks[at + 1]!]
  if ((bounds & 0xffff) > (own & 0xffff) || bounds >>> 16 > own >>> 16)
    fail(`block ${plain}: the plain form of block ${block} asks for more`)
}

interface Pool {
  readonly constants: number
  readonly instances: number
  /** What anything may enter, and after it what belongs to side exits. */
  readonly blocks: number
  readonly exits: number
  /** By block of a side exit: positions above the height of its superblock that are written when it is entered. */
  readonly carried: Map<number, ReadonlySet<number>>
}

interface Bounds {
  readonly need: number
  readonly growth: number
  readonly above: number
}

class BlockCheck {
  private readonly name: string
  private readonly bounds: Bounds
  private readonly pool: Pool
  /** Positions above the height that are written. */
  private readonly written: Set<number>

  constructor(name: string, bounds: Bounds, pool: Pool, carried: ReadonlySet<number> | undefined) {
    this.name = name
    this.written = new Set(carried)
    this.bounds = bounds
    this.pool = pool
    const { need, growth, above } = bounds
    if (need > MAX_STACK_WORDS || growth > MAX_STACK_WORDS) fail(`${name}: bounds that no stack has`)
    if (-need < LOWEST_POSITION || above - 1 > HIGHEST_POSITION) fail(`${name}: positions that no operand reaches`)
  }

  check(instruction: VmInstruction, isLast: boolean): void {
    const { opcode, mode, result, a, b, c, immediate, block } = instruction
    const [name, form] = FORMS_BY_CODE.get(opcode) ?? fail(`${this.name}: no opcode ${opcode}`)
    const isExit = name === 'branch' && c === VM_OPERAND_NONE
    if ((form.terminator === true && !isExit) !== isLast)
      fail(`${this.name}: ${name} ${isLast ? 'is last' : 'is not last'}`)
    const plain = form.inverts ? mode & ~VM_INVERT : mode
    const reads = readsOf(form, plain)
    if (plain >= form.modes) fail(`${this.name}: ${name} has no mode ${mode}`)
    if (form.immediate !== true && immediate !== 0) fail(`${this.name}: ${name} has no immediate`)
    if (name === 'log') this.readRow(c, mode)
    else if (name === 'call') this.readRow(c, CALL_OPERANDS[mode]!)
    else if (name !== 'branch' && name !== 'copy') this.read(c, reads > 2, name)
    this.read(a, reads > 0, name)
    this.read(b, reads > 1, name)
    if (name === 'copyMemory') {
      if (mode === ACCOUNT_COPY) this.readRow(immediate, 1)
      else if (immediate !== 0) fail(`${this.name}: ${name} has no immediate`)
    }
    const gives = form.results === true || form.results.includes(mode)
    if (result !== VM_OPERAND_NONE) {
      if (!gives) fail(`${this.name}: ${name} has no result`)
      this.write(result)
    }
    if (name === 'copy') this.checkSecondCopy(instruction)
    if (name === 'jump' && b !== VM_OPERAND_NONE && result === VM_OPERAND_NONE) fail(`${this.name}: a copy to nowhere`)
    this.checkTargets(name, instruction)
    if (name === 'jump' || name === 'branch' || name === 'call') this.checkHeight(heightChange(immediate))
    else if (block !== 0) fail(`${this.name}: ${name} names a block`)
    if (name === 'call' && result !== stackOperand(heightChange(immediate) - 1)) {
      fail(`${this.name}: the result of a call is not the new top`)
    }
  }

  private checkSecondCopy({ result, b, c }: VmInstruction): void {
    if (c !== VM_OPERAND_NONE) {
      if (c === result) fail(`${this.name}: two copies to one position`)
      this.write(c)
    } else if (b !== VM_OPERAND_NONE) fail(`${this.name}: a copy to nowhere`)
  }

  private read(operand: number, allowed: boolean, name: string): void {
    const kind = operandKind(operand)
    if (kind === 'none') return
    if (!allowed) fail(`${this.name}: ${name} does not read that operand`)
    if (kind === 'unknown') fail(`${this.name}: operand ${operand} is of no kind`)
    else if (kind === 'stack') this.readPosition(operandPosition(operand))
    else if (operandIndex(operand) >= this.pool[`${kind}s`]) {
      fail(`${this.name}: no ${kind} ${operandIndex(operand)}`)
    }
  }

  private readPosition(position: number): void {
    if (position < -this.bounds.need) fail(`${this.name}: reads position ${position} below what it needs`)
    if (position >= 0 && !this.written.has(position))
      fail(`${this.name}: reads position ${position} before it is written`)
  }

  /** `count` words in the stack, downwards. */
  private readRow(operand: number, count: number): void {
    if (count === 0 && operand === VM_OPERAND_NONE) return
    if (operandKind(operand) !== 'stack') fail(`${this.name}: wide operands stand in the stack`)
    for (let n = 0; n < count; n++) this.readPosition(operandPosition(operand) - n)
  }

  private write(operand: number): void {
    const position = operandPosition(operand)
    if (operandKind(operand) !== 'stack') fail(`${this.name}: a result goes to the stack`)
    const { need, above } = this.bounds
    if (position < -need || position >= above) fail(`${this.name}: writes position ${position} outside of its bounds`)
    if (position >= 0) this.written.add(position)
  }

  private checkTargets(name: VmOpcode, { mode, a, c, block, immediate }: VmInstruction): void {
    const { blocks } = this.pool
    if (name !== 'jump' && name !== 'branch') {
      if (name === 'call' && block >= blocks) fail(`${this.name}: no block ${block}`)
      return
    }
    const isDynamic = (mode & 1) !== 0
    const isExit = name === 'branch' && c === VM_OPERAND_NONE
    if (isExit && !isDynamic) this.leaveBeside(block, immediate)
    else if (isDynamic ? isExit || block !== 0 : block >= blocks) fail(`${this.name}: no block ${block}`)
    const tests = mode & ~VM_INVERT & ~1
    if (isDynamic && tests !== 0) fail(`${this.name}: ${name} to a destination tests nothing`)
    if (!isDynamic && tests === 0 && a !== VM_OPERAND_NONE)
      fail(`${this.name}: ${name} to a block reads no destination`)
    if (name === 'branch' && !isExit && c >= blocks) fail(`${this.name}: no block ${c}`)
  }

  /**
   * A block of its own goes on at the height of the superblock and knows what is written; any other is entered as from
   * an end.
   */
  private leaveBeside(block: number, immediate: number): void {
    const { blocks, exits, carried } = this.pool
    if (block < blocks) return
    if (block >= exits || carried.has(block) || immediate !== 0) fail(`${this.name}: no side exit to block ${block}`)
    carried.set(block, new Set(this.written))
  }

  private checkHeight(change: number): void {
    const { need, growth } = this.bounds
    if (change < -need || change > growth) fail(`${this.name}: a change of height by ${change} outside of its bounds`)
    for (let position = 0; position < change; position++) this.readPosition(position)
  }
}
