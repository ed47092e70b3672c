import type { Fork } from '../../../transpiler/spec/forks.ts'

/**
 * The forks of the OP stack that change what a block does, oldest first. Delta changes only how blocks are derived.
 *
 * Example: {@link OpChain}.
 */
export const OP_FORKS = [
  'bedrock',
  'regolith',
  'canyon',
  'ecotone',
  'fjord',
  'granite',
  'holocene',
  'isthmus',
  'jovian',
  'karst',
  'lagoon',
] as const

/**
 * One of OP_FORKS.
 *
 * Example: {@link OpChain}.
 */
export type OpFork = (typeof OP_FORKS)[number]

const ORDER = Object.fromEntries(OP_FORKS.map((fork, index) => [fork, index])) as Record<OpFork, number>

export const isOpAtLeast = (fork: OpFork, other: OpFork): boolean => ORDER[fork] >= ORDER[other]

const EVM: Readonly<Record<OpFork, Fork>> = {
  bedrock: 'paris',
  regolith: 'paris',
  canyon: 'shanghai',
  ecotone: 'cancun',
  fjord: 'cancun',
  granite: 'cancun',
  holocene: 'cancun',
  isthmus: 'prague',
  jovian: 'prague',
  karst: 'osaka',
  lagoon: 'osaka',
}

/**
 * The fork of Ethereum whose EVM a fork of the OP stack has.
 *
 * @example
 * import { evmForkOf, OP_FORKS } from 'wgevm'
 *
 * console.log(OP_FORKS.length, evmForkOf('jovian')) // 11 prague
 */
export const evmForkOf = (fork: OpFork): Fork => EVM[fork]
