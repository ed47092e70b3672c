import type { Common } from '@ethereumjs/common'
import { type Address, createAddressFromBigInt } from '@ethereumjs/util'
import type { RunState } from './instructions.ts'

/**
 * What an instruction pays before it looks at state, whatever the state then says (EIP-7928, "Gas Validation Before
 * State Access"; docs/decisions/0018). Where a frame lacks that, its account or slot is not among what the transaction
 * read.
 *
 * The instructions here are those for which the handlers of @ethereumjs/evm look first and charge later (CALL,
 * CALLCODE, DELEGATECALL, STATICCALL, SELFDESTRUCT), or do not look at all (calls of precompiles, calls that may not
 * start, copies of no bytes).
 */
export interface StateAccess {
  /**
   * Gas that the frame must have, the base gas of the instruction included; undefined where it fails before any charge.
   */
  demand(runState: RunState, baseGas: bigint): bigint | undefined
  /** Loads the account, so it is among the reads. */
  look(runState: RunState): Promise<unknown>
}

interface Form {
  /** Words that the instruction takes, and the place of the address among them, from the top. */
  readonly pops: number
  readonly address: number
  /** Place of the value; absent where there is none. */
  readonly value?: number
  /** Places of offset and length of each range of memory. */
  readonly ranges: readonly (readonly [number, number])[]
  /** Whether a static frame may not do it: at all, or with value. */
  readonly static?: 'forbidden' | 'forbidden with value'
  /** A warm account costs nothing. */
  readonly isWarmFree?: true
  /** Place of the length of a copy. */
  readonly copied?: number
}

const CALL_RANGES = [
  [3, 4],
  [5, 6],
] as const
const PLAIN_CALL_RANGES = [
  [2, 3],
  [4, 5],
] as const

const FORMS: Readonly<Record<number, Form>> = {
  60: { pops: 4, address: 0, ranges: [[1, 3]], copied: 3 },
  241: { pops: 7, address: 1, value: 2, ranges: CALL_RANGES, static: 'forbidden with value' },
  242: { pops: 7, address: 1, value: 2, ranges: CALL_RANGES },
  244: { pops: 6, address: 1, ranges: PLAIN_CALL_RANGES },
  250: { pops: 6, address: 1, ranges: PLAIN_CALL_RANGES },
  255: { pops: 1, address: 0, ranges: [], static: 'forbidden', isWarmFree: true },
}

const ADDRESS_MASK = (1n << 160n) - 1n

/** The access of an opcode; undefined where the stock handlers look after they have charged. */
export const stateAccess = (code: number, common: Common): StateAccess | undefined => {
  const form = FORMS[code]
  return form === undefined ? undefined : new FormAccess(form, common)
}

class FormAccess implements StateAccess {
  readonly #form: Form
  readonly #common: Common

  constructor(form: Form, common: Common) {
    this.#form = form
    this.#common = common
  }

  demand(runState: RunState, baseGas: bigint): bigint | undefined {
    const { pops, value: valuePlace, ranges, copied, static: rule } = this.#form
    const common = this.#common
    if (runState.stack.length < pops) return undefined
    const words = runState.stack.peek(pops)
    const value = valuePlace === undefined ? 0n : words[valuePlace]!
    if (runState.env.isStatic && (rule === 'forbidden' || (rule !== undefined && value !== 0n))) return undefined
    let gas = baseGas + memoryGas(runState, words, ranges, common) + this.#accessGas(runState)
    if (value !== 0n) gas += common.param('callValueTransferGas')
    if (copied !== undefined) gas += common.param('copyGas') * ((words[copied]! + 31n) / 32n)
    return gas
  }

  look(runState: RunState): Promise<unknown> {
    return runState.stateManager.getAccount(this.#address(runState))
  }

  #address(runState: RunState): Address {
    const { address } = this.#form
    return createAddressFromBigInt(runState.stack.peek(address + 1)[address]! & ADDRESS_MASK)
  }

  #accessGas(runState: RunState): bigint {
    if (!this.#common.isActivatedEIP(2929)) return 0n
    const isWarm = runState.interpreter.journal.isWarmedAddress(this.#address(runState).bytes)
    if (!isWarm) return this.#common.param('coldaccountaccessGas')
    return this.#form.isWarmFree === true ? 0n : this.#common.param('warmstoragereadGas')
  }
}

/** What it costs that memory covers the ranges (YP 328); nothing is noted. */
const memoryGas = (
  { memoryWordCount, highestMemCost }: RunState,
  words: readonly bigint[],
  ranges: Form['ranges'],
  common: Common,
): bigint => {
  let count = memoryWordCount
  for (const [offset, length] of ranges) {
    const end = words[length] === 0n ? 0n : (words[offset]! + words[length]! + 31n) / 32n
    if (end > count) count = end
  }
  if (count === memoryWordCount) return 0n
  return count * common.param('memoryGas') + (count * count) / common.param('quadCoefficientDivGas') - highestMemCost
}
