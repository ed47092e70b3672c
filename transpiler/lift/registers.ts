import { type BlockDraft, NOWHERE, type Value } from './values.ts'

/**
 * Who stands at which position while the operations of a block run in order.
 *
 * Positions below the final height belong to what the next block wants there; the others, and those whose word is dead,
 * are free for temporaries. A free position is one whose holder is not read any more.
 */
export class Registers {
  private readonly need: number
  private readonly holders: (Value | undefined)[]
  private readonly final: readonly Value[]
  private readonly end: number
  /** First position that no next block wants. */
  private readonly firstTemporary: number
  /** Above every position used so far. */
  private top: number
  private readonly freed: number[] = []
  /** Words above the height at the start that were written. */
  above = 0

  /**
   * Every reader of the draft is known: `lastUse` and `wanted` of its values are set. `end`: number of the block's end.
   */
  constructor({ need, stack }: BlockDraft, entries: readonly Value[], end: number) {
    this.need = need
    this.final = stack
    this.end = end
    this.firstTemporary = Math.max(0, stack.length - need)
    this.top = this.firstTemporary
    this.holders = new Array<Value | undefined>(need + this.top).fill(undefined)
    for (const entry of entries) {
      if (entry.lastUse < 0) continue
      entry.at = entry.index
      this.holders[entry.index + need] = entry
    }
  }

  holderAt(position: number): Value | undefined {
    return this.holders[position + this.need]
  }

  isFree(position: number): boolean {
    return this.holders[position + this.need] === undefined
  }

  /** The value stands at `position`, which is free; its former place is not given back. */
  put(value: Value, position: number): void {
    this.holders[position + this.need] = value
    value.at = position
    this.touch(position)
  }

  /** Notes that `position` is written. */
  touch(position: number): void {
    this.above = Math.max(this.above, position + 1)
    for (; this.top <= position; this.top++) if (this.top < position) this.freed.push(this.top)
  }

  release(value: Value): void {
    if (value.at === NOWHERE || this.holderAt(value.at) !== value) return
    this.holders[value.at + this.need] = undefined
    if (value.at >= this.firstTemporary) this.freed.push(value.at)
  }

  /** A free position that no value wants; the caller puts something there, or frees it again. */
  temporary(): number {
    for (let position = this.freed.pop(); position !== undefined; position = this.freed.pop()) {
      if (this.isFree(position)) return position
    }
    this.touch(this.top)
    return this.top - 1
  }

  /** `count` free positions in a row; the highest. They are free again at once. */
  temporaries(count: number): number {
    const first = this.top
    for (let position = first; position < first + count; position++) {
      this.touch(position)
      this.freed.push(position)
    }
    return first + count - 1
  }

  /** Chooses where a result goes; the operands that its operation is the last to read are released before. */
  assignResult(value: Value): void {
    const { home, row } = value
    const wanted = value.wanted.find((position) => this.isFree(position))
    if (wanted !== undefined) this.put(value, wanted)
    else if (row !== NOWHERE && this.isFree(row) && this.leavesInTime(value, row)) this.put(value, row)
    else if (home < this.firstTemporary && this.isFree(home) && this.leavesInTime(value, home)) this.put(value, home)
    else this.put(value, this.temporary())
  }

  /** Whether a temporary at `position` is gone before the value that is wanted there comes. */
  private leavesInTime(value: Value, position: number): boolean {
    const wanted = this.final[position + this.need]
    if (wanted === undefined) return true
    return value.lastUse <= (wanted.kind === 'result' ? wanted.operation!.order : this.end - 1)
  }

  /**
   * A position that `value` is wanted at and that is held by another until the end, which could move to where it is
   * wanted itself, or to a temporary for the end to read: (position, where its holder goes). Nothing where a wanted
   * position is free, or will be once operation `order` has read its operands.
   */
  exchange(value: Value, order: number): readonly [from: number, to: number] | undefined {
    let found: readonly [number, number] | undefined
    for (const position of value.wanted) {
      const holder = this.holderAt(position)
      if (holder === undefined || holder.lastUse <= order) return undefined
      if (found !== undefined) continue
      const isEndOperand = holder.wanted.length === 0 && holder.lastUse === this.end
      const to = isEndOperand ? this.temporary() : holder.wanted.find((other) => this.isFree(other))
      if (to !== undefined) found = [position, to]
    }
    return found
  }
}
