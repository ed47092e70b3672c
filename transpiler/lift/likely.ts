import { VM_MODES } from '../layout/instruction.ts'
import type { CodeBlock } from './blocks.ts'
import type { Rule } from './rules.ts'

/**
 * Which side of a branch transactions are likely to take: not the one that ends in REVERT or INVALID. A block does if
 * it says so itself, or goes on without a choice to one that does: checks of arguments and of arithmetic are that way.
 */
export class LikelyBlocks {
  private readonly code: Uint8Array
  private readonly rules: readonly Rule[]
  private readonly list: readonly CodeBlock[]
  private readonly jumps: Uint16Array
  /** By block: 1 it fails, 2 it does not, 3 it is being looked at. */
  private readonly known: Uint8Array

  constructor(code: Uint8Array, rules: readonly Rule[], list: readonly CodeBlock[], jumps: Uint16Array) {
    this.code = code
    this.rules = rules
    this.list = list
    this.jumps = jumps
    this.known = new Uint8Array(list.length)
  }

  /**
   * Whether `target` is the likely one of the two. `isTaken`: what the condition says about that; where nothing speaks
   * against either it is `otherwise`, which comes next in the code.
   */
  prefers(target: number, otherwise: number, isTaken: boolean | undefined): boolean {
    const fails = this.fails(target)
    return fails === this.fails(otherwise) ? isTaken === true : !fails
  }

  /** Whether nothing but REVERT or INVALID can come of the block. */
  fails(index: number): boolean {
    // Each turn goes one block on: no recursion, however long the chain.
    const chain: number[] = []
    let at: number | undefined = index
    while (at !== undefined && this.known[at] === 0) {
      this.known[at] = UNDER_WAY
      chain.push(at)
      at = this.onlyNext(at)
    }
    const last = chain.at(-1)
    const found =
      at === undefined ? (this.endsBadly(last!) ? FAILS : GOES_ON) : this.known[at] === FAILS ? FAILS : GOES_ON
    for (const block of chain) this.known[block] = found
    return this.known[index] === FAILS
  }

  private endsBadly(index: number): boolean {
    const rule = this.lastRule(index)
    return rule?.kind === 'end' && (rule.mode === VM_MODES.end.revert || rule.mode === VM_MODES.end.halt)
  }

  /** The block after this one where there is no choice; undefined where there is, or none. */
  private onlyNext(index: number): number | undefined {
    const { code, jumps, list } = this
    const { end } = list[index]!
    const rule = this.lastRule(index)
    if (rule === undefined || end >= code.length) return undefined
    if (rule.kind !== 'jump') {
      const goesOn = rule.kind !== 'branch' && rule.kind !== 'end' && rule.kind !== 'refuse' && rule.kind !== 'call'
      return goesOn && index + 1 < list.length ? index + 1 : undefined
    }
    const target = this.pushedInFront(index)
    const entry = target === undefined ? 0 : (jumps[target] ?? 0)
    return entry === 0 ? undefined : entry - 1
  }

  private lastRule(index: number): Rule | undefined {
    let found: Rule | undefined
    this.forEachRule(index, (rule) => {
      found = rule
    })
    return found
  }

  /** What the last but one opcode of the block pushes. */
  private pushedInFront(index: number): number | undefined {
    let [before, last]: (number | undefined)[] = [undefined, undefined]
    this.forEachRule(index, (rule, pc) => {
      before = last
      last =
        rule.kind === 'push' && rule.immediateBytes <= MOST_DESTINATION_BYTES ? this.immediate(pc, rule) : undefined
    })
    return before
  }

  private immediate(pc: number, { immediateBytes }: Rule): number {
    let value = 0
    for (let at = pc + 1; at <= pc + immediateBytes; at++) value = 256 * value + (this.code[at] ?? 0)
    return value
  }

  private forEachRule(index: number, visit: (rule: Rule, pc: number) => void): void {
    const { code, rules } = this
    const { start, end } = this.list[index]!
    for (let pc = start; pc < end && pc < code.length; ) {
      const rule = rules[code[pc]!]!
      visit(rule, pc)
      pc += 1 + rule.immediateBytes
    }
  }
}

const FAILS = 1
const GOES_ON = 2
const UNDER_WAY = 3
/** Code is shorter than what so many bytes can say. */
const MOST_DESTINATION_BYTES = 3
