import { VM_OPCODES, VM_OPERAND_NONE } from '../layout/lane_vm.ts'
import { type CodeWriter, vmInstruction } from './code_writer.ts'
import { type Copy, jumpCopy, writeCopies } from './copies.ts'
import { instanceOperand, stackOperand } from './lifted_code.ts'
import { type Move, orderMoves } from './moves.ts'
import { Registers } from './registers.ts'
import type { BlockDraft, BlockEnd, Operation, SideExit, Value } from './values.ts'

/**
 * Chooses a position for every result and writes the block's instructions.
 *
 * A result goes to the position that the next block wants it at, where the word there is dead by then; else to a
 * temporary. Before the end, copies bring what still stands elsewhere: other positions first, then constants. A block
 * that ends its frame leaves nothing in place. Returns the words that are written above the height at its start.
 * Side exits that have something to bring to their positions are added to `exits`, whose first is block `firstExit`.
 */
export const lowerBlock = (draft: BlockDraft, writer: CodeWriter, exits: ExitBlock[] = [], firstExit = 0): number =>
  new BlockLowering(draft, writer, exits, firstExit).run()

/**
 * A block of copies that bring what a side exit leaves to where block `target` wants it. Positions are those of the
 * superblock.
 */
export interface ExitBlock {
  readonly copies: readonly Copy[]
  readonly target: number
  readonly heightChange: number
  readonly need: number
  readonly growth: number
  readonly above: number
  readonly pc: number
}

/** Writes it. */
export const lowerExit = (exit: ExitBlock, writer: CodeWriter): void => {
  const { copies, target, heightChange, need, growth, above, pc } = exit
  const first = writer.nextInstruction
  const immediate = heightChange & 0xffff
  const last = writeCopies(writer, copies, pc, true)
  writer.instruction(vmInstruction({ opcode: VM_OPCODES.jump, ...jumpCopy(last), immediate, block: target }), pc)
  writer.block(first, need, growth, above)
}

const hasPosition = ({ kind }: Value): boolean => kind === 'entry' || kind === 'result'

const noteReader = (value: Value, order: number, entries: Value[]): void => {
  if (value.kind === 'entry' && value.lastUse < 0) entries.push(value)
  value.lastUse = order
}

class BlockLowering {
  private readonly draft: BlockDraft
  private readonly writer: CodeWriter
  private readonly registers: Registers
  private readonly exits: ExitBlock[]
  private readonly firstExit: number

  constructor(draft: BlockDraft, writer: CodeWriter, exits: ExitBlock[], firstExit: number) {
    this.draft = draft
    this.writer = writer
    this.exits = exits
    this.firstExit = firstExit
    this.registers = new Registers(draft, this.findReaders(), draft.operations.length)
  }

  /** Sets `lastUse` and `wanted` of all values; the entries among them. */
  private findReaders(): Value[] {
    const { operations, stack, end, need } = this.draft
    const entries: Value[] = []
    for (let order = 0; order < operations.length; order++) {
      const operation = operations[order]!
      operation.order = order
      for (const operand of operation.operands) noteReader(operand, order, entries)
      for (const operand of operation.wide) noteReader(operand, order, entries)
      if (operation.exit === undefined) continue
      for (const value of operation.exit.stack) if (hasPosition(value)) noteReader(value, order, entries)
    }
    for (let i = 0; i < stack.length; i++) {
      const value = stack[i]!
      if (!hasPosition(value)) continue
      noteReader(value, operations.length, entries)
      value.wanted = [...value.wanted, i - need]
    }
    if (end.a !== undefined) noteReader(end.a, operations.length, entries)
    if (end.b !== undefined) noteReader(end.b, operations.length, entries)
    return entries
  }

  run(): number {
    const { operations, end } = this.draft
    for (const operation of operations) this.lowerOperation(operation)
    this.lowerEnd(end, this.settle(end))
    return this.registers.above
  }

