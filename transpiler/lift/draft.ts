import { MODES, VM_MODES } from '../layout/instruction.ts'
import { VM_INVERT, VM_OPCODES } from '../layout/lane_vm.ts'
import type { CodeBlock } from './blocks.ts'
import { type Immediates, immediateAt } from './immediates.ts'
import { cheaper, isLikely, KnownResults, unchanged, withOneConstant } from './known.ts'
import { MAX_STACK_WORDS } from './lifted_code.ts'
import type { LikelyBlocks } from './likely.ts'
import { computed, type OperationRule, type Rule } from './rules.ts'
import { withoutUnread } from './unread.ts'
import {
  type BlockDraft,
  type BlockEnd,
  constantOf,
  isConstant,
  makeValue,
  type Operation,
  type Value,
} from './values.ts'

export interface DraftSource extends Immediates {
  readonly rules: readonly Rule[]
  readonly list: readonly CodeBlock[]
  readonly jumps: Uint16Array
}

const ALL_ONES = (1n << 256n) - 1n
/** Larger constant powers are left to the device, so the time of lifting stays linear. */
const MAX_FOLDED_EXPONENT = 0xffn
/** A superblock goes on as long as it has fewer of both. */
const MOST_BLOCKS = 48
const MOST_OPERATIONS = 32
/** Words that its exits may have to bring to their positions. */
const MOST_EXIT_WORDS = 1024
/** Times that it goes through the same block: functions that are called again, loops. */
const MOST_TURNS = 4

const EQUALS = computed(VM_OPCODES.compare, MODES.compare.equal)
const DIFFERS = computed(VM_OPCODES.logic, MODES.logic.xor)
const ZERO = constantOf(0n)

/**
 * Runs block `index` on a symbolic stack: what moves words only vanishes, constants fold, the rest becomes operations.
 *
 * In:  a block whose need and growth the EVM's stack can have. Out: operations in code order, without those whose
 *      result
 * is not read and which do nothing else; gas of all that vanished stands on the next operation, or on the end.
 */
export const draftBlock = (source: DraftSource, index: number): BlockDraft => new BlockWriter(source).draft(index)

/**
 * The same for the superblock that starts with block `index`: it goes on through jumps to known destinations, returns
 * to callers inside it included, and after branches on the side that `likely` names; on the other side it has an exit.
 */
export const draftSuperblock = (source: DraftSource, index: number, likely: LikelyBlocks): BlockDraft =>
  new BlockWriter(source, likely).draft(index)

class BlockWriter {
  private readonly source: DraftSource
  private readonly likely: LikelyBlocks | undefined
  private need = 0
  private growth = 0
  private readonly stack: Value[] = []
  /** Entry n stands at position -n - 1. */
  private readonly entries: Value[] = []
  private readonly operations: Operation[] = []
  private readonly known = new KnownResults()
  /** Conditions of the branches that it went past, and whether they hold there. */
  private readonly decided = new Map<Value, boolean>()
  /** By block: how often it has gone through it. */
  private readonly turns = new Map<number, number>()
  private length = 0
  private exitWords = 0
  private gas = 0

  constructor(source: DraftSource, likely?: LikelyBlocks) {
    this.source = source
    this.likely = likely
  }

  draft(first: number): BlockDraft {
    let index = first
    this.enter(index)
    let end = this.run(index)
    for (let next = this.onward(end); next !== undefined; next = this.onward(end)) {
      if (end.opcode === VM_OPCODES.branch) this.leaveBeside(end, next)
      index = next
      this.enter(index)
      end = this.run(index)
    }
    this.completeExits()
    const { need, growth, stack, length, exitWords } = this
    if (end.opcode === VM_OPCODES.end || end.opcode === VM_OPCODES.refuse) this.popAll(stack.length)
    return { need, growth, operations: withoutUnread(this.operations, end), stack, end, length, exitWords }
  }

