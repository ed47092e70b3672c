import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { MICRO } from '../../transpiler/lift/micro_codes.ts'
import { accessListName, MAX_LISTED } from '../../transpiler/record/access_list.ts'
import { hasPaths } from '../../transpiler/record/record.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { TYPE_DEPOSIT, TYPE_SET_CODE } from '../chain/batch.ts'
import { addressFromHex, wordIsZero } from '../primitives/word.ts'
import { HOST_CODE, HOST_LIMBS } from '../state/tables/account_table.ts'
import type { ResidentState } from '../state/tables/resident_tables.ts'
import { calledMicroCode } from '../tiers/lane_vm/wave.ts'
import type { PathLibrary } from '../tiers/path/library.ts'
import { accessListOf } from '../tiers/path/recording.ts'
import { type Schedule, TIER_CPU, TIER_LANE, TIER_TRANSFER } from './open_batch.ts'
import type { ExitReasons } from './reason.ts'

/** Addresses from 1 up to here are precompiles at some fork, or may become some (EIP-7951: 0x100). */
const LAST_LOW_ADDRESS = 0x1ff

/** Makes every sender, called account and the coinbase resident, and fills `fromIds`, `toIds`, `coinbaseId`. */
export const loadParties = (schedule: Schedule, resident: ResidentState): void | Promise<void> => {
  const { batch, fromIds, toIds, env } = schedule
  const coinbase = new Uint32Array(LIMBS_PER_ADDRESS)
  addressFromHex(coinbase, 0, env.coinbase)
  const coinbaseId = new Int32Array(1)
  const second = (): void | Promise<void> => resident.accountIds(batch.to, batch.count, toIds)
  const third = (): void | Promise<void> => resident.accountIds(coinbase, 1, coinbaseId)
  const last = (): void => {
    schedule.coinbaseId = coinbaseId[0]!
    for (let i = 0; i < batch.count; i++) if (batch.creates[i] === 1) toIds[i] = -1
  }
  return after(after(after(resident.accountIds(batch.from, batch.count, fromIds), second), third), last)
}

/** Runs `next` when `before` is done: at once where it was synchronous. */
const after = (before: void | Promise<void>, next: () => void | Promise<void>): void | Promise<void> =>
  before === undefined ? next() : before.then(next)

/**
 * Chooses the tier of every transaction, and the path key of those that call code; without a library there are no paths, and such
 * calls stand for the CPU tier.
 */
export const routeTransactions = (
  fork: Fork,
  schedule: Schedule,
  resident: ResidentState,
  library: PathLibrary | undefined,
  reasons: ExitReasons,
): void => {
  const { batch, rules, toIds, toCodes, tier, keyIds } = schedule
  const { type, data, dataStart, value, to, creates, accessStart, gasLimit } = batch
  const { hosts } = resident.accounts
  const known = resident.codes.codes
  const isOld = !hasPaths(fork)
  const toCpu = (i: number, reason: number): void => {
    tier[i] = TIER_CPU
    schedule.reasons[i] = reason
  }
  const micro = isAtLeast(fork, 'berlin') ? MICRO(fork) : undefined
  const isPrecompile = (i: number): boolean => {
    const called = calledMicroCode(to, i)
    return micro === undefined || (called !== 0 && micro[called] !== undefined)
  }
  const setCode = reasons.code('set code')
  const deposit = reasons.code('deposit')
  const created = reasons.code('create')
  const precompile = reasons.code('precompile')
  const earlyFork = reasons.code('fork before spurious dragon')
  const accessList = reasons.code('access list')
  const gasAbove = reasons.code('gas limit above 2^32')
  const noPath = reasons.code('no path')
  for (let i = 0; i < batch.count; i++) {
    if (rules.rejection[i] !== 0) {
      tier[i] = TIER_TRANSFER
      continue
    }
    if (type[i]! >= TYPE_SET_CODE) {
      toCpu(i, type[i] === TYPE_DEPOSIT ? deposit : setCode)
      continue
    }
    if (creates[i] === 1) {
      toCpu(i, created)
      continue
    }
    const at = LIMBS_PER_ADDRESS * i
    const isLow = to[at]! !== 0 && to[at]! <= LAST_LOW_ADDRESS
    if (isLow && (to[at + 1]! | to[at + 2]! | to[at + 3]! | to[at + 4]!) === 0 && isPrecompile(i)) {
      toCpu(i, precompile)
      continue
    }
    const code = hosts[toIds[i]! * HOST_LIMBS + HOST_CODE]!
    toCodes[i] = code
    if (code === 0) {
      tier[i] = TIER_TRANSFER
      continue
    }
    if (isOld) toCpu(i, earlyFork)
    else if (gasLimit[2 * i + 1] !== 0) toCpu(i, gasAbove)
    else if (library === undefined) toCpu(i, noPath)
    else if (accessStart[i + 1]! - accessStart[i]! > MAX_LISTED) toCpu(i, accessList)
    else {
      const start = dataStart[i]!
      const bytes = dataStart[i + 1]! - start
      const selector =
        bytes < 4
          ? -1
          : ((data[start]! << 24) | (data[start + 1]! << 16) | (data[start + 2]! << 8) | data[start + 3]!) >>> 0
      const valueIsZero = wordIsZero(value, LIMBS_PER_WORD * i)
      const { skeleton, skeletonKey } = known[code]!
      const list = accessStart[i + 1] === accessStart[i] ? undefined : accessListName(accessListOf(batch, i))
      const traits = 2 * library.accessListId(list) + (valueIsZero ? 1 : 0)
      const id = library.keyId(skeleton, selector, bytes, traits)
      if (id === library.keys.length) {
        const key = { fork, skeleton: skeletonKey, selector, calldataBytes: bytes, valueIsZero }
        library.open(list === undefined ? key : { ...key, accessList: list })
      }
      tier[i] = TIER_LANE
      keyIds[i] = id
    }
  }
}
