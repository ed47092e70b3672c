import { InputError, refuse } from '../../primitives/input.ts'
import { type OpChain, readOpChain, wholeOf } from './op_chain.ts'
import { evmForkOf, OP_FORKS } from './op_forks.ts'

type Json = Readonly<Record<string, unknown>>

/** Names that the `config` of a genesis file has for forks of the OP stack; Delta changes no block. */
export const OP_STARTS: readonly string[] = [
  'bedrockBlock',
  'deltaTime',
  ...OP_FORKS.slice(1).map((fork) => `${fork}Time`),
]

const isNone = (value: unknown): boolean => value === undefined || value === null

/**
 * What the `config` of a genesis file says of a chain of the OP stack, undefined where it is one of Ethereum. Chains
 * that began before Bedrock are refused. Throws InputError.
 */
export const opChainOf = (config: Json): OpChain | undefined => {
  if (isNone(config['optimism'])) return undefined
  const { bedrockBlock, terminalTotalDifficulty } = config
  if (!isNone(bedrockBlock) && Number(bedrockBlock) !== 0)
    refuse('config.bedrockBlock', bedrockBlock, '0: blocks before Bedrock are not known here')
  if (isNone(terminalTotalDifficulty) || Number(terminalTotalDifficulty) !== 0)
    refuse('config.terminalTotalDifficulty', terminalTotalDifficulty, '0 on the OP stack')
  return readOpChain(config)
}

/** Times of Ethereum's forks on a chain of the OP stack, whose forks bring them. */
const ETHEREUM_TIMES = ['shanghai', 'cancun', 'prague', 'osaka'] as const

/**
 * The times of Ethereum's forks as the chain's forks bring them, in the names of genesis files: those that `config`
 * has must be the same. Throws InputError.
 */
export const ethereumTimesOf = ({ forks }: OpChain, config: Json): Json => {
  const times: Record<string, string> = {}
  for (const name of ETHEREUM_TIMES) {
    const start = forks.find(({ fork }) => evmForkOf(fork) === name)
    const field = `${name}Time`
    const given = config[field]
    if (start !== undefined) times[field] = `${start.timestamp}`
    if (isNone(given) || (start !== undefined && wholeOf(given, `config.${field}`) === start.timestamp)) continue
    throw new InputError(
      `config.${field} must be ${start === undefined ? 'absent' : `that of ${start.fork}, ${start.timestamp}`}, got ${given}`,
      `config.${field}`,
      given,
    )
  }
  return times
}