  /** What a later block reaches below the stack of an exit is the exit's, too: it may have changed by then. */
  private completeExits(): void {
    const { need, operations, entries } = this
    for (const operation of operations) {
      const { exit } = operation
      if (exit === undefined || exit.depth === need) continue
      const below = entries.slice(exit.depth).reverse()
      for (const entry of below) entry.holders++
      operation.exit = { target: exit.target, stack: [...below, ...exit.stack], depth: need }
    }
  }

  /** Takes a block up: what it needs of the stack before the first one is an entry. */
  private enter(index: number): void {
    const { need, growth } = this.source.list[index]!
    this.turns.set(index, 1 + (this.turns.get(index) ?? 0))
    this.length++
    this.growth = Math.max(this.growth, this.height + growth)
    const missing = need - this.stack.length
    if (missing <= 0) return
    for (let n = 0; n < missing; n++) {
      this.need++
      const entry = makeValue('entry', -this.need, 0n, -this.need)
      entry.holders = 1
      this.entries.push(entry)
    }
    this.stack.unshift(...this.entries.slice(-missing).reverse())
  }

  private run(index: number): BlockEnd {
    const { code, rules, list } = this.source
    const { start, end } = list[index]!
    const next = index + 1 < list.length ? index + 1 : undefined
    let lastPc = Math.min(start, code.length)
    let last: BlockEnd | undefined
    for (let pc = start; pc < end; ) {
      const rule = rules[code[pc]!]!
      lastPc = pc
      last = this.step(rule, pc, next)
      pc += 1 + rule.immediateBytes
    }
    return last ?? (next === undefined ? this.frameEnd(VM_MODES.end.stop, lastPc) : this.jumpTo(next, lastPc))
  }

  /** The block that a superblock goes on with after this end; undefined where it ends. */
  private onward({ opcode, mode, b, target, otherwise }: BlockEnd): number | undefined {
    const { likely } = this
    if (likely === undefined || (mode & 1) !== 0) return undefined
    if (opcode === VM_OPCODES.jump) return this.mayEnter(target) ? target : undefined
    if (opcode !== VM_OPCODES.branch) return undefined
    const holds = isLikely(b!)
    const isTaken = holds === undefined ? undefined : holds !== ((mode & VM_INVERT) !== 0)
    const next = likely.prefers(target, otherwise, isTaken) ? target : otherwise
    return this.mayEnter(next) ? next : undefined
  }

  private mayEnter(index: number): boolean {
    const { turns, length, exitWords, operations, height, need } = this
    if (length >= MOST_BLOCKS || operations.length >= MOST_OPERATIONS || exitWords > MOST_EXIT_WORDS) return false
    if ((turns.get(index) ?? 0) >= MOST_TURNS) return false
    const block = this.source.list[index]!
    return Math.max(need, block.need - height) <= MAX_STACK_WORDS && height + block.growth <= MAX_STACK_WORDS
  }

  /** Makes a branch to either side an exit to the side that is not `next`. */
  private leaveBeside({ mode, b, target, otherwise, pc }: BlockEnd, next: number): void {
    const { stack, need } = this
    for (let i = 0; i < stack.length; i++) {
      const value = stack[i]!
      value.holders++
      if (value.kind !== 'entry' || value.index !== i - need) this.exitWords++
    }
    const takesTarget = next !== target
    this.decided.set(b!, takesTarget === ((mode & VM_INVERT) !== 0))
    this.operations.push({
      opcode: VM_OPCODES.branch,
      mode: takesTarget ? mode : mode ^ VM_INVERT,
      operands: [ZERO, b!],
      wide: [],
      wideAt: 0,
      immediate: 0,
      gas: this.gas,
      pc,
      kept: true,
      exit: { target: takesTarget ? target : otherwise, stack: stack.slice(), depth: need },
      isDropped: false,
      result: undefined,
      order: 0,
    })
    this.gas = 0
  }

  private get height(): number {
    return this.stack.length - this.need
  }

  private push(value: Value): void {
    value.holders++
    this.stack.push(value)
  }

  private pop(): Value {
    const value = this.stack.pop()!
    value.holders--
    return value
  }

