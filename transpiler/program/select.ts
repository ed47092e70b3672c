import type { PathColumns } from '../emit/columns.ts'
import { keccakBlocks } from '../emit/schedule.ts'
import type { PathIr, Piece, Value, ValueId } from '../ir/path_ir.ts'
import { ENVIRONMENT_WORDS, type EnvironmentWord } from '../layout/environment.ts'
import { MODES, PROGRAM_MODES } from '../layout/instruction.ts'
import {
  MAX_PROGRAM_VECTORS,
  OPERAND_CONSTANT,
  OPERAND_INDEX_MASK,
  OPERAND_INPUT,
  OPERAND_NONE,
  PROGRAM_SHIFT_RIGHT,
  PROGRAM_SHORT_KECCAK_BYTES,
  type ProgramOpcode,
} from '../layout/program.ts'
import { KECCAK_RATE_BYTES } from '../layout/word.ts'
import { type Draft, MESSAGE, NONE, type Source, VIRTUAL } from './draft.ts'
import { PROGRAM_ROWS, type ProgramRow } from './rows.ts'

/** The path has no program. */
export class NotEncodableError extends Error {
  override readonly name = 'NotEncodableError'
}

/** Instructions in order, and the program's own constants. */
export interface Selection {
  readonly drafts: Draft[]
  readonly constants: readonly bigint[]
}

/** Effects that consist of ids and words with columns of their own (emit/columns.ts). */
const COLUMN_EFFECTS: ReadonlySet<string> = new Set(['store', 'log', 'transfer'])
const ALL_ONES = (1n << 256n) - 1n
const MAX_KECCAK_BLOCKS = 127
const SHORT_KECCAK_WORDS = 3

/** Bytes `from` to `from + count` of a word, 0 the most significant, as a mask. */
const byteMask = (from: number, count: number): bigint =>
  ((1n << BigInt(8 * count)) - 1n) << BigInt(8 * (32 - from - count))

/**
 * Chooses instructions for a path, in the order in which they run: what each guard needs, guard by guard, then
 * look-ups, outputs and gas. An operation stands as late as its first user allows, so few registers are alive at
 * once.
 *
 * Fused: a guard with the operation that computes its condition, `iszero` of a bool with the operation in front, a
 * constant shift with the mask after it, the pieces of a concat, each with its shift and mask.
 */
export const selectInstructions = (path: PathIr, columns: PathColumns): Selection => new Selector(path, columns).run()

class Selector {
  private readonly path: PathIr
  private readonly columns: PathColumns
  private readonly uses: Uint32Array
  private readonly sources = new Map<ValueId, Source>()
  private readonly drafts: Draft[] = []
  private readonly constants: bigint[] = []
  private readonly constantAt = new Map<bigint, Source>()
  private readonly draftOf = new Map<ValueId, Draft>()
  private temporaries: number

  constructor(path: PathIr, columns: PathColumns) {
    this.path = path
    this.columns = columns
    this.temporaries = path.values.length
    this.uses = useCounts(path, columns)
  }

  run(): Selection {
    const { path, columns } = this
    let exit = 0
    for (const effect of path.effects) {
      if (effect.kind === 'guard') this.guard(effect.condition, ++exit)
      else if (!COLUMN_EFFECTS.has(effect.kind)) throw new NotEncodableError(effect.kind)
    }
    for (const id of columns.lookupIndex.keys()) this.need(id)
    for (const [id, column] of columns.wordColumn) {
      const source = this.need(id)
      const draft = this.draftOf.get(id)
      if (draft === undefined || draft.column !== column) this.emit({ opcode: 'copy', a: source, column })
    }
    this.emit({ opcode: 'end', a: this.need(path.end.gas), b: this.need(path.end.refund) })
    return { drafts: this.drafts, constants: this.constants }
  }

  /** Ends the lane with `exit` where the condition, a bool, is false. */
  private guard(condition: ValueId, exit: number): void {
    let id = condition
    let invert = false
    let alone = true
    for (;;) {
      alone = alone && this.uses[id] === 1
      const value = this.value(id)
      if (value.op !== 'iszero' || this.value(value.args[0]!).type !== 'bool' || this.sources.has(id)) break
      invert = !invert
      id = value.args[0]!
    }
    const isNew = !this.sources.has(id)
    const source = this.need(id)
    const draft = this.draftOf.get(id)
    if (isNew && draft !== undefined && draft.guard === 0 && (!invert || alone) && draft.column === OPERAND_NONE) {
      draft.guard = exit
      if (invert) draft.invert = !draft.invert
    } else this.emit({ opcode: 'copy', a: source, invert, guard: exit })
  }

