import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { wordAdd, wordCompare, wordCopy, wordSub } from '../../primitives/word.ts'
import { ROW_BALANCE, ROW_LIMBS } from '../../state/tables/account_table.ts'
import type { LaneGroup } from './columns.ts'
import { laneParty, laneWord } from './lanes.ts'

const amount = new Uint32Array(LIMBS_PER_WORD)
const held = new Uint32Array(LIMBS_PER_WORD)

/**
 * Whether every payer of an inner transfer of a lane, which called account `to` with the value at `values[at]`, holds
 * the amount at its place among the transfers, on the balances of `rows`. None of them is the caller (recorder).
 * Nothing is written.
 */
export const canPayAlone = (
  group: LaneGroup,
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
const addTransfersBefore = (group: LaneGroup, lane: number, k: number, payer: number, to: number): boolean => {
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
