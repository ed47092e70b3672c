import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { accessListName, MAX_LISTED } from '../../../transpiler/record/access_list.ts'
import { hasPaths } from '../../../transpiler/record/record.ts'
import type { Fork } from '../../../transpiler/spec/forks.ts'
import { type OpenBatch, TIER_LAST } from '../../batch/open_batch.ts'
import type { ExitReasons } from '../../batch/reason.ts'
import { isRoutedCall } from '../../batch/route.ts'
import type { TransactionBatch } from '../../chain/batch.ts'
import { wordIsZero } from '../../primitives/word.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'
import type { PathLibrary } from './library.ts'
import { accessListOf } from './recording.ts'

/**
 * An open batch with what this tier knows of it. Transaction i:
 *
 * keyIds   i32[n]   path key of a call (PathKeys), -1 where this tier has not taken it
 */
export interface PathBatch extends OpenBatch {
  readonly keyIds: Int32Array
  /** `tier[i]` of the transactions that this tier has. */
  readonly number: number
  /** Transactions that it has given back. */
  givenBack: number
}

/** Takes every call that may have a path, and finds its key. */
export const takeCalls = (
  batch: OpenBatch,
  number: number,
  fork: Fork,
  resident: ResidentState,
  library: PathLibrary,
  reasons: ExitReasons,
): PathBatch => {
  const { count, accessStart, dataStart, value } = batch.batch
  const keyIds = new Int32Array(count).fill(-1)
  const open = { ...batch, keyIds, number, givenBack: 0 }
  if (!hasPaths(fork)) return open
  const { tier, toCodes } = batch
  const known = resident.codes.codes
  const accessList = reasons.code('access list')
  for (let i = 0; i < count; i++) {
    if (!isRoutedCall(batch, i)) continue
    if (accessStart[i + 1]! - accessStart[i]! > MAX_LISTED) {
      batch.reasons[i] = accessList
      continue
    }
    const bytes = dataStart[i + 1]! - dataStart[i]!
    const selector = selectorOf(batch.batch, i)
    const valueIsZero = wordIsZero(value, LIMBS_PER_WORD * i)
    const { skeleton, skeletonKey } = known[toCodes[i]!]!
    const list = accessStart[i + 1] === accessStart[i] ? undefined : accessListName(accessListOf(batch.batch, i))
    const traits = 2 * library.accessListId(list) + (valueIsZero ? 1 : 0)
    const id = library.keyId(skeleton, selector, bytes, traits)
    if (id === library.keys.length) {
      const key = { fork, skeleton: skeletonKey, selector, calldataBytes: bytes, valueIsZero }
      library.open(list === undefined ? key : { ...key, accessList: list })
    }
    tier[i] = number
    batch.reasons[i] = 0
    keyIds[i] = id
  }
  return open
}

/** The first four bytes of calldata as a number; -1 where there are fewer. */
const selectorOf = ({ data, dataStart }: TransactionBatch, i: number): number => {
  const start = dataStart[i]!
  if (dataStart[i + 1]! - start < 4) return -1
  return ((data[start]! << 24) | (data[start + 1]! << 16) | (data[start + 2]! << 8) | data[start + 3]!) >>> 0
}

/** Gives transactions back, for this reason. */
export const giveBack = (batch: PathBatch, transactions: Int32Array, code: number): void => {
  for (const i of transactions) {
    batch.tier[i] = TIER_LAST
    batch.reasons[i] = code
  }
  batch.givenBack += transactions.length
}
