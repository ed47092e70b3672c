import { VM_OPCODES } from '../layout/lane_vm.ts'
import type { CodeWriter } from './code_writer.ts'
import type { BlockDraft, BlockEnd, Operation, Value } from './draft.ts'
import { instanceOperand, stackOperand } from './lifted_code.ts'
import { type Move, orderMoves } from './moves.ts'
import { Registers } from './registers.ts'

/**
 * Chooses a position for every result and writes the block's instructions.
 *
 * A result goes to the position that the next block wants it at, where the word there is dead by then; else to a
 * temporary. Before the end, copies bring what still stands elsewhere: other positions first, then constants. A block
 * that ends its frame leaves nothing in place. Returns the words that are written above the height at its start.
 */
export const lowerBlock = (draft: BlockDraft, writer: CodeWriter): number => new BlockLowering(draft, writer).run()

const isPlaced = ({ kind }: Value): boolean => kind === 'entry' || kind === 'result'

class BlockLowering {
  private readonly draft: BlockDraft
  private readonly writer: CodeWriter
  private readonly registers: Registers

  constructor(draft: BlockDraft, writer: CodeWriter) {
    this.draft = draft
    this.writer = writer
    this.registers = new Registers(draft, this.findReaders(), draft.operations.length)
  }

  /** Sets `lastUse` and `wanted` of all values; the entries among them. */
  private findReaders(): Value[] {
    const { operations, stack, end, need } = this.draft
    const entries = new Set<Value>()
    const read = (value: Value, order: number): void => {
      value.lastUse = order
      if (value.kind === 'entry') entries.add(value)
    }
    operations.forEach((operation, order) => {
      operation.order = order
      for (const operand of operation.operands) read(operand, order)
      for (const operand of operation.wide) read(operand, order)
    })
    for (let i = 0; i < stack.length; i++) {
      const value = stack[i]!
      if (!isPlaced(value)) continue
      read(value, operations.length)
      value.wanted.push(i - need)
    }
    for (const operand of [end.a, end.b]) if (operand !== undefined) read(operand, operations.length)
    return [...entries]
  }

  run(): number {
    const { operations, end } = this.draft
    for (const operation of operations) this.lowerOperation(operation)
    this.settle(end)
    this.lowerEnd(end)
    return this.registers.above
  }

  private operand(value: Value): number {
    if (value.kind === 'constant') return this.writer.constant(value.word)
    return value.kind === 'instance' ? instanceOperand(value.index) : stackOperand(value.at)
  }

  private copy(a: number, to: number, place: number): void {
    this.registers.touch(to)
    this.writer.instruction({ opcode: VM_OPCODES.copy, result: stackOperand(to), a }, place)
  }

  private lowerOperation(operation: Operation): void {
    const { registers, writer } = this
    const { opcode, mode, operands, wide, gas, place, order, result } = operation
    const isRead = result !== undefined && result.lastUse >= 0
    if (isRead) this.makeRoom(result, operation)
    const fields = { opcode, mode, gas, immediate: operation.immediate }
    const wideOperand = wide.length === 0 ? undefined : stackOperand(this.standWide(operation))
    const [a, b, c] = operands.map((value) => this.operand(value))
    for (const value of operands) if (value.lastUse === order) registers.release(value)
    for (const value of wide) if (value.lastUse === order) registers.release(value)
    if (isRead) registers.placeResult(result)
    writer.instruction(
      {
        ...fields,
        ...(isRead ? { result: stackOperand(result.at) } : {}),
        ...(a === undefined ? {} : { a }),
        ...(b === undefined ? {} : { b }),
        ...(c === undefined ? {} : { c }),
        ...(wideOperand === undefined
          ? {}
          : opcode === VM_OPCODES.log
            ? { c: wideOperand }
            : { immediate: wideOperand }),
      },
      place,
    )
  }

  /** Moves the word at a wanted position to where it is wanted itself, which has to be done anyway. */
  private makeRoom(result: Value, { order, place }: Operation): void {
    const { registers } = this
    const found = registers.exchange(result, order)
    if (found === undefined) return
    const [from, to] = found
    const holder = registers.holderAt(from)!
    this.copy(stackOperand(from), to, place)
    registers.release(holder)
    registers.put(holder, to)
  }

  /** Brings wide operands into a row, best where the EVM has them; the position of the first. */
  private standWide({ wide, wideAt, place }: Operation): number {
    const { registers } = this
    const standsAt = (first: number): boolean => wide.every((value, n) => isPlaced(value) && value.at === first - n)
    const first = wide[0]!
    if (isPlaced(first) && standsAt(first.at)) return first.at
    const fits = wide.every((value, n) => registers.isFree(wideAt - n) || registers.holderAt(wideAt - n) === value)
    const at = fits ? wideAt : registers.temporaries(wide.length)
    wide.forEach((value, n) => {
      if (registers.isFree(at - n)) this.copy(this.operand(value), at - n, place)
    })
    return at
  }

  /** Brings every word that the next block wants into place, and keeps what the end itself reads. */
  private settle({ a, b, place }: BlockEnd): void {
    const { registers, writer } = this
    const { stack, need } = this.draft
    const moves: Move[] = []
    const constants: { readonly value: Value; readonly to: number }[] = []
    const overwritten = new Set<number>()
    for (let i = 0; i < stack.length; i++) {
      const value = stack[i]!
      const to = i - need
      if (!isPlaced(value)) constants.push({ value, to })
      else if (value.at !== to) moves.push({ from: value.at, to })
      else continue
      overwritten.add(to)
    }
    for (const value of new Set([a, b])) {
      if (value === undefined || !isPlaced(value) || !overwritten.has(value.at)) continue
      const [kept] = value.wanted
      if (kept !== undefined) {
        value.at = kept
        continue
      }
      const to = registers.temporary()
      this.copy(stackOperand(value.at), to, place)
      registers.put(value, to)
    }
    const temporary = (): number => registers.temporary()
    for (const { from, to } of orderMoves(moves, temporary)) this.copy(stackOperand(from), to, place)
    for (const { value, to } of constants) {
      registers.touch(to)
      writer.instruction({ opcode: VM_OPCODES.copy, result: stackOperand(to), a: this.operand(value) }, place)
    }
  }

  private lowerEnd(end: BlockEnd): void {
    const { stack, need } = this.draft
    const { opcode, mode, immediate, target, otherwise, operandsInStack, gas, place } = end
    const fields = { opcode, mode, immediate: immediate & 0xffff, block: target, gas }
    if (operandsInStack > 0) {
      const first = stack.length - need - 1
      const result = stackOperand(first - operandsInStack + 1)
      this.writer.instruction({ ...fields, result, c: stackOperand(first) }, place)
      return
    }
    const a = end.a === undefined ? {} : { a: this.operand(end.a) }
    const b = end.b === undefined ? {} : { b: this.operand(end.b) }
    const c = opcode === VM_OPCODES.branch ? { c: otherwise } : {}
    this.writer.instruction({ ...fields, ...a, ...b, ...c }, place)
  }
}
