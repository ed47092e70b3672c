import {
  VM_BLOCK_LIMBS,
  VM_CALLS,
  VM_COPY_SOURCES,
  VM_ENVIRONMENT,
  VM_INSTRUCTION_LIMBS,
  VM_INVERT,
  VM_OPCODES,
  VM_OPERAND_NONE,
  type VmOpcode,
} from '../layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../layout/word.ts'
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
  type VmInstruction,
} from './lifted_code.ts'

export class LiftVerifyError extends Error {
  override readonly name = 'LiftVerifyError'
}

const fail = (message: string): never => {
  throw new LiftVerifyError(message)
}

/**
 * What an instruction of an opcode holds. Modes below `modes` exist, with VM_INVERT where `inverts`. `reads`: operands it
 * may read; the others are NONE. `results`: modes that give a word, all where it is true.
 */
interface Form {
  readonly modes: number
  readonly inverts?: true
  readonly reads: number
  readonly results: true | readonly number[]
  readonly immediate?: true
  readonly terminator?: true
}

const FORMS: Readonly<Record<VmOpcode, Form>> = {
  copy: { modes: 1, reads: 1, results: true },
  logic: { modes: 4, reads: 2, results: true },
  sum: { modes: 2, reads: 2, results: true },
  compare: { modes: 3, inverts: true, reads: 2, results: true },
  shift: { modes: 3, reads: 2, results: true },
  bytes: { modes: 3, reads: 2, results: true },
  environment: { modes: VM_ENVIRONMENT.length, reads: 0, results: true },
  calldataLoad: { modes: 1, reads: 1, results: true },
  memory: { modes: 3, reads: 2, results: [0] },
  storage: { modes: 2, reads: 2, results: [0] },
  transient: { modes: 2, reads: 2, results: [0] },
  keccak: { modes: 1, reads: 2, results: true },
  mul: { modes: 1, reads: 2, results: true },
  divide: { modes: 4, reads: 2, results: true },
  modular: { modes: 2, reads: 3, results: true },
  exp: { modes: 1, reads: 2, results: true },
  copyMemory: { modes: VM_COPY_SOURCES.length, reads: 3, results: [], immediate: true },
  account: { modes: 3, reads: 1, results: true },
  log: { modes: 5, reads: 2, results: [] },
  call: { modes: VM_CALLS.length, reads: 0, results: true, immediate: true, terminator: true },
  end: { modes: 4, reads: 2, results: [], terminator: true },
  jump: { modes: 2, reads: 1, results: [], immediate: true, terminator: true },
  branch: { modes: 2, inverts: true, reads: 2, results: [], immediate: true, terminator: true },
  memo: { modes: 2, reads: 2, results: true, immediate: true },
  blobHash: { modes: 1, reads: 1, results: true },
  charge: { modes: 1, reads: 1, results: [] },
  warm: { modes: 1, reads: 0, results: [] },
  enter: { modes: 1, reads: 0, results: [], terminator: true },
  refuse: { modes: 1, reads: 0, results: [], immediate: true, terminator: true },
}

const BY_CODE: ReadonlyMap<number, readonly [VmOpcode, Form]> = new Map(
  Object.entries(VM_OPCODES).map(([name, code]) => [code, [name as VmOpcode, FORMS[name as VmOpcode]]]),
)

/** Operands of a call, by its mode. */
export const CALL_OPERANDS: readonly number[] = VM_CALLS.map((name) => (name === 'call' || name === 'callcode' ? 7 : 6))
const ACCOUNT_COPY = VM_COPY_SOURCES.indexOf('accountCode')

/**
 * Checks every invariant of layout/lane_vm.ts that does not need the EVM code. Throws LiftVerifyError.
 *
 * Blocks tile the code and each ends with its only terminator; modes, fields and targets exist; positions are within what the block
 * declares, and what stands above its height is written before it is read; at the end everything up to the new height is
 * written. `instances`: lifted immediates of the code, where known.
 */