  /** NONE where there is no value. */
  private operand(value: Value | undefined): number {
    if (value === undefined) return VM_OPERAND_NONE
    if (value.kind === 'constant') return this.writer.constant(value.word)
    return value.kind === 'instance' ? instanceOperand(value.index) : stackOperand(value.at)
  }

  private copy(a: number, to: number, pc: number): void {
    this.registers.touch(to)
    const [none, result] = [VM_OPERAND_NONE, stackOperand(to)]
    const opcode = VM_OPCODES.copy
    this.writer.instruction({ opcode, mode: 0, result, a, b: none, c: none, immediate: 0, gas: 0, block: 0 }, pc)
  }

  private copyAll(copies: readonly Copy[], pc: number, leavesOne: boolean): Copy | undefined {
    for (const { to } of copies) this.registers.touch(to)
    return writeCopies(this.writer, copies, pc, leavesOne)
  }

  private lowerOperation(operation: Operation): void {
    if (operation.exit === undefined) this.lowerPlain(operation)
    else this.lowerSideExit(operation, operation.exit)
  }

  private lowerSideExit({ opcode, mode, operands, gas, pc, order }: Operation, exit: SideExit): void {
    const { registers, writer } = this
    const { stack, depth } = exit
    const height = stack.length - depth
    const [a, b] = [this.operand(operands[0]), this.operand(operands[1])]
    const copies = this.exitCopies(exit)
    let target = exit.target
    let heightChange = height
    if (copies.length > 0) {
      target = this.firstExit + this.exits.length
      heightChange = 0
      const { need, growth } = this.draft
      const above = registers.above
      this.exits.push({ copies, target: exit.target, heightChange: height, need, growth, above, pc })
    }
    const immediate = heightChange & 0xffff
    const [result, c] = [VM_OPERAND_NONE, VM_OPERAND_NONE]
    writer.instruction({ opcode, mode, result, a, b, c, immediate, gas, block: target }, pc)
    for (const value of operands) if (value.lastUse === order) registers.release(value)
    for (const value of stack) if (value.lastUse === order) registers.release(value)
  }

  /** What brings the stack of an exit to their positions; where it overwrites, it is no longer this block's. */
  private exitCopies({ stack, depth }: SideExit): Copy[] {
    const { registers } = this
    const moves: Move[] = []
    const copies: Copy[] = []
    for (let i = 0; i < stack.length; i++) {
      const value = stack[i]!
      if (hasPosition(value) && value.at !== i - depth) moves.push({ from: value.at, to: i - depth })
    }
    registers.touch(stack.length - depth - 1)
    for (const { from, to } of orderMoves(moves, () => registers.temporaries(1)))
      copies.push({ operand: stackOperand(from), to })
    for (let i = 0; i < stack.length; i++) {
      if (!hasPosition(stack[i]!)) copies.push({ operand: this.operand(stack[i]), to: i - depth })
    }
    return copies
  }

  private lowerPlain(operation: Operation): void {
    const { registers } = this
    const { opcode, mode, operands, wide, gas, pc, order } = operation
    const read = operation.result !== undefined && operation.result.lastUse >= 0 ? operation.result : undefined
    if (read !== undefined) this.makeRoom(read, operation)
    let { immediate } = operation
    let row = VM_OPERAND_NONE
    if (wide.length > 0) {
      row = stackOperand(this.standWide(operation))
      if (opcode !== VM_OPCODES.log) immediate = row
    }
    const a = this.operand(operands[0])
    const b = this.operand(operands[1])
    const c = opcode === VM_OPCODES.log ? row : this.operand(operands[2])
    for (const value of operands) if (value.lastUse === order) registers.release(value)
    for (const value of wide) if (value.lastUse === order) registers.release(value)
    if (read !== undefined) registers.assignResult(read)
    const result = read === undefined ? VM_OPERAND_NONE : stackOperand(read.at)
    this.writer.instruction({ opcode, mode, result, a, b, c, immediate, gas, block: 0 }, pc)
  }

