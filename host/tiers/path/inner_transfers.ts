import { ACCOUNT_FLAG_EXISTS } from '../../../transpiler/layout/tables.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordAdd, wordCompare, wordCopy, wordIsZero, wordSub } from '../../primitives/word.ts'
import { type AccountTable, ROW_BALANCE, ROW_FLAGS, ROW_LIMBS } from '../../state/tables/account_table.ts'
import { credit } from '../../state/tables/balances.ts'
import type { PathGroup } from './columns.ts'
import { laneParty, laneWord } from './lanes.ts'

const amount = new Uint32Array(LIMBS_PER_WORD)
const held = new Uint32Array(LIMBS_PER_WORD)

/**
 * Wei that the calls of a device execution move, on the running balances at its place in the order.
 *
 * Such transfers depend on nothing but their own condition, that the payer has the amount, and make nothing depend on
 * them but conditions and reads after them: two transactions that pay out of one account do not conflict while there is
 * enough.
 */
export class InnerTransfers {
  readonly #accounts: AccountTable

  constructor(accounts: AccountTable) {
    this.#accounts = accounts
  }

  /**
   * Moves the transaction's value to the called account `entry`, then what its calls move, in order, and what dropped
   * frames moved back; takes the value away again where the transaction does not succeed. False, with all balances as
   * they were, where a payer lacks its amount. The sender is only ever paid here: what it spends was checked before,
   * and is debited after.
   */
  apply(group: PathGroup, lane: number, entry: number, value: Uint32Array, at: number): boolean {
    const accounts = this.#accounts
    const { transferFrom, transferTo, transferColumns, succeeds } = group.plan
    accounts.write(entry)
    credit(accounts.rows, entry * ROW_LIMBS + ROW_BALANCE, value, at)
    for (let k = 0; k < transferColumns.length; k++) {
      const payer = laneParty(group, lane, transferFrom[k]!, entry)
      const payee = laneParty(group, lane, transferTo[k]!, entry)
      laneWord(group, lane, transferColumns[k]!, amount)
      const { rows } = accounts
      const from = payer * ROW_LIMBS + ROW_BALANCE
      if (wordCompare(rows, from, amount, 0) < 0) {
        this.#undo(group, lane, k, entry)
        wordSub(rows, entry * ROW_LIMBS + ROW_BALANCE, rows, entry * ROW_LIMBS + ROW_BALANCE, value, at)
        return false
      }
      accounts.write(payer)
      accounts.write(payee)
      wordSub(rows, from, rows, from, amount, 0)
      credit(rows, payee * ROW_LIMBS + ROW_BALANCE, amount, 0)
    }
    const { rows } = accounts
    if (!succeeds) wordSub(rows, entry * ROW_LIMBS + ROW_BALANCE, rows, entry * ROW_LIMBS + ROW_BALANCE, value, at)
    for (let k = 0; k < transferColumns.length; k++) {
      const row = laneParty(group, lane, transferTo[k]!, entry) * ROW_LIMBS
      // What was paid and moved back makes no account exist.
      if (!wordIsZero(rows, row + ROW_BALANCE)) rows[row + ROW_FLAGS] = rows[row + ROW_FLAGS]! | ACCOUNT_FLAG_EXISTS
    }
    return true
  }

  /** Takes the first `count` transfers back, last one first. */
  #undo(group: PathGroup, lane: number, count: number, entry: number): void {
    const { rows } = this.#accounts
    const { transferFrom, transferTo, transferColumns } = group.plan
    for (let k = count - 1; k >= 0; k--) {
      const from = laneParty(group, lane, transferFrom[k]!, entry) * ROW_LIMBS + ROW_BALANCE
      const to = laneParty(group, lane, transferTo[k]!, entry) * ROW_LIMBS + ROW_BALANCE
      laneWord(group, lane, transferColumns[k]!, amount)
      wordSub(rows, to, rows, to, amount, 0)
      wordAdd(rows, from, rows, from, amount, 0)
    }
  }
}

/**
 * Whether every payer of an inner transfer of a lane, which called account `to` with the value at `values[at]`, holds
 * the amount at its place among the transfers, on the balances of `rows`. None of them is the caller (recorder).
 * Nothing is written.
 */
export const canPayAlone = (
  group: PathGroup,
  lane: number,
  to: number,
  rows: Uint32Array,
  values: Uint32Array,
  at: number,
): boolean => {
  const { transferFrom, transferColumns, transferBack } = group.plan
  for (let k = 0; k < transferColumns.length; k++) {
    if (transferBack[k] === 1) continue
    const payer = laneParty(group, lane, transferFrom[k]!, to)
    wordCopy(held, 0, rows, payer * ROW_LIMBS + ROW_BALANCE)
    if (payer === to && wordAdd(held, 0, held, 0, values, at) !== 0) return false
    if (!addTransfersBefore(group, lane, k, payer, to)) return false
    laneWord(group, lane, transferColumns[k]!, amount)
    if (wordCompare(held, 0, amount, 0) < 0) return false
  }
  return true
}

/**
 * Adds to `held` what the transfers before transfer `k` move from and to `payer`, all of them having been covered.
 * False where a sum on the way passes a word.
 */
const addTransfersBefore = (group: PathGroup, lane: number, k: number, payer: number, to: number): boolean => {
  const { transferFrom, transferTo, transferColumns } = group.plan
  for (let j = 0; j < k; j++) {
    const pays = laneParty(group, lane, transferFrom[j]!, to) === payer
    const isPaid = laneParty(group, lane, transferTo[j]!, to) === payer
    if (pays === isPaid) continue
    laneWord(group, lane, transferColumns[j]!, amount)
    if (pays) wordSub(held, 0, held, 0, amount, 0)
    else if (wordAdd(held, 0, held, 0, amount, 0) !== 0) return false
  }
  return true
}
