import { checkObject, checkOneOf, InputError, refuse } from '../../primitives/input.ts'
import { OP_FORKS, type OpFork } from './op_forks.ts'

/**
 * A chain of the OP stack: all that makes its blocks other than those of Ethereum. It is one value; who has none
 * executes Ethereum.
 *
 * @example
 * import { createExecutor, evmForkOf, MemoryState, type OpChain, opRulesAt } from 'wgevm'
 *
 * const chain: OpChain = {
 *   kind: 'op',
 *   forks: [{ fork: 'holocene', timestamp: 0n }, { fork: 'isthmus', timestamp: 1_000n }],
 *   baseFee: { elasticity: 6n, denominator: 50n, denominatorCanyon: 250n },
 * }
 * const rules = opRulesAt(chain, 1_000n)
 * console.log(rules.fork, evmForkOf(rules.fork)) // isthmus prague
 * createExecutor({ fork: 'prague', chainId: 10n, state: new MemoryState(), chain: rules }).close()
 */
export interface OpChain {
  readonly kind: 'op'
  /** Ascending; the first one is there from the first block on. */
  readonly forks: readonly OpForkStart[]
  /** What moves the base fee until the headers say so (Holocene), and where attributes leave it to the chain. */
  readonly baseFee: OpBaseFee
}

/**
 * A chain of the OP stack at one of its forks: what an executor has beside the fork of Ethereum, which follows from it.
 *
 * Example: {@link OpChain}.
 */
export interface OpRules extends OpChain {
  readonly fork: OpFork
}

/**
 * The second from which a fork holds.
 *
 * Example: {@link OpChain}.
 */
export interface OpForkStart {
  readonly fork: OpFork
  readonly timestamp: bigint
}

/**
 * EIP-1559 with other numbers: the gas limit over `elasticity` is the target, and `denominator`, from Canyon on
 * `denominatorCanyon`, tells how much of the base fee one block may change.
 *
 * Example: {@link OpChain}.
 */
export interface OpBaseFee {
  readonly elasticity: bigint
  readonly denominator: bigint
  readonly denominatorCanyon: bigint
}

/** The fork of a block with this timestamp. */
export const opForkAt = ({ forks }: OpChain, timestamp: bigint): OpFork => {
  let found = forks[0]!.fork
  for (const { fork, timestamp: from } of forks) if (timestamp >= from) found = fork
  return found
}

/**
 * The rules of a block with this timestamp.
 *
 * @example
 * import { opRulesAt, readOpChain } from 'wgevm'
 *
 * const optimism = { eip1559Elasticity: 6, eip1559Denominator: 50 }
 * const chain = readOpChain({ regolithTime: 0, canyonTime: 1_704_992_401, optimism })
 * console.log(opRulesAt(chain, 1_704_992_400n).fork) // regolith
 */
export const opRulesAt = (chain: OpChain, timestamp: bigint): OpRules => ({
  kind: chain.kind,
  forks: chain.forks,
  baseFee: chain.baseFee,
  fork: opForkAt(chain, timestamp),
})

/** Whether `fork` holds at a timestamp. */
export const isOpActive = (chain: OpChain, fork: OpFork, timestamp: bigint): boolean =>
  OP_FORKS.indexOf(opForkAt(chain, timestamp)) >= OP_FORKS.indexOf(fork)

/** The names of the forks in rollup configurations and genesis files, before `_time` and `Time`. */
const NAMED: readonly OpFork[] = OP_FORKS.slice(1)

/**
 * Reads what a genesis file (`regolithTime`, ... and `optimism`) or a rollup configuration (`regolith_time`, ... and
 * `chain_op_config`) says of a chain of the OP stack. Throws InputError.
 *
 * @example
 * import { readOpChain } from 'wgevm'
 *
 * const optimism = { eip1559Elasticity: 6, eip1559Denominator: 50, eip1559DenominatorCanyon: 250 }
 * const chain = readOpChain({ regolithTime: 0, canyonTime: 1_704_992_401, optimism })
 * console.log(chain.forks.map(({ fork }) => fork)) // [ 'bedrock', 'regolith', 'canyon' ]
 */
export const readOpChain = (value: unknown, field = 'config'): OpChain => {
  const config = checkObject(value, field)
  const forks: OpForkStart[] = [{ fork: 'bedrock', timestamp: 0n }]
  let first: string | undefined
  for (const fork of NAMED) {
    const name = config[`${fork}_time`] === undefined ? `${fork}Time` : `${fork}_time`
    const from = config[name]
    if (from === undefined || from === null) {
      // Rollup configurations leave out Regolith where it is there from the start.
      if (fork !== 'regolith') first ??= fork
      continue
    }
    if (first !== undefined) refuse(`${field}.${first}`, undefined, `a number, since ${name} is after it`)
    const timestamp = wholeOf(from, `${field}.${name}`)
    if (timestamp < forks.at(-1)!.timestamp) refuse(`${field}.${name}`, from, `at least ${forks.at(-1)!.timestamp}`)
    if (forks.length === 1 && fork !== 'regolith') forks.push({ fork: 'regolith', timestamp: 0n })
    forks.push({ fork, timestamp })
  }
  const name = config['chain_op_config'] === undefined ? 'optimism' : 'chain_op_config'
  const numbers = checkObject(config[name], `${field}.${name}`, 'an object with EIP-1559 parameters')
  const number = (key: string, otherwise?: bigint): bigint => {
    const given = numbers[key]
    if ((given === undefined || given === null) && otherwise !== undefined) return otherwise
    const whole = wholeOf(given, `${field}.${name}.${key}`)
    return whole > 0n ? whole : refuse(`${field}.${name}.${key}`, given, 'above 0')
  }
  const denominator = number('eip1559Denominator')
  return {
    kind: 'op',
    forks,
    baseFee: {
      elasticity: number('eip1559Elasticity'),
      denominator,
      denominatorCanyon: number('eip1559DenominatorCanyon', denominator),
    },
  }
}

/** A number below 2^64 as such files write it: JSON number, decimal or 0x-hex text. Throws InputError. */
export const wholeOf = (value: unknown, field: string): bigint => {
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  const isText = typeof value === 'string' && /^(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})$/.test(value)
  return isNumber || isText ? BigInt(value) : refuse(field, value, 'a whole number')
}

/** Throws InputError where the value is no chain at a fork. */
export const checkOpRules = (value: unknown, field: string): OpRules => {
  const chain = checkObject(value, field, 'a chain of the OP stack at a fork') as Partial<OpRules>
  if (chain.kind !== 'op') refuse(`${field}.kind`, chain.kind, "'op'")
  const { forks, baseFee } = chain
  if (!Array.isArray(forks) || forks.length === 0) return refuse(`${field}.forks`, forks, 'an array of forks')
  let order = -1
  let last = 0n
  for (const { fork, timestamp } of forks as readonly OpForkStart[]) {
    const index = OP_FORKS.indexOf(fork)
    if (index <= order || typeof timestamp !== 'bigint' || timestamp < last)
      throw new InputError(`${field}.forks must be forks of the OP stack, ascending`, `${field}.forks`, forks)
    order = index
    last = timestamp
  }
  for (const name of ['elasticity', 'denominator', 'denominatorCanyon'] as const) {
    const number: unknown = baseFee?.[name]
    if (typeof number !== 'bigint' || number <= 0n) refuse(`${field}.baseFee.${name}`, number, 'a bigint above 0')
  }
  checkOneOf(chain.fork, OP_FORKS, `${field}.fork`)
  return chain as OpRules
}
