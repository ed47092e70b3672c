import type { Builder } from './builder.ts'
import type { Piece, ValueId } from './path_ir.ts'

/** One symbolic byte: a known byte, or byte `byte` (0 = most significant) of a value. */
export type Cell = number | { readonly value: ValueId; readonly byte: number }

const ZERO: Cell = 0

export const cellsOfConstant = (value: bigint): Cell[] => {
  const hex = value.toString(16).padStart(64, '0')
  return Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
}

/** The 32 bytes of a value as the EVM stores it in memory. Bytes above the proven width are known zeros. */
export const cellsOfWord = (builder: Builder, id: ValueId): Cell[] => {
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

/**
 * The value whose 32 bytes are `cells`: a constant, a value that lies there whole, or a `concat` of byte runs.
 * In: exactly 32 cells.
 */
export const wordOfCells = (builder: Builder, cells: readonly Cell[]): ValueId => {
  const whole = wholeValue(builder, cells)
  if (whole !== undefined) return whole
  const args: ValueId[] = []
  const pieces: Piece[] = []
  const argumentOf = (id: ValueId): number => {
    const at = args.indexOf(id)
    return at >= 0 ? at : args.push(id) - 1
  }
  let constant = 0n
  for (const cell of cells) constant = (constant << 8n) | BigInt(typeof cell === 'number' ? cell : 0)
  const constantId = builder.constant(constant)
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

const wholeValue = (builder: Builder, cells: readonly Cell[]): ValueId | undefined => {
  const last = cells[31]!
  if (typeof last === 'number') {
    if (cells.some((cell) => typeof cell !== 'number')) return undefined
    return builder.constant(cells.reduce<bigint>((word, cell) => (word << 8n) | BigInt(cell as number), 0n))
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
