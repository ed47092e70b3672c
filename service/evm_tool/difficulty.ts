import { EMPTY_LIST_HASH } from '../../host/chain/header.ts'
import { isAtLeast } from '../../transpiler/spec/forks.ts'
import type { ForkRules } from './fork_rules.ts'

/** What the difficulty of a block follows from. */
export interface DifficultyTerms {
  readonly number: bigint
  readonly timestamp: bigint
  readonly parentTimestamp: bigint
  readonly parentDifficulty: bigint
  /** 0x-hex; of a parent without uncles that of the empty list, or zero. */
  readonly parentUncleHash: string
}

const LEAST = 131_072n
const BOUND_DIVISOR = 2048n
const LOWEST_FACTOR = -99n
/** Frontier: below this many seconds the difficulty grows. */
const FRONTIER_SECONDS = 13n
const BOMB_PERIOD = 100_000n
const ZERO_HASH = `0x${'0'.repeat(64)}`

/** Difficulty of a block before Paris: YP 4.3.4 for Frontier, EIP-2, EIP-100 with the bomb's delays. */
export const difficultyOf = ({ fork, bombDelay }: ForkRules, terms: DifficultyTerms): bigint => {
  const { number, parentDifficulty: parent } = terms
  const changed = parent + (parent / BOUND_DIVISOR) * factorOf(fork, terms)
  const least = changed < LEAST ? LEAST : changed
  const delayed = bombDelay === undefined ? number : number < bombDelay ? 0n : number - bombDelay
  const period = delayed / BOMB_PERIOD
  return period > 1n ? least + 2n ** (period - 2n) : least
}

const factorOf = (
  fork: ForkRules['fork'],
  { timestamp, parentTimestamp, parentUncleHash }: DifficultyTerms,
): bigint => {
  const seconds = timestamp - parentTimestamp
  if (!isAtLeast(fork, 'homestead')) return seconds < FRONTIER_SECONDS ? 1n : -1n
  const hasUncles = parentUncleHash !== ZERO_HASH && parentUncleHash !== EMPTY_LIST_HASH
  const factor = isAtLeast(fork, 'byzantium') ? (hasUncles ? 2n : 1n) - seconds / 9n : 1n - seconds / 10n
  return factor < LOWEST_FACTOR ? LOWEST_FACTOR : factor
}
