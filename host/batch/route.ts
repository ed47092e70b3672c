import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { isPrecompile } from '../../transpiler/spec/precompiles.ts'
import { TYPE_DEPOSIT, TYPE_SET_CODE } from '../chain/batch.ts'
import { VAULTS } from '../chain/op/predeploys.ts'
import { addressFromHex } from '../primitives/word.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import { type OpenBatch, TIER_LAST, TIER_NONE } from './open_batch.ts'
import type { ExitReason, ExitReasons } from './reason.ts'

/** No precompile of any fork stands above (EIP-7951: 0x100). */
const LAST_LOW_ADDRESS = 0x1ff

/**
 * Makes every sender, called account and who is paid fees resident, and fills the columns of their ids, and of the
 * codes that are called.
 */
export const loadParties = (openBatch: OpenBatch, resident: ResidentState): void | Promise<void> => {
  const { batch, fromIds, toIds, toCodes, env, rules } = openBatch
  const payees = [env.coinbase, ...(rules.charges === undefined ? [] : VAULTS)]
  const paid = new Uint32Array(LIMBS_PER_ADDRESS * payees.length)
  for (const [n, address] of payees.entries()) addressFromHex(paid, LIMBS_PER_ADDRESS * n, address)
  const paidIds = new Int32Array(payees.length)
  const second = (): void | Promise<void> => resident.accountIds(batch.to, batch.count, toIds, toCodes)
  const third = (): void | Promise<void> => resident.accountIds(paid, payees.length, paidIds)
  const last = (): void => {
    openBatch.coinbaseId = paidIds[0]!
    openBatch.vaultIds = [...paidIds.subarray(1)]
    if (batch.creates.indexOf(1) < 0) return
    for (let i = 0; i < batch.count; i++) if (batch.creates[i] === 1) toIds[i] = -1
  }
  return after(after(after(resident.accountIds(batch.from, batch.count, fromIds), second), third), last)
}

/** Runs `next` when `before` is done: at once where it was synchronous. */
const after = (before: void | Promise<void>, next: () => void | Promise<void>): void | Promise<void> =>
  before === undefined ? next() : before.then(next)

/**
 * Decides of every transaction whether a tier is to execute it, and why only the last one can: what is no call of code
 * at this fork. `noTier` is the reason of all other calls while no tier has taken them. `hasP256`: the chain has that
 * precompile whatever the fork.
 */
export const routeTransactions = (
  fork: Fork,
  openBatch: OpenBatch,
  reasons: ExitReasons,
  noTier: ExitReason = 'no path',
  hasP256 = false,
): void => {
  const { batch, rules, toCodes, tier } = openBatch
  const { type, to, creates, gasLimit } = batch
  const isOld = !isAtLeast(fork, 'spuriousDragon')
  const whys = openBatch.reasons
  const toLast = (i: number, reason: number): void => {
    tier[i] = TIER_LAST
    whys[i] = reason
  }
  const setCode = reasons.code('set code')
  const deposit = reasons.code('deposit')
  const created = reasons.code('create')
  const precompile = reasons.code('precompile')
  const earlyFork = reasons.code('fork before spurious dragon')
  const gasAbove = reasons.code('gas limit above 2^32')
  const untaken = reasons.code(noTier)
  const { rejection } = rules
  for (let i = 0; i < batch.count; i++) {
    if (rejection[i] === 0 && type[i]! < TYPE_SET_CODE && creates[i] === 0) {
      if (to[LIMBS_PER_ADDRESS * i]! > LAST_LOW_ADDRESS || !callsPrecompile(fork, hasP256, to, LIMBS_PER_ADDRESS * i)) {
        if (toCodes[i] === 0) tier[i] = TIER_NONE
        else if (isOld) toLast(i, earlyFork)
        else if (gasLimit[2 * i + 1] !== 0) toLast(i, gasAbove)
        else toLast(i, untaken)
        continue
      }
      toLast(i, precompile)
    } else if (rejection[i] !== 0) tier[i] = TIER_NONE
    else if (type[i]! >= TYPE_SET_CODE) toLast(i, type[i] === TYPE_DEPOSIT ? deposit : setCode)
    else toLast(i, created)
    toCodes[i] = 0
  }
}

/** Whether transaction i is a call of code that recorded paths and other tiers may take, as far as routing knows. */
export const isRoutedCall = ({ batch, tier, toCodes }: OpenBatch, i: number): boolean =>
  tier[i] === TIER_LAST && toCodes[i] !== 0 && batch.gasLimit[2 * i + 1] === 0

/** The address is the last limbs of few bits: nearly all calls are told apart by the first of them. */
const callsPrecompile = (fork: Fork, hasP256: boolean, to: Uint32Array, at: number): boolean =>
  to[at]! <= LAST_LOW_ADDRESS &&
  (to[at + 1]! | to[at + 2]! | to[at + 3]! | to[at + 4]!) === 0 &&
  isPrecompile(fork, to[at]!, hasP256)