  /** The source of a value; operations that it takes and that are not there yet are put in front. */
  private need(id: ValueId): Source {
    const open = [id]
    while (open.length > 0) {
      const next = open.at(-1)!
      if (this.sources.has(next)) open.pop()
      else {
        const missing = this.operandsOf(next).filter((operand) => !this.sources.has(operand))
        if (missing.length > 0) open.push(...missing.reverse())
        else {
          open.pop()
          this.sources.set(next, this.select(next))
        }
      }
    }
    return this.sources.get(id)!
  }

  private value(id: ValueId): Value {
    return this.path.values[id]!
  }

  /** The values whose sources `select` takes. */
  private operandsOf(id: ValueId): readonly ValueId[] {
    const shifted = this.maskedShift(id)
    if (shifted !== undefined) return [shifted.operand]
    const inverted = this.invertedOperand(id)
    return inverted === undefined ? this.value(id).args : this.value(inverted).args
  }

  /** `iszero` of a bool that nothing else uses: the operation in front can give the inverted result. */
  private invertedOperand(id: ValueId): ValueId | undefined {
    const value = this.value(id)
    if (value.op !== 'iszero') return undefined
    const operand = value.args[0]!
    const { op, type } = this.value(operand)
    const canInvert = type === 'bool' && PROGRAM_ROWS.has(op)
    return canInvert && this.uses[operand] === 1 && !this.sources.has(operand) ? operand : undefined
  }

  /** A shift by a constant, and the constant mask around it where nothing else uses the shift. */
  private maskedShift(
    id: ValueId,
  ): { readonly operand: ValueId; readonly shift: number; readonly mask: bigint } | undefined {
    const value = this.value(id)
    if (value.op === 'and') {
      const [a, b] = value.args as [ValueId, ValueId]
      for (const [mask, inner] of [
        [a, b],
        [b, a],
      ] as const) {
        if (this.value(mask).op !== 'const' || this.uses[inner] !== 1 || this.sources.has(inner)) continue
        const shifted = this.maskedShift(inner)
        if (shifted?.mask === ALL_ONES) return { ...shifted, mask: this.value(mask).attribute as bigint }
      }
      return undefined
    }
    if (value.op !== 'shl' && value.op !== 'shr') return undefined
    const amount = this.value(value.args[0]!)
    if (amount.op !== 'const') return undefined
    const bits = amount.attribute as bigint
    if (bits > 255n) return { operand: value.args[1]!, shift: 0, mask: 0n }
    return {
      operand: value.args[1]!,
      shift: Number(bits) | (value.op === 'shr' ? PROGRAM_SHIFT_RIGHT : 0),
      mask: ALL_ONES,
    }
  }

