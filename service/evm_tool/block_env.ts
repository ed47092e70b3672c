import { blobBaseFee } from '../../host/chain/blob_schedule.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { nextBaseFee, nextExcessBlobGas } from '../../host/chain/header.ts'
import { isAtLeast } from '../../transpiler/spec/forks.ts'
import { difficultyOf } from './difficulty.ts'
import type { GivenEnv } from './env_json.ts'
import type { ForkRules } from './fork_rules.ts'
import { ToolError } from './tool_error.ts'

/** The environment of the block, made complete by the rules of its fork. */
export interface ToolBlock {
  readonly env: BlockEnvironment
  /** Undefined from Paris on. */
  readonly difficulty: bigint | undefined
  readonly baseFee: bigint | undefined
  /** Undefined where it cannot be known: no transaction has blobs then. */
  readonly excessBlobGas: bigint | undefined
  readonly parentBeaconBlockRoot: string | undefined
  /** What EIP-2935 enters. */
  readonly parentHash: string | undefined
}

const ZERO_HASH = `0x${'0'.repeat(64)}`

/** What `given` comes to under the rules; what they need and it has not is a ToolError. */
export const blockEnvOf = (given: GivenEnv, rules: ForkRules): ToolBlock => {
  const { fork, blobs } = rules
  const { coinbase, gasLimit, number, timestamp, blockHashes } = given
  const baseFee = baseFeeOf(given, rules)
  if (isAtLeast(fork, 'shanghai') && given.withdrawals === undefined)
    throw missing("Shanghai config but missing 'withdrawals' in env section")
  const difficulty = blockDifficulty(given, rules)
  if (isAtLeast(fork, 'cancun') && given.parentBeaconBlockRoot === undefined)
    throw missing('post-cancun env requires parentBeaconBlockRoot to be set')
  const excessBlobGas = excessOf(given, rules)
  const blobFee =
    excessBlobGas === undefined || blobs === undefined ? {} : { blobBaseFee: blobBaseFee(excessBlobGas, blobs) }
  return {
    env: {
      number,
      timestamp,
      coinbase,
      gasLimit,
      baseFeePerGas: isAtLeast(fork, 'london') ? baseFee! : 0n,
      prevRandao: difficulty ?? given.random!,
      ...blobFee,
      ...(blobs === undefined ? {} : { maxBlobs: blobs.maxBlobs }),
    },
    difficulty,
    baseFee,
    excessBlobGas,
    parentBeaconBlockRoot: isAtLeast(fork, 'cancun') ? given.parentBeaconBlockRoot : undefined,
    parentHash:
      isAtLeast(fork, 'prague') && blockHashes !== undefined ? (blockHashes.get(number - 1n) ?? ZERO_HASH) : undefined,
  }
}

const missing = (what: string): ToolError => new ToolError('config', what)

/** A base fee that is given counts before one that follows from the parent's, also before London. */
const baseFeeOf = ({ baseFee, parent, number }: GivenEnv, { fork }: ForkRules): bigint | undefined => {
  if (baseFee !== undefined || !isAtLeast(fork, 'london')) return baseFee
  if (parent.baseFee === undefined || number === 0n)
    throw missing("EIP-1559 config but missing 'parentBaseFee' in env section")
  const { gasUsed, gasLimit } = parent
  if (gasLimit < 2n)
    throw missing("the base fee follows from 'parentBaseFee' only with a 'parentGasLimit' of 2 or more")
  return nextBaseFee({ baseFeePerGas: parent.baseFee, gasUsed, gasLimit })
}

/** Given, or by the parent's; undefined from Paris on. */
const blockDifficulty = (given: GivenEnv, rules: ForkRules): bigint | undefined => {
  const { difficulty, random, number, timestamp, parent } = given
  if (isAtLeast(rules.fork, 'paris')) {
    if (random === undefined) throw missing('post-merge requires currentRandom to be defined in env')
    if (difficulty !== undefined && difficulty !== 0n)
      throw missing('post-merge difficulty must be zero (or omitted) in env')
    return undefined
  }
  if (difficulty !== undefined) return difficulty
  if (parent.difficulty === undefined)
    throw missing('currentDifficulty was not provided, and cannot be calculated due to missing parentDifficulty')
  if (number === 0n) throw missing('currentDifficulty needs to be provided for block number 0')
  if (timestamp <= parent.timestamp)
    throw missing(
      `currentDifficulty cannot be calculated -- currentTime (${timestamp}) needs to be after parent time (${parent.timestamp})`,
    )
  return difficultyOf(rules, {
    number,
    timestamp,
    parentTimestamp: parent.timestamp,
    parentDifficulty: parent.difficulty,
    parentUncleHash: parent.uncleHash,
  })
}

const excessOf = ({ excessBlobGas, parent }: GivenEnv, { fork, blobs }: ForkRules): bigint | undefined => {
  if (blobs === undefined || excessBlobGas !== undefined) return blobs === undefined ? undefined : excessBlobGas
  if (parent.excessBlobGas === undefined || parent.blobGasUsed === undefined) return undefined
  const { excessBlobGas: excess, blobGasUsed, baseFee } = parent
  return nextExcessBlobGas({ excessBlobGas: excess, blobGasUsed, baseFeePerGas: baseFee ?? 0n }, fork, blobs)
}