  /** Moves the word at a wanted position out of the way for good, which has to be done anyway. */
  private makeRoom(result: Value, { order, pc }: Operation): void {
    const { registers } = this
    const found = registers.exchange(result, order)
    if (found === undefined) return
    const [from, to] = found
    const holder = registers.holderAt(from)!
    this.copy(stackOperand(from), to, pc)
    registers.release(holder)
    registers.put(holder, to)
  }

  /** Brings wide operands into a row, best where the EVM has them; the position of the first. */
  private standWide({ wide, wideAt, pc }: Operation): number {
    const { registers } = this
    const standsAt = (first: number): boolean => wide.every((value, n) => hasPosition(value) && value.at === first - n)
    const first = wide[0]!
    if (hasPosition(first) && standsAt(first.at)) return first.at
    const fits = wide.every((value, n) => registers.isFree(wideAt - n) || registers.holderAt(wideAt - n) === value)
    const at = fits ? wideAt : registers.temporaries(wide.length)
    const copies: Copy[] = []
    wide.forEach((value, n) => {
      if (registers.isFree(at - n)) copies.push({ operand: this.operand(value), to: at - n })
    })
    this.copyAll(copies, pc, false)
    return at
  }

  /**
   * Brings every word that the next block wants into place, and keeps what the end itself reads. A jump may have one to
   * copy itself.
   */
  private settle({ opcode, a, b, pc }: BlockEnd): Copy | undefined {
    const { registers } = this
    const { stack, need } = this.draft
    const moves: Move[] = []
    const constants: number[] = []
    for (let i = 0; i < stack.length; i++) {
      const value = stack[i]!
      if (!hasPosition(value)) constants.push(i - need)
      else if (value.at !== i - need) moves.push({ from: value.at, to: i - need })
    }
    if (a !== undefined) this.keep(a, pc)
    if (b !== undefined && b !== a) this.keep(b, pc)
    const ordered = orderMoves(moves, () => registers.temporary())
    const copies = ordered.map(({ from, to }): Copy => ({ operand: stackOperand(from), to }))
    for (const to of constants) copies.push({ operand: this.operand(stack[to + need]), to })
    return this.copyAll(copies, pc, opcode === VM_OPCODES.jump)
  }

  /** Sees to it that an operand of the end outlives the moves: `at` is where it stands after them. */
  private keep(value: Value, pc: number): void {
    if (!hasPosition(value)) return
    const { stack, need } = this.draft
    const there = stack[value.at + need]
    if (there === undefined || there === value) return
    const [wanted] = value.wanted
    if (wanted !== undefined) {
      value.at = wanted
      return
    }
    const to = this.registers.temporary()
    this.copy(stackOperand(value.at), to, pc)
    this.registers.put(value, to)
  }

  private lowerEnd(end: BlockEnd, last: Copy | undefined): void {
    const { stack, need } = this.draft
    const { opcode, mode, target, otherwise, operandsInStack, gas, pc } = end
    const immediate = end.immediate & 0xffff
    let result = VM_OPERAND_NONE
    let c = opcode === VM_OPCODES.branch ? otherwise : VM_OPERAND_NONE
    if (operandsInStack > 0) {
      const first = stack.length - need - 1
      result = stackOperand(first - operandsInStack + 1)
      c = stackOperand(first)
    }
    const [a, b] = [this.operand(end.a), this.operand(end.b)]
    const instruction = { opcode, mode, result, a, b, c, immediate, gas, block: target }
    if (last === undefined) this.writer.instruction(instruction, pc)
    else {
      // What it reads stands where it did before the copy.
      const destination = a === stackOperand(last.to) ? last.operand : a
      this.writer.instruction({ ...instruction, a: destination, ...jumpCopy(last) }, pc)
    }
  }
}
