/**
 * The forks that change what a transaction does, oldest first. Difficulty-bomb delays (Muir, Arrow and Gray Glacier)
 * and the DAO state change execute like the fork before them and have no name of their own here.
 * Spelling follows `Hardfork` of `@ethereumjs/common`, except that its `chainstart` is `frontier` (execution-specs).
 *
 * Example: {@link isAtLeast}.
 */
export const FORKS = [
  'frontier',
  'homestead',
  'tangerineWhistle',
  'spuriousDragon',
  'byzantium',
  'constantinople',
  'petersburg',
  'istanbul',
  'berlin',
  'london',
  'paris',
  'shanghai',
  'cancun',
  'prague',
  'osaka',
] as const
/**
 * The name of a set of protocol rules: one of FORKS.
 *
 * Example: {@link isAtLeast}.
 */
export type Fork = (typeof FORKS)[number]

const ORDER = Object.fromEntries(FORKS.map((fork, index) => [fork, index])) as Record<Fork, number>

/**
 * True where `fork` is `other` or a later one: the rules that `other` brought are in force.
 *
 * @example
 * import { FORKS, isAtLeast } from 'wgevm'
 *
 * console.log(isAtLeast('osaka', 'london')) // true
 * console.log(FORKS.filter((fork) => isAtLeast(fork, 'prague'))) // [ 'prague', 'osaka' ]
 */
export const isAtLeast = (fork: Fork, other: Fork): boolean => ORDER[fork] >= ORDER[other]

/**
 * True where `name` is one of FORKS, spelled exactly so.
 *
 * @example
 * import { isFork } from 'wgevm'
 *
 * console.log(isFork('osaka'), isFork('Osaka')) // true false
 */
export const isFork = (name: string): name is Fork => Object.hasOwn(ORDER, name)

/** A number that changes with the forks: (first fork, value) pairs, ascending; each holds until the next one. */
export type ByFork = readonly (readonly [Fork, number])[]

/** The value in force at `fork`; 0 before the first entry. */
export const valueAt = (table: ByFork, fork: Fork): number => {
  let value = 0
  for (const [from, next] of table) if (isAtLeast(fork, from)) value = next
  return value
}

const ETHEREUMJS_HARDFORKS = {
  frontier: 'chainstart',
  homestead: 'homestead',
  tangerineWhistle: 'tangerineWhistle',
  spuriousDragon: 'spuriousDragon',
  byzantium: 'byzantium',
  constantinople: 'constantinople',
  petersburg: 'petersburg',
  istanbul: 'istanbul',
  berlin: 'berlin',
  london: 'london',
  paris: 'paris',
  shanghai: 'shanghai',
  cancun: 'cancun',
  prague: 'prague',
  osaka: 'osaka',
} as const satisfies Record<Fork, string>

/** The name under which @ethereumjs/common knows `fork`. */
export const ethereumjsHardfork = (fork: Fork): (typeof ETHEREUMJS_HARDFORKS)[Fork] => ETHEREUMJS_HARDFORKS[fork]