  /** Emits the value's own operation; its operands are there. */
  private select(id: ValueId): Source {
    const { op, args, attribute } = this.value(id)
    const input = this.columns.inputColumn.get(id)
    if (input !== undefined) return OPERAND_INPUT | input
    const shifted = this.maskedShift(id)
    if (shifted !== undefined) {
      const { operand, shift, mask } = shifted
      const without = mask === ALL_ONES ? NONE : this.constant(ALL_ONES ^ mask)
      return this.emitValue(id, { opcode: 'field', a: this.sourceOf(operand), b: without, immediate: shift })
    }
    const inverted = this.invertedOperand(id)
    if (inverted !== undefined) {
      const inner = this.value(inverted)
      return this.row(id, PROGRAM_ROWS.get(inner.op)!, inner.args, true)
    }
    const sources = args.map((argument) => this.sourceOf(argument))
    const [a = NONE, b = NONE] = sources
    switch (op) {
      case 'const':
        return this.constant(attribute as bigint)
      case 'environment':
        return OPERAND_CONSTANT | ENVIRONMENT_WORDS.indexOf(attribute as EnvironmentWord)
      case 'gas':
        return this.emitValue(id, { opcode: 'pick', a: OPERAND_INPUT })
      case 'entry':
        return this.emitValue(id, { opcode: 'pick', mode: PROGRAM_MODES.pick.second, a: OPERAND_INPUT })
      case 'not':
        return this.emitValue(id, { opcode: 'logic', mode: MODES.logic.xor, a, b: this.constant(ALL_ONES) })
      case 'iszero':
        if (this.value(args[0]!).type === 'bool') return this.emitValue(id, { opcode: 'copy', a, invert: true })
        return this.emitValue(id, { opcode: 'compare', mode: MODES.compare.equal, a })
      case 'instance':
        return this.emitValue(id, {
          opcode: 'account',
          mode: PROGRAM_MODES.account.instance,
          a,
          immediate: attribute as number,
        })
      case 'skeleton':
        return this.emitValue(id, {
          opcode: 'account',
          mode: PROGRAM_MODES.account.skeleton,
          a,
          b: OPERAND_CONSTANT | (ENVIRONMENT_WORDS.length + (attribute as number)),
        })
      case 'load':
        return this.emitValue(id, { opcode: 'load', a, immediate: this.slotOrdinal(args[0]!) })
      case 'slot':
      case 'account':
        return this.lookup(id, op === 'slot' ? 'findSlot' : 'findAccount', a, b)
      case 'keccak':
        return this.keccak(id, sources, attribute as number)
      case 'concat':
        return this.concat(id, attribute as readonly Piece[])
    }
    const row = PROGRAM_ROWS.get(op)
    if (row === undefined) throw new NotEncodableError(op)
    return this.row(id, row, args, false)
  }

  private sourceOf(id: ValueId): Source {
    return this.sources.get(id)!
  }

  private row(id: ValueId, row: ProgramRow, args: readonly ValueId[], inverted: boolean): Source {
    const sources = args.map((argument) => this.sourceOf(argument))
    const [first = NONE, second = NONE, c = NONE] = sources
    const [a, b] = row.swap === true ? [second, first] : [first, second]
    const invert = (row.invert === true) !== inverted
    return this.emitValue(id, {
      opcode: row.opcode,
      mode: row.mode ?? 0,
      invert,
      a,
      b,
      c,
      immediate: row.immediate ?? 0,
    })
  }

  private slotOrdinal(slot: ValueId): number {
    const ordinal = this.columns.slotOrdinal.get(slot)
    if (ordinal === undefined) throw new NotEncodableError('a load of what is no slot')
    return ordinal
  }

  private lookup(id: ValueId, opcode: 'findSlot' | 'findAccount', a: Source, b: Source): Source {
    const { column, component, keyColumn } = this.columns.lookups[this.columns.lookupIndex.get(id)!]!
    // A look-up's id has its own column; it is no word of the outcome.
    if (this.columns.wordColumn.has(id)) throw new NotEncodableError('an id as a word')
    return this.emitValue(id, { opcode, mode: component, a, b, column, immediate: keyColumn })
  }

  private keccak(id: ValueId, words: readonly Source[], bytes: number): Source {
    const blocks = keccakBlocks(bytes)
    if (blocks > MAX_KECCAK_BLOCKS) throw new NotEncodableError('a long keccak')
    const end = blocks * KECCAK_RATE_BYTES - 1
    const isShort = bytes <= PROGRAM_SHORT_KECCAK_BYTES
    // The last byte of a short hash's padding is the kernel's.
    const count = isShort ? SHORT_KECCAK_WORDS : Math.ceil((end + 1) / 32)
    const padded = Array.from({ length: count }, (_, word): Source => {
      const place = (byte: number, value: bigint): bigint =>
        Math.floor(byte / 32) === word ? value << BigInt(8 * (31 - (byte % 32))) : 0n
      const padding = place(bytes, 1n) | place(end, 0x80n)
      const data = words[word]
      if (data === undefined) return padding === 0n ? NONE : this.constant(padding)
      if (padding === 0n) return data
      const kept = Math.max(0, Math.min(32, bytes - 32 * word))
      const beyond = this.constant(ALL_ONES ^ byteMask(0, kept))
      return this.emit({ opcode: 'field', a: data, b: beyond, c: this.constant(padding), result: this.temporary() })
    })
    if (isShort) {
      const [a = NONE, b = NONE, c = NONE] = padded
      return this.emitValue(id, { opcode: 'keccak', a, b, c })
    }
    for (const [i, word] of padded.entries()) this.emit({ opcode: 'copy', a: word, result: MESSAGE + i })
    return this.emitValue(id, { opcode: 'keccak', mode: blocks })
  }

