import { VM_INVERT, VM_OPCODES } from '../layout/lane_vm.ts'
import { bytesToWord } from '../skeleton.ts'
import type { CodeBlock } from './blocks.ts'
import { END_HALT, END_STOP, type Rule } from './rules.ts'

export const NOWHERE = -0x8000

/**
 * A word of a block. `entry`: what stood at position `index` when the block began; `instance`: immediate `index` of the
 * executing code. Positions count from the stack height at the start of the block.
 */
export interface Value {
  readonly kind: 'constant' | 'instance' | 'entry' | 'result'
  readonly index: number
  readonly word: bigint
  /** The operation that gives it. */
  readonly operation: Operation | undefined
  /** Stack words and operands that are this value. */
  holders: number
  /** Where the EVM pushed it. */
  readonly home: number
  /** Where an operation wants it that reads words in a row; else NOWHERE. */
  row: number
  /** Set by placement: position that holds it, its last reader, and the positions that must hold it at the end. */
  at: number
  lastUse: number
  wanted: number[]
}

export interface Operation {
  readonly opcode: number
  mode: number
  readonly operands: readonly Value[]
  /** What must stand in the stack, the n-th of them n words below position `wideAt`, where the EVM has it. */
  readonly wide: readonly Value[]
  readonly wideAt: number
  readonly immediate: number
  gas: number
  readonly place: number
  readonly kept: boolean
  result: Value | undefined
  /** Set by placement: its number. */
  order: number
}

/** How a block ends. `stack`: what must stand from position -need on; `height`: positions below it are the next block's. */
export interface BlockEnd {
  readonly opcode: number
  mode: number
  readonly a: Value | undefined
  readonly b: Value | undefined
  readonly target: number
  readonly otherwise: number
  readonly immediate: number
  /** Operands of a call that stand in the stack below its height; 0 for all else. */
  readonly operandsInStack: number
  gas: number
  readonly place: number
}

export interface BlockDraft {
  readonly need: number
  readonly operations: readonly Operation[]
  readonly stack: readonly Value[]
  readonly end: BlockEnd
}

export interface DraftSource {
  readonly code: Uint8Array
  readonly rules: readonly Rule[]
  readonly jumps: Uint16Array
  /** By offset of a lifted immediate: its index. */
  readonly instances: ReadonlyMap<number, number>
}

const ALL_ONES = (1n << 256n) - 1n
/** Larger constant powers are left to the device, so that the time of lifting stays linear. */
const MAX_FOLDED_EXPONENT = 0xffn

const makeValue = (kind: Value['kind'], index: number, word: bigint, home: number, operation?: Operation): Value => ({
  kind,
  index,
  word,
  operation,
  holders: 0,
  home,
  row: NOWHERE,
  at: NOWHERE,
  lastUse: -1,
  wanted: [],
})

const constantOf = (word: bigint): Value => makeValue('constant', 0, word, NOWHERE)
const isUnread = ({ kept, result }: Operation): boolean => !kept && result!.holders === 0
const isConstant = (value: Value): boolean => value.kind === 'constant'

/**
 * Runs a block on a symbolic stack: what moves words only vanishes, constants fold, the rest becomes operations.
 *
 * In:  a block whose need and growth the EVM's stack can have. Out: operations in code order, without those whose result
 * nobody reads and which do nothing else; gas of all that vanished stands on the next operation, or on the end.
 */
export const draftBlock = (source: DraftSource, block: CodeBlock, next: number | undefined): BlockDraft =>
  new BlockWriter(source, block).draft(next)

class BlockWriter {
  private readonly source: DraftSource
  private readonly block: CodeBlock
  private readonly stack: Value[] = []
  private readonly operations: Operation[] = []
  private gas = 0

  constructor(source: DraftSource, block: CodeBlock) {
    this.source = source
    this.block = block
    for (let position = -block.need; position < 0; position++) this.push(makeValue('entry', position, 0n, position))
  }

  draft(next: number | undefined): BlockDraft {
    const { code, rules } = this.source
    const { start, end, need } = this.block
    let place = Math.min(start, code.length)
    let last: BlockEnd | undefined
    for (let pc = start; pc < end; ) {
      const rule = rules[code[pc]!]!
      place = pc
      last = this.step(rule, pc, next)
      pc += 1 + rule.immediateBytes
    }
    last ??= next === undefined ? this.frameEnd(END_STOP, place) : this.jumpTo(next, place)
    return { need, operations: this.withoutUnread(last), stack: this.stack, end: last }
  }

