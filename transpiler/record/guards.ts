import type { Builder } from '../ir/builder.ts'
import type { GuardEffect, ValueId } from '../ir/path_ir.ts'
import { describeValue } from '../ir/text.ts'
import type { Word } from './memory.ts'

/** Where the recorder is, for the guard that it makes there. */
export interface CodePosition {
  readonly pc: number
  readonly depth: number
}

/** In words; a function where making the words costs more than most guards are worth. */
type Meaning = string | (() => string)

/** Collects the conditions under which the recorded path holds; each condition once, constants never. */
export class Guards {
  readonly effects: GuardEffect[] = []
  private readonly builder: Builder
  private readonly seen = new Set<ValueId>()
  position: CodePosition = { pc: 0, depth: 0 }

  constructor(builder: Builder) {
    this.builder = builder
  }

  /** The path holds only where `condition` is true. `meaning` says it in words. */
  require(condition: ValueId, words: Meaning): void {
    const constant = this.builder.constantOf(condition)
    if (constant !== undefined && constant !== 0n) return
    const meaning = (): string => (typeof words === 'string' ? words : words())
    if (constant === 0n) throw new Error(`recorder bug: guard never holds: ${meaning()}`)
    if (this.seen.has(condition)) return
    this.seen.add(condition)
    this.effects.push({
      kind: 'guard',
      condition,
      meaning: meaning(),
      pc: this.position.pc,
      depth: this.position.depth,
    })
  }

  requireNot(condition: ValueId, meaning: Meaning): void {
    this.require(this.builder.make('iszero', [condition]), meaning)
  }

  /** Makes `word` the constant that it was in the recorded transaction. */
  pin(word: Word, what: string): bigint {
    if (this.builder.constantOf(word.value) === undefined) {
      const equal = this.builder.make('eq', [word.value, this.builder.constant(word.concrete)])
      this.require(
        equal,
        () => `${what} is 0x${word.concrete.toString(16)}: ${describeValue(this.builder.values, word.value)}`,
      )
    }
    return word.concrete
  }

  equal(a: ValueId, b: ValueId, meaning: Meaning): void {
    this.require(this.builder.make('eq', [a, b]), meaning)
  }
}
