import {
  type At,
  entriesOf,
  field,
  hashOf,
  listOf,
  type ObjectAt,
  objectOf,
  optional,
  refuse,
} from '../../conformance/json_field.ts'
import type { Withdrawal } from '../../host/chain/withdrawals.ts'
import type { BlockReward } from '../../host/flows/block_work.ts'
import { numberOf, optionalNumber, toolAddress } from './json_values.ts'

/** The environment as it is given. */
export interface GivenEnv {
  readonly coinbase: string
  readonly gasLimit: bigint
  readonly number: bigint
  readonly timestamp: bigint
  readonly difficulty: bigint | undefined
  readonly random: bigint | undefined
  readonly baseFee: bigint | undefined
  readonly excessBlobGas: bigint | undefined
  readonly parent: GivenParent
  readonly parentBeaconBlockRoot: string | undefined
  /** Undefined where there is no such field. */
  readonly blockHashes: ReadonlyMap<bigint, string> | undefined
  readonly uncles: BlockReward['uncles']
  readonly withdrawals: readonly Withdrawal[] | undefined
}

interface GivenParent {
  readonly difficulty: bigint | undefined
  readonly baseFee: bigint | undefined
  readonly gasUsed: bigint
  readonly gasLimit: bigint
  readonly timestamp: bigint
  readonly uncleHash: string
  readonly excessBlobGas: bigint | undefined
  readonly blobGasUsed: bigint | undefined
}

const ZERO_HASH = `0x${'0'.repeat(64)}`

/** Reads the environment; whether it fits a fork is another question. Throws FixtureError. */
export const readEnv = (at: ObjectAt): GivenEnv => {
  const beaconRoot = optional(at, 'parentBeaconBlockRoot')
  const uncleHash = optional(at, 'parentUncleHash')
  const hashes = optional(at, 'blockHashes')
  const withdrawals = optional(at, 'withdrawals')
  const ommers = optional(at, 'ommers')
  return {
    coinbase: toolAddress(field(at, 'currentCoinbase')),
    gasLimit: numberOf(field(at, 'currentGasLimit'), 64),
    number: numberOf(field(at, 'currentNumber'), 64),
    timestamp: numberOf(field(at, 'currentTimestamp'), 64),
    difficulty: optionalNumber(at, 'currentDifficulty'),
    random: optionalNumber(at, 'currentRandom'),
    baseFee: optionalNumber(at, 'currentBaseFee'),
    excessBlobGas: optionalNumber(at, 'currentExcessBlobGas', 64),
    parent: {
      difficulty: optionalNumber(at, 'parentDifficulty'),
      baseFee: optionalNumber(at, 'parentBaseFee'),
      gasUsed: optionalNumber(at, 'parentGasUsed', 64) ?? 0n,
      gasLimit: optionalNumber(at, 'parentGasLimit', 64) ?? 0n,
      timestamp: optionalNumber(at, 'parentTimestamp', 64) ?? 0n,
      uncleHash: uncleHash === undefined ? ZERO_HASH : hashOf(uncleHash),
      excessBlobGas: optionalNumber(at, 'parentExcessBlobGas', 64),
      blobGasUsed: optionalNumber(at, 'parentBlobGasUsed', 64),
    },
    parentBeaconBlockRoot: beaconRoot === undefined ? undefined : hashOf(beaconRoot),
    blockHashes: hashes === undefined ? undefined : readHashes(objectOf(hashes)),
    uncles: ommers === undefined ? [] : listOf(ommers).map((ommer) => readOmmer(objectOf(ommer))),
    withdrawals:
      withdrawals === undefined ? undefined : listOf(withdrawals).map((one) => readWithdrawal(objectOf(one))),
  }
}

const readHashes = (at: ObjectAt): ReadonlyMap<bigint, string> =>
  new Map(entriesOf(at).map(([number, hash]) => [numberOf({ ...hash, value: number }, 64), hashOf(hash)]))

const readOmmer = (at: ObjectAt): BlockReward['uncles'][number] => ({
  coinbase: toolAddress(field(at, 'address')),
  distance: distanceOf(field(at, 'delta')),
})

/** An ommer is paid for what its distance is below 8: one at 8 gets nothing, and its account is touched. */
const distanceOf = (at: At): bigint => {
  const distance = numberOf(at, 64)
  return distance <= 8n ? distance : refuse(at, 'a number up to 8')
}

const readWithdrawal = (at: ObjectAt): Withdrawal => ({
  index: numberOf(field(at, 'index'), 64),
  validatorIndex: numberOf(field(at, 'validatorIndex'), 64),
  address: toolAddress(field(at, 'address')),
  amount: numberOf(field(at, 'amount'), 64),
})