  private get height(): number {
    return this.stack.length - this.block.need
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
        this.push(this.immediateAt(pc + 1, rule.immediateBytes))
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
        this.isZero(rule, pc)
        return undefined
      case 'not':
        this.not(rule, pc)
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
        return this.ending({ opcode: VM_OPCODES.refuse, immediate: rule.code, place: pc })
      }
    }
  }

  private immediateAt(offset: number, length: number): Value {
    const instance = this.source.instances.get(offset)
    if (instance !== undefined) return makeValue('instance', instance, 0n, NOWHERE)
    const { code } = this.source
    const end = offset + length
    if (length <= 6 && end <= code.length) {
      let value = 0
      for (let at = offset; at < end; at++) value = value * 256 + code[at]!
      return constantOf(BigInt(value))
    }
    if (end <= code.length) return constantOf(bytesToWord(code.subarray(offset, end)))
    const padded = new Uint8Array(length)
    padded.set(code.subarray(offset))
    return constantOf(bytesToWord(padded))
  }

  /** Adds an operation; its result, where it has one, is pushed. */
  private add(rule: Rule, operands: readonly Value[], place: number, wide: readonly Value[] = [], wideAt = 0): void {
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
      place,
      kept: rule.kept,
      result: undefined,
      order: 0,
    }
    this.gas = 0
    this.operations.push(operation)
    if (rule.pushes === 0) return
    operation.result = makeValue('result', 0, 0n, this.height, operation)
    this.push(operation.result)
  }

  private compute(rule: Rule, place: number): void {
    const popped = this.popAll(rule.pops)
    const folded = this.foldedWord(rule, popped)
    if (folded !== undefined) {
      this.push(constantOf(folded))
      return
    }
    // Two that change places are the only order besides the EVM's.
    if (rule.swaps) popped.reverse()
    this.add(rule, popped, place)
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

  /** `x == 0`; of a comparison that nobody else reads, its negation. */
  private isZero(rule: Rule, place: number): void {
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
    this.add({ ...rule, opcode: VM_OPCODES.compare, mode: 2, kept: false }, [value, constantOf(0n)], place)
  }

  private not(rule: Rule, place: number): void {
    const value = this.pop()
    if (isConstant(value)) this.push(constantOf(value.word ^ ALL_ONES))
    else this.add({ ...rule, opcode: VM_OPCODES.logic, mode: 2, kept: false }, [value, constantOf(ALL_ONES)], place)
  }

  private ending(fields: Partial<BlockEnd> & { readonly opcode: number; readonly place: number }): BlockEnd {
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

  private frameEnd(mode: number, place: number, a?: Value, b?: Value): BlockEnd {
    return this.ending({ opcode: VM_OPCODES.end, mode, a, b, immediate: 0, place })
  }

  private jumpTo(block: number, place: number): BlockEnd {
    return this.ending({ opcode: VM_OPCODES.jump, target: block, place })
  }

  /** The block at a constant destination; undefined where no JUMPDEST is there. */
  private blockAt({ word }: Value): number | undefined {
    const { jumps } = this.source
    const entry = word < BigInt(jumps.length) ? jumps[Number(word)]! : 0
    return entry === 0 ? undefined : entry - 1
  }

  private jump(place: number): BlockEnd {
    const target = this.pop()
    if (!isConstant(target)) return this.ending({ opcode: VM_OPCODES.jump, mode: 1, a: target, place })
    const block = this.blockAt(target)
    return block === undefined ? this.frameEnd(END_HALT, place) : this.jumpTo(block, place)
  }

  private branch(place: number, next: number): BlockEnd {
    const target = this.pop()
    let condition = this.pop()
    if (isConstant(condition) && condition.word === 0n) return this.jumpTo(next, place)
    const block = isConstant(target) ? this.blockAt(target) : undefined
    if (isConstant(condition) && block !== undefined) return this.jumpTo(block, place)
    let mode = 0
    const test = condition.operation
    if (test?.opcode === VM_OPCODES.compare && (test.mode & ~VM_INVERT) === 2 && condition.holders === 0) {
      const [value, zero] = test.operands
      if (isConstant(zero!) && zero!.word === 0n) {
        condition = value!
        mode = test.mode === 2 ? VM_INVERT : 0
      }
    }
    const common = { opcode: VM_OPCODES.branch, b: condition, otherwise: next, place }
    if (block !== undefined) return this.ending({ ...common, mode, target: block })
    return this.ending({ ...common, mode: mode | 1, a: target })
  }

  /** The operands stay where they are: the stack that must stand is the one in front of the call. */
  private call(rule: Rule, place: number, next: number): BlockEnd {
    const immediate = this.height - rule.pops + 1
    const { opcode, mode, pops } = rule
    return this.ending({ opcode, mode, immediate, target: next, operandsInStack: pops, place })
  }

  /** Drops what nobody reads, from the last operation to the first, and hands its gas on. */
  private withoutUnread(end: BlockEnd): Operation[] {
    if (end.opcode === VM_OPCODES.end || end.opcode === VM_OPCODES.refuse) this.popAll(this.stack.length)
    const { operations } = this
    let dropped = 0
    for (let i = operations.length - 1; i >= 0; i--) {
      const operation = operations[i]!
      if (!isUnread(operation)) continue
      dropped++
      for (const operand of operation.operands) operand.holders--
    }
    if (dropped === 0) return operations
    let gas = 0
    const left: Operation[] = []
    for (const operation of operations) {
      if (isUnread(operation)) gas += operation.gas
      else {
        operation.gas += gas
        gas = 0
        left.push(operation)
      }
    }
    end.gas += gas
    return left
  }
}
