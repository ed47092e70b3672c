import type { Piece, ValueId } from './path_ir.ts'
import type { Values } from './values.ts'

/** One symbolic byte: a known byte, or byte `byte` (0 = most significant) of a value. */
export type Cell = number | { readonly value: ValueId; readonly byte: number }

const ZERO: Cell = 0

const scratch = new DataView(new ArrayBuffer(32))

/** The 32 bytes of a word, most significant first. */
export const bytesOfWordValue = (value: bigint): Uint8Array => {
  for (let at = 24, rest = value; at >= 0; at -= 8, rest >>= 64n)
    scratch.setBigUint64(at, rest & 0xffff_ffff_ffff_ffffn)
  return new Uint8Array(scratch.buffer.slice(0))
}

const cellsOfConstant = (value: bigint): Cell[] => Array.from(bytesOfWordValue(value))

const cellsByBuilder = new WeakMap<Values, (readonly Cell[] | undefined)[]>()

/**
 * The 32 bytes of a value as the EVM stores it in memory. Bytes above the proven width are known zeros. Made once for
 * each value.
 */
export const cellsOfWord = (builder: Values, id: ValueId): readonly Cell[] => {
  let known = cellsByBuilder.get(builder)
  if (known === undefined) {
    known = []
    cellsByBuilder.set(builder, known)
  }
  const cells = known[id] ?? makeCells(builder, id)
  known[id] = cells
  return cells
}

const makeCells = (builder: Values, id: ValueId): readonly Cell[] => {
  const value = builder.value(id)
  if (value.op === 'const') return cellsOfConstant(value.attribute as bigint)
  if (value.op === 'concat') {
    const cells: Cell[] = Array.from({ length: 32 }, () => ZERO)
    for (const piece of value.attribute as readonly Piece[]) {
      const source = cellsOfWord(builder, value.args[piece.argument]!)
      for (let i = 0; i < piece.count; i++) cells[piece.to + i] = source[piece.from + i]!
    }
    return cells
  }
  const zeros = 32 - Math.ceil(value.bits / 8)
  return Array.from({ length: 32 }, (_, byte) => (byte < zeros ? ZERO : { value: id, byte }))
}

const wordOfScratch = (): bigint =>
  (((scratch.getBigUint64(0) << 64n) | scratch.getBigUint64(8)) << 128n) |
  (scratch.getBigUint64(16) << 64n) |
  scratch.getBigUint64(24)

/**
 * The value whose 32 bytes are `cells`: a constant, a value that lies there whole, or a `concat` of byte runs.
 * In: exactly 32 cells.
 */
export const wordOfCells = (builder: Values, cells: readonly Cell[]): ValueId => {
  const whole = wholeValue(builder, cells)
  if (whole !== undefined) return whole
  const args: ValueId[] = []
  const pieces: Piece[] = []
  const argumentOf = (id: ValueId): number => {
    const at = args.indexOf(id)
    return at >= 0 ? at : args.push(id) - 1
  }
  for (let i = 0; i < 32; i++) {
    const cell = cells[i]!
    scratch.setUint8(i, typeof cell === 'number' ? cell : 0)
  }
  const constantId = builder.constant(wordOfScratch())
  for (let to = 0; to < 32; ) {
    const first = cells[to]!
    let count = 1
    if (typeof first === 'number') {
      if (first !== 0) {
        while (to + count < 32 && typeof cells[to + count] === 'number' && cells[to + count] !== 0) count++
        pieces.push({ argument: argumentOf(constantId), from: to, count, to })
      }
    } else {
      for (; to + count < 32; count++) {
        const next = cells[to + count]!
        if (typeof next === 'number' || next.value !== first.value || next.byte !== first.byte + count) break
      }
      pieces.push({ argument: argumentOf(first.value), from: first.byte, count, to })
    }
    to += count
  }
  return builder.make('concat', args, pieces)
}

const wholeValue = (builder: Values, cells: readonly Cell[]): ValueId | undefined => {
  const last = cells[31]!
  if (typeof last === 'number') {
    for (let i = 0; i < 32; i++) {
      const cell = cells[i]!
      if (typeof cell !== 'number') return undefined
      scratch.setUint8(i, cell)
    }
    return builder.constant(wordOfScratch())
  }
  if (last.byte !== 31) return undefined
  const zeros = 32 - Math.ceil(builder.value(last.value).bits / 8)
  for (let i = 0; i < 31; i++) {
    const cell = cells[i]!
    if (typeof cell === 'number') {
      if (cell !== 0 || i >= zeros) return undefined
    } else if (cell.value !== last.value || cell.byte !== i) return undefined
  }
  return last.value
}