export const verifyLifted = (lifted: LiftedCode, instances: number = MAX_CONSTANTS): void => {
  const { instructions, constants, blocks, jumps, places } = lifted
  const count = instructions.length / VM_INSTRUCTION_LIMBS
  const blockCount = blocks.length / VM_BLOCK_LIMBS
  const words = constants.length / LIMBS_PER_WORD
  if (!Number.isInteger(count) || !Number.isInteger(blockCount) || !Number.isInteger(words)) fail('a part of an entry')
  if (blockCount < 1 || blockCount > MAX_BLOCKS) fail(`${blockCount} blocks`)
  if (words > MAX_CONSTANTS) fail(`${words} constants`)
  if (places.length !== count) fail(`${places.length} places of ${count} instructions`)
  if (jumps.length % 8 !== 0) fail('the jump table is not whole vectors')
  for (const entry of jumps) if (entry > blockCount) fail(`the jump table names block ${entry - 1} of ${blockCount}`)
  const pool: Pool = { constants: words, instances, blocks: blockCount }
  for (let block = 0; block < blockCount; block++) {
    const at = block * VM_BLOCK_LIMBS
    const first = blocks[at]!
    if (block === 0 && first !== 0) fail('block 0 does not start the code')
    const end = block + 1 < blockCount ? blocks[at + VM_BLOCK_LIMBS]! : count
    if (first >= end) fail(`block ${block} is empty`)
    if (blocks[at + 3] !== 0) fail(`block ${block}: a reserved field is set`)
    const bounds = { need: blocks[at + 1]! & 0xffff, growth: blocks[at + 1]! >>> 16, above: blocks[at + 2]! }
    const body = new BlockCheck(`block ${block}`, bounds, pool)
    for (let i = first; i < end; i++) body.check(instructionAt(instructions, i), i === end - 1)
  }
}

interface Pool {
  readonly constants: number
  readonly instances: number
  readonly blocks: number
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
  private readonly written = new Set<number>()

  constructor(name: string, bounds: Bounds, pool: Pool) {
    this.name = name
    this.bounds = bounds
    this.pool = pool
    const { need, growth, above } = bounds
    if (need > MAX_STACK_WORDS || growth > MAX_STACK_WORDS) fail(`${name}: bounds that no stack has`)
    if (-need < LOWEST_POSITION || above - 1 > HIGHEST_POSITION) fail(`${name}: positions that no operand reaches`)
  }

  check(instruction: VmInstruction, isLast: boolean): void {
    const { opcode, mode, result, a, b, c, immediate, block } = instruction
    const [name, form] = BY_CODE.get(opcode) ?? fail(`${this.name}: no opcode ${opcode}`)
    if ((form.terminator === true) !== isLast) fail(`${this.name}: ${name} ${isLast ? 'is last' : 'is not last'}`)
    if ((form.inverts ? mode & ~VM_INVERT : mode) >= form.modes) fail(`${this.name}: ${name} has no mode ${mode}`)
    if (form.immediate !== true && immediate !== 0) fail(`${this.name}: ${name} has no immediate`)
    if (name === 'log') this.readRow(c, mode)
    else if (name === 'call') this.readRow(c, CALL_OPERANDS[mode]!)
    else if (name !== 'branch') this.read(c, form.reads > 2, name)
    this.read(a, form.reads > 0, name)
    this.read(b, form.reads > 1, name)
    if (name === 'copyMemory') {
      if (mode === ACCOUNT_COPY) this.readRow(immediate, 1)
      else if (immediate !== 0) fail(`${this.name}: ${name} has no immediate`)
    }
    const gives = form.results === true || form.results.includes(mode)
    if (result !== VM_OPERAND_NONE) {
      if (!gives) fail(`${this.name}: ${name} has no result`)
      this.write(result)
    }
    this.checkTargets(name, instruction)
    if (name === 'jump' || name === 'branch' || name === 'call') this.checkHeight(heightChange(immediate))
    else if (block !== 0) fail(`${this.name}: ${name} names a block`)
    if (name === 'call' && operandPosition(result) !== heightChange(immediate) - 1) {
      fail(`${this.name}: the result of a call is not the new top`)
    }
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

  private checkTargets(name: VmOpcode, { mode, a, c, block }: VmInstruction): void {
    const { blocks } = this.pool
    if (name !== 'jump' && name !== 'branch') {
      if (name === 'call' && block >= blocks) fail(`${this.name}: no block ${block}`)
      return
    }
    const isDynamic = (mode & 1) !== 0
    if (isDynamic ? block !== 0 : block >= blocks) fail(`${this.name}: no block ${block}`)
    if (!isDynamic && a !== VM_OPERAND_NONE) fail(`${this.name}: ${name} to a block reads no destination`)
    if (name === 'branch' && c >= blocks) fail(`${this.name}: no block ${c}`)
  }

  private checkHeight(change: number): void {
    const { need, growth } = this.bounds
    if (change < -need || change > growth) fail(`${this.name}: a change of height by ${change} outside of its bounds`)
    for (let position = 0; position < change; position++) this.readPosition(position)
  }
}
