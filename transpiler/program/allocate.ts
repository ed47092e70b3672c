import { OPERAND_REGISTER, OPERAND_SCRATCH, PROGRAM_FAST_REGISTERS } from '../layout/program.ts'
import { type Draft, MESSAGE, NONE, type Source, sourcesOf, VIRTUAL } from './draft.ts'

/** The register of every result that something uses, as an operand. */
export interface Allocation {
  readonly registers: ReadonlyMap<Source, number>
  readonly fast: number
  /** Scratch registers, messages after the others; they begin at `messages`. */
  readonly scratch: number
  readonly messages: number
}

interface Interval {
  readonly source: Source
  readonly start: number
  readonly end: number
  register: number
}

/**
 * Linear scan (Poletto and Sarkar 1999) over straight code: each result lives from its instruction to its last use.
 * Where more are alive than there are fast registers, the one that is used last stands in scratch for its whole life. A
 * register is free for the result of the instruction that uses it last, since operands are read first.
 */
export const allocateRegisters = (drafts: readonly Draft[]): Allocation => {
  const lastUse = new Map<Source, number>()
  let messageWords = 0
  drafts.forEach((draft, at) => {
    for (const source of sourcesOf(draft)) if (source >= VIRTUAL) lastUse.set(source, at)
  })
  const fast = new Registers()
  const scratch = new Registers()
  const registers = new Map<Source, number>()
  const spilled: Interval[] = []
  let active: Interval[] = []
  drafts.forEach(({ result }, at) => {
    active = active.filter((interval) => {
      if (interval.end > at) return true
      fast.free(interval.register)
      return false
    })
    const end = lastUse.get(result)
    if (result >= MESSAGE) messageWords = Math.max(messageWords, result - MESSAGE + 1)
    if (result === NONE || end === undefined) return
    const interval = { source: result, start: at, end, register: -1 }
    if (active.length < PROGRAM_FAST_REGISTERS) interval.register = fast.take()
    else {
      const last = active.reduce((a, b) => (b.end > a.end ? b : a))
      if (last.end <= end) {
        spilled.push(interval)
        return
      }
      interval.register = last.register
      spilled.push(last)
      active = active.filter((one) => one !== last)
      registers.delete(last.source)
    }
    registers.set(result, OPERAND_REGISTER | interval.register)
    active.push(interval)
  })
  allocateScratch(spilled, scratch, registers)
  return { registers, fast: fast.size, scratch: scratch.size + messageWords, messages: scratch.size }
}

const allocateScratch = (spilled: Interval[], scratch: Registers, registers: Map<Source, number>): void => {
  spilled.sort((a, b) => a.start - b.start)
  let active: { readonly end: number; readonly register: number }[] = []
  for (const { source, start, end } of spilled) {
    active = active.filter((one) => {
      if (one.end > start) return true
      scratch.free(one.register)
      return false
    })
    const register = scratch.take()
    active.push({ end, register })
    registers.set(source, OPERAND_SCRATCH | register)
  }
}

class Registers {
  size = 0
  readonly #open: number[] = []

  take(): number {
    return this.#open.pop() ?? this.size++
  }

  free(register: number): void {
    this.#open.push(register)
  }
}
