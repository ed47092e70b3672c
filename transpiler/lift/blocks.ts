import { jumpDestinations } from '../skeleton.ts'
import { OPCODES } from '../spec/opcodes.ts'
import type { LiftForm } from './lifted_code.ts'
import type { Rule } from './rules.ts'

/** A straight run of opcodes: entered at `start`, left behind the last of them. */
export interface CodeBlock {
  readonly start: number
  /** After its last opcode and its immediate; where it is the size of the code or more, the code ends here. */
  readonly end: number
  /** Words that it takes from the stack at its start. */
  readonly need: number
  /** Words above the height at its start, at most. */
  readonly growth: number
  /**
   * An opcode that looks at an account or a slot has another one of the block after it: where that one's stack faults,
   * the look stands.
   */
  readonly looks: boolean
}

export interface CodeBlocks {
  readonly list: readonly CodeBlock[]
  /** By byte of the code: block + 1 of a JUMPDEST, else 0. */
  readonly jumps: Uint16Array
}

const JUMPS_PER_VECTOR = 8

/** Calls and creations end their block. */
const LOOKING = ['BALANCE', 'EXTCODESIZE', 'EXTCODECOPY', 'EXTCODEHASH', 'SLOAD', 'SSTORE']
const LOOKS: ReadonlySet<number> = new Set(
  OPCODES.filter(({ mnemonic }) => LOOKING.includes(mnemonic)).map(({ code }) => code),
)

/** Whether the opcode is the last of its block; what falls through it enters the next one. */
const endsBlock = ({ kind }: Rule): boolean =>
  kind === 'call' || kind === 'branch' || kind === 'jump' || kind === 'end' || kind === 'refuse'
const fallsThrough = ({ kind }: Rule): boolean => kind === 'call' || kind === 'branch'

/**
 * Cuts code into blocks, in its order: before every JUMPDEST and after every opcode that ends one; `traced`: after
 * every opcode. What falls through block i enters block i + 1; the last one falls into the STOP after the code. Code
 * between the end of a run and the next JUMPDEST belongs to no block. Where a call or a JUMPI is the last opcode, an
 * empty block stands after the code.
 */
export const cutBlocks = (code: Uint8Array, rules: readonly Rule[], form: LiftForm): CodeBlocks => {
  const destinations = jumpDestinations(code)
  const jumps = new Uint16Array(Math.ceil(code.length / JUMPS_PER_VECTOR) * JUMPS_PER_VECTOR)
  const list: CodeBlock[] = []
  let entered = true
  let pc = 0
  while (pc < code.length || entered) {
    if (!entered && destinations[pc] !== 1) {
      pc += 1 + rules[code[pc]!]!.immediateBytes
      continue
    }
    const start = pc
    let height = 0
    let lowest = 0
    let highest = 0
    let ended = false
    let looked = false
    let looks = false
    while (pc < code.length) {
      if (destinations[pc] === 1) {
        if (pc > start) break
        jumps[pc] = list.length + 1
      }
      const opcode = code[pc]!
      const rule = rules[opcode]!
      looks ||= looked
      looked ||= LOOKS.has(opcode)
      pc += 1 + rule.immediateBytes
      lowest = Math.min(lowest, height - rule.pops)
      height += rule.pushes - rule.pops
      highest = Math.max(highest, height)
      if (endsBlock(rule)) {
        ended = true
        entered = fallsThrough(rule)
        break
      }
      if (form === 'traced') break
    }
    // A run that meets the end of the code stops there; in a trace that STOP is a step of its own.
    if (!ended) entered = pc < code.length || (form === 'traced' && pc > start)
    list.push({ start, end: pc, need: -lowest, growth: highest, looks })
  }
  return { list, jumps }
}
