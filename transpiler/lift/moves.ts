/** A copy between positions. */
export interface Move {
  readonly from: number
  readonly to: number
}

/**
 * Copies that together have the effect of `moves` at once, in an order to run them in; destinations are distinct. A
 * cycle goes through `temporary()`, a position that no move names. Linear in the number of moves.
 */
export const orderMoves = (moves: readonly Move[], temporary: () => number): readonly Move[] => {
  if (moves.length < 2) return moves
  const byDestination = new Map<number, Move>()
  const readers = new Map<number, number>()
  for (const move of moves) {
    byDestination.set(move.to, move)
    readers.set(move.from, (readers.get(move.from) ?? 0) + 1)
  }
  const ordered: Move[] = []
  const redirected = new Map<number, number>()
  const ready = moves.filter(({ to }) => !readers.has(to))
  const run = (): void => {
    for (let move = ready.pop(); move !== undefined; move = ready.pop()) {
      const { from, to } = move
      byDestination.delete(to)
      ordered.push({ from: redirected.get(from) ?? from, to })
      const left = readers.get(from)! - 1
      if (left > 0) readers.set(from, left)
      else {
        readers.delete(from)
        const blocked = byDestination.get(from)
        if (blocked !== undefined) ready.push(blocked)
      }
    }
  }
  run()
  // What is left are cycles in which each position has one reader: saving one destination frees its move.
  for (const move of moves) {
    if (byDestination.get(move.to) !== move) continue
    const saved = temporary()
    ordered.push({ from: move.to, to: saved })
    redirected.set(move.to, saved)
    readers.delete(move.to)
    ready.push(move)
    run()
  }
  return ordered
}