  private concat(id: ValueId, pieces: readonly Piece[]): Source {
    const { args } = this.value(id)
    let fixed = 0n
    const moved: Piece[] = []
    for (const piece of pieces) {
      const argument = this.value(args[piece.argument]!)
      if (argument.op !== 'const') moved.push(piece)
      else fixed |= shifted(argument.attribute as bigint, piece) & byteMask(piece.to, piece.count)
    }
    let sum: Source = fixed === 0n ? NONE : this.constant(fixed)
    for (const [index, piece] of moved.entries()) {
      const argument = args[piece.argument]!
      const distance = 8 * Math.abs(piece.to - piece.from)
      const right = piece.to > piece.from
      const low = right ? 0 : distance
      const high = this.value(argument).bits + (right ? -distance : distance)
      const kept = 8 * (32 - piece.to)
      const fits = low >= kept - 8 * piece.count && Math.min(256, high) <= kept
      const fields = {
        opcode: 'field' as const,
        a: this.sourceOf(argument),
        b: fits ? NONE : this.constant(ALL_ONES ^ byteMask(piece.to, piece.count)),
        c: sum,
        immediate: distance | (right ? PROGRAM_SHIFT_RIGHT : 0),
      }
      sum = index === moved.length - 1 ? this.emitValue(id, fields) : this.emit({ ...fields, result: this.temporary() })
    }
    return sum === NONE ? this.constant(0n) : sum
  }

  private constant(value: bigint): Source {
    const known = this.constantAt.get(value)
    if (known !== undefined) return known
    const index = ENVIRONMENT_WORDS.length + this.path.skeletons.length + this.constants.length
    if (index > OPERAND_INDEX_MASK) throw new NotEncodableError('too many constants')
    this.constants.push(value)
    this.constantAt.set(value, OPERAND_CONSTANT | index)
    return OPERAND_CONSTANT | index
  }

  private temporary(): Source {
    return VIRTUAL + this.temporaries++
  }

  private emitValue(id: ValueId, fields: Partial<Draft> & { readonly opcode: ProgramOpcode }): Source {
    const column = fields.column ?? this.columns.wordColumn.get(id) ?? OPERAND_NONE
    const result = this.emit({ ...fields, column, result: VIRTUAL + id })
    this.draftOf.set(id, this.drafts.at(-1)!)
    return result
  }

  private emit(fields: Partial<Draft> & { readonly opcode: ProgramOpcode }): Source {
    if (this.drafts.length === MAX_PROGRAM_VECTORS) throw new NotEncodableError('too many instructions')
    const draft: Draft = {
      mode: 0,
      invert: false,
      a: NONE,
      b: NONE,
      c: NONE,
      immediate: 0,
      result: NONE,
      column: OPERAND_NONE,
      guard: 0,
      ...fields,
    }
    this.drafts.push(draft)
    return draft.result
  }
}

/** A word moved so that byte `from` of a piece stands at its place `to`. */
const shifted = (word: bigint, { from, to }: Piece): bigint =>
  to >= from ? word >> BigInt(8 * (to - from)) : BigInt.asUintN(256, word << BigInt(8 * (from - to)))

/** How often the values that the program computes are used by each other, by guards and by the outcome. */
const useCounts = (path: PathIr, columns: PathColumns): Uint32Array => {
  const uses = new Uint32Array(path.values.length)
  const needed = new Uint8Array(path.values.length)
  const use = (id: ValueId): void => {
    uses[id]!++
    needed[id] = 1
  }
  for (const effect of path.effects) if (effect.kind === 'guard') use(effect.condition)
  for (const id of columns.lookupIndex.keys()) needed[id] = 1
  for (const id of columns.wordColumn.keys()) use(id)
  use(path.end.gas)
  use(path.end.refund)
  for (let id = path.values.length - 1; id >= 0; id--) {
    if (needed[id] === 1) for (const argument of path.values[id]!.args) use(argument)
  }
  return uses
}