  private popAll(count: number): Value[] {
    const popped: Value[] = []
    for (let n = 0; n < count; n++) popped.push(this.pop())
    return popped
  }

  private step(rule: Rule, pc: number, next: number | undefined): BlockEnd | undefined {
    this.gas += rule.gas
    const { stack } = this
    switch (rule.kind) {
      case 'push':
        this.push(immediateAt(this.source, pc + 1, rule.immediateBytes))
        return undefined
      case 'dup':
        this.push(stack[stack.length - rule.pops]!)
        return undefined
      case 'swap': {
        const [top, other] = [stack.length - 1, stack.length - rule.pops]
        const value = stack[top]!
        stack[top] = stack[other]!
        stack[other] = value
        return undefined
      }
      case 'pop':
        this.pop()
        return undefined
      case 'jumpdest':
        return undefined
      case 'position':
        this.push(constantOf(BigInt(pc)))
        return undefined
      case 'size':
        this.push(constantOf(BigInt(this.source.code.length)))
        return undefined
      case 'isZero':
        this.isZero(pc)
        return undefined
      case 'not':
        this.not(pc)
        return undefined
      case 'compute':
        this.compute(rule, pc)
        return undefined
      case 'log': {
        const [offset, length, ...topics] = this.popAll(rule.pops)
        this.add(rule, [offset!, length!], pc, topics, this.height + topics.length - 1)
        return undefined
      }
      case 'accountCopy': {
        const [address, ...operands] = this.popAll(rule.pops)
        this.add(rule, operands, pc, [address!], this.height + rule.pops - 1)
        return undefined
      }
      case 'call':
        return this.call(rule, pc, next!)
      case 'jump':
        return this.jump(pc)
      case 'branch':
        return this.branch(pc, next!)
      case 'end': {
        const [a, b] = this.popAll(rule.pops)
        return this.frameEnd(rule.mode, pc, a, b)
      }
      case 'refuse': {
        this.popAll(rule.pops)
        return this.ending({ opcode: VM_OPCODES.refuse, immediate: rule.code, pc })
      }
    }
  }

  /** Adds an operation; its result, where it has one, is pushed. */
  private add(
    rule: OperationRule,
    operands: readonly Value[],
    pc: number,
    wide: readonly Value[] = [],
    wideAt = 0,
  ): Operation {
    for (const operand of operands) operand.holders++
    for (let n = 0; n < wide.length; n++) {
      wide[n]!.holders++
      wide[n]!.row = wideAt - n
    }
    const operation: Operation = {
      opcode: rule.opcode,
      mode: rule.mode,
      operands,
      wide,
      wideAt,
      immediate: rule.immediate,
      gas: this.gas,
      pc,
      kept: rule.kept,
      exit: undefined,
      isDropped: false,
      result: undefined,
      order: 0,
    }
    this.gas = 0
    this.operations.push(operation)
    if (rule.pushes === 0) return operation
    operation.result = makeValue('result', 0, 0n, this.height, operation)
    this.push(operation.result)
    return operation
  }

  private compute(rule: Rule, pc: number): void {
    const popped = this.popAll(rule.pops)
    const folded = this.foldedWord(rule, popped)
    if (folded !== undefined) {
      this.push(constantOf(folded))
      return
    }
    // Two that change places are the only order besides the EVM's.
    if (rule.swaps) popped.reverse()
    const [operation, operands] = cheaper(rule, withOneConstant(rule, popped))
    const key = this.known.keyOf(operation, operands)
    const same = unchanged(operation, operands) ?? (key === undefined ? undefined : this.known.find(key, operation))
    if (same !== undefined) {
      this.push(same)
      return
    }
    const { result } = this.add(operation, operands, pc)
    if (key !== undefined) this.known.add(key, result!)
  }

  private foldedWord(rule: Rule, operands: readonly Value[]): bigint | undefined {
    if (rule.eval === undefined || !operands.every(isConstant)) return undefined
    if (rule.gasPerByte > 0) {
      const exponent = operands[1]!.word
      if (exponent > MAX_FOLDED_EXPONENT) return undefined
      if (exponent > 0n) this.gas += rule.gasPerByte
    }
    return rule.eval(operands.map(({ word }) => word))
  }

  /** `x == 0`; of a comparison that nothing else reads, its negation. */
  private isZero(pc: number): void {
    const value = this.pop()
    if (isConstant(value)) {
      this.push(constantOf(value.word === 0n ? 1n : 0n))
      return
    }
    const { operation } = value
    if (operation?.opcode === VM_OPCODES.compare && value.holders === 0) {
      operation.mode ^= VM_INVERT
      this.push(value)
      return
    }
    this.add(EQUALS, [value, ZERO], pc)
  }

  private not(pc: number): void {
    const value = this.pop()
    if (isConstant(value)) this.push(constantOf(value.word ^ ALL_ONES))
    else this.add(DIFFERS, [value, constantOf(ALL_ONES)], pc)
  }

  private ending(fields: Partial<BlockEnd> & { readonly opcode: number; readonly pc: number }): BlockEnd {
    const end: BlockEnd = {
      mode: 0,
      a: undefined,
      b: undefined,
      target: 0,
      otherwise: 0,
      immediate: this.height,
      operandsInStack: 0,
      gas: this.gas,
      ...fields,
    }
    if (end.a !== undefined) end.a.holders++
    if (end.b !== undefined) end.b.holders++
    return end
  }

  private frameEnd(mode: number, pc: number, a?: Value, b?: Value): BlockEnd {
    return this.ending({ opcode: VM_OPCODES.end, mode, a, b, immediate: 0, pc })
  }

  private jumpTo(block: number, pc: number): BlockEnd {
    return this.ending({ opcode: VM_OPCODES.jump, target: block, pc })
  }

  /** The block at a constant destination; undefined where no JUMPDEST is there. */
  private blockAt({ word }: Value): number | undefined {
    const { jumps } = this.source
    const entry = word < BigInt(jumps.length) ? jumps[Number(word)]! : 0
    return entry === 0 ? undefined : entry - 1
  }

  private jump(pc: number): BlockEnd {
    const target = this.pop()
    if (!isConstant(target)) return this.ending({ opcode: VM_OPCODES.jump, mode: VM_MODES.jump.dynamic, a: target, pc })
    const block = this.blockAt(target)
    return block === undefined ? this.frameEnd(VM_MODES.end.halt, pc) : this.jumpTo(block, pc)
  }

  private branch(pc: number, next: number): BlockEnd {
    const target = this.pop()
    let condition = this.pop()
    if (isConstant(condition) && condition.word === 0n) return this.jumpTo(next, pc)
    const block = isConstant(target) ? this.blockAt(target) : undefined
    if (isConstant(condition) && block !== undefined) return this.jumpTo(block, pc)
    let mode = 0
    const test = condition.operation
    if (
      test?.opcode === VM_OPCODES.compare &&
      (test.mode & ~VM_INVERT) === MODES.compare.equal &&
      condition.holders === 0
    ) {
      const [value, zero] = test.operands
      if (isConstant(zero!) && zero!.word === 0n) {
        condition = value!
        mode = test.mode === MODES.compare.equal ? VM_INVERT : 0
      }
    }
    const holds = this.decided.get(condition)
    if (holds !== undefined && holds === (mode !== 0)) return this.jumpTo(next, pc)
    if (holds !== undefined && block !== undefined) return this.jumpTo(block, pc)
    const common = { opcode: VM_OPCODES.branch, b: condition, otherwise: next, pc }
    if (block !== undefined) return this.ending({ ...common, mode, target: block })
    return this.ending({ ...common, mode: mode | 1, a: target })
  }

  /** The operands stay where they are: the stack that must stand is the one before the call. */
  private call(rule: Rule, pc: number, next: number): BlockEnd {
    const immediate = this.height - rule.pops + 1
    const { opcode, mode, pops } = rule
    return this.ending({ opcode, mode, immediate, target: next, operandsInStack: pops, pc })
  }
}
