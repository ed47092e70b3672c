import { FORKS, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { checkHex, checkObject, InputError, refuse } from '../primitives/input.ts'
import { keccak256Hex } from '../primitives/keccak.ts'
import type { BlobSchedule } from './header.ts'
import type { OpChain } from './op/op_chain.ts'
import { ethereumTimesOf, OP_STARTS, opChainOf } from './op/op_config.ts'

/**
 * When a chain changes its rules: what the `config` of a genesis file says, checked.
 *
 * Example: {@link parseGenesis}.
 */
export interface ChainConfig {
  readonly chainId: bigint
  /** Ascending, frontier at block 0 first. Those by timestamp hold from the merge on. */
  readonly forks: readonly ForkStart[]
  /**
   * A block whose ancestors have this much difficulty together is one of proof of stake (EIP-3675). Absent: none is.
   */
  readonly terminalTotalDifficulty?: bigint
  /** 0x-hex in lower case (EIP-6110). */
  readonly depositContract?: string
  /** Ascending (EIP-7892). */
  readonly blobSchedules: readonly BlobStart[]
  /** Where it changes at all, by number and by second, ascending: what its nodes know each other by (EIP-2124). */
  readonly changes: { readonly blocks: readonly bigint[]; readonly times: readonly bigint[] }
  /** Of a chain of the OP stack: its forks, whose times decide those of Ethereum's. */
  readonly op?: OpChain
}

/**
 * The first block, or the first second, of a fork.
 *
 * Example: {@link parseGenesis}.
 */
export interface ForkStart {
  readonly fork: Fork
  readonly block?: bigint
  readonly timestamp?: bigint
}

/**
 * Blob limits and the second from which they hold.
 *
 * Example: {@link parseGenesis}.
 */
export interface BlobStart extends BlobSchedule {
  readonly timestamp: bigint
}

/** Where a block stands: what decides its fork. */
export interface BlockPlace {
  readonly number: bigint
  readonly timestamp: bigint
  /** Its ancestors have the terminal total difficulty. */
  readonly isMerged: boolean
}

/** Changes by block number in their order; those without a fork only delay the difficulty bomb, or change no rule. */
const BY_BLOCK: readonly (readonly [name: string, fork: Fork | undefined])[] = [
  ['homesteadBlock', 'homestead'],
  ['eip150Block', 'tangerineWhistle'],
  ['eip155Block', 'spuriousDragon'],
  ['byzantiumBlock', 'byzantium'],
  ['constantinopleBlock', 'constantinople'],
  ['petersburgBlock', 'petersburg'],
  ['istanbulBlock', 'istanbul'],
  ['muirGlacierBlock', undefined],
  ['berlinBlock', 'berlin'],
  ['londonBlock', 'london'],
  ['arrowGlacierBlock', undefined],
  ['grayGlacierBlock', undefined],
  ['mergeNetsplitBlock', undefined],
]

/** Changes by timestamp in their order; those without a fork change blob limits alone (EIP-7892). */
const BY_TIME: readonly (readonly [name: string, fork: Fork | undefined])[] = [
  ['shanghaiTime', 'shanghai'],
  ['cancunTime', 'cancun'],
  ['pragueTime', 'prague'],
  ['osakaTime', 'osaka'],
  ['bpo1Time', undefined],
  ['bpo2Time', undefined],
  ['bpo3Time', undefined],
  ['bpo4Time', undefined],
  ['bpo5Time', undefined],
]

/** Those that need no other before them, and that no other needs. */
const OPTIONAL = new Set(['muirGlacierBlock', 'arrowGlacierBlock', 'grayGlacierBlock', 'mergeNetsplitBlock'])

/** Reads the `config` of a genesis file as go-ethereum has it. Throws InputError. */
export const readChainConfig = (value: unknown): ChainConfig => {
  const config = checkObject(value, 'config', 'an object with a chain id and forks')
  checkKnown(config)
  const chainId = quantity(config['chainId'], 'config.chainId')
  if (chainId === undefined) return refuse('config.chainId', config['chainId'], 'a number')
  const terminalTotalDifficulty = quantity(config['terminalTotalDifficulty'], 'config.terminalTotalDifficulty')
  const depositContract = config['depositContractAddress']
  const op = opChainOf(config)
  const blocks = startsOf(config, BY_BLOCK)
  const times = startsOf(op === undefined ? config : ethereumTimesOf(op, config), BY_TIME)
  if (op !== undefined && blocks.at(-1)?.from !== 0n)
    refuse('config.londonBlock', config['londonBlock'], '0, as every change by number on the OP stack')
  if (times.length > 0 && terminalTotalDifficulty === undefined)
    refuse('config.terminalTotalDifficulty', undefined, `a number, since ${times[0]!.name} is after the merge`)
  if (times.length > 0 && blocks.every(({ fork }) => fork !== 'london'))
    refuse('config.londonBlock', undefined, `a number, since ${times[0]!.name} is after it`)
  return {
    chainId,
    forks: [
      { fork: 'frontier', block: 0n },
      ...blocks.flatMap(({ fork, from }) => (fork === undefined ? [] : [{ fork, block: from }])),
      ...times.flatMap(({ fork, from }) => (fork === undefined ? [] : [{ fork, timestamp: from }])),
    ],
    ...(terminalTotalDifficulty === undefined ? {} : { terminalTotalDifficulty }),
    ...(depositContract === undefined || depositContract === null
      ? {}
      : { depositContract: checkHex(depositContract, 20, 'config.depositContractAddress').toLowerCase() }),
    blobSchedules: op === undefined ? blobSchedulesOf(config['blobSchedule'], times) : [],
    changes: {
      blocks: ascending([...startsAt(blocks), ...optional(quantity(config['daoForkBlock'], 'config.daoForkBlock'))]),
      times: ascending([...startsAt(times), ...(op?.forks.slice(1).map(({ timestamp }) => timestamp) ?? [])]),
    },
    ...(op === undefined ? {} : { op }),
  }
}

const startsAt = (starts: readonly Start[]): readonly bigint[] => starts.map(({ from }) => from)

const optional = (value: bigint | undefined): readonly bigint[] => (value === undefined ? [] : [value])

const ascending = (values: readonly bigint[]): readonly bigint[] =>
  [...new Set(values)].sort((a, b) => (a < b ? -1 : 1))

/** Refuses what would make the rules of the chain other than those known here. */
const checkKnown = (config: Readonly<Record<string, unknown>>): void => {
  const isOp = config['optimism'] !== undefined && config['optimism'] !== null
  const byTime = BY_TIME.filter(([, fork]) => !isOp || fork !== undefined)
  const known = new Set([...BY_BLOCK, ...byTime].map(([name]) => name))
  for (const name of ['eip158Block', 'daoForkBlock', ...(isOp ? OP_STARTS : [])]) known.add(name)
  for (const [name, value] of Object.entries(config)) {
    if (value === null || !/(Block|Time)$/.test(name) || known.has(name)) continue
    throw new InputError(`config.${name}: there is no such fork here`, `config.${name}`, value)
  }
  if (config['clique'] !== undefined && config['clique'] !== null)
    throw new InputError('config.clique: chains with rules of their own are not known here', 'config.clique')
  if (config['daoForkSupport'] === true && typeof config['daoForkBlock'] === 'number')
    throw new InputError(
      'config.daoForkSupport: the state change of the DAO is not known here',
      'config.daoForkSupport',
    )
  if (!Object.is(config['eip155Block'] ?? null, config['eip158Block'] ?? null))
    refuse('config.eip158Block', config['eip158Block'], `what eip155Block is (${config['eip155Block']})`)
}

interface Start {
  readonly name: string
  readonly fork: Fork | undefined
  readonly from: bigint
}

const startsOf = (config: Readonly<Record<string, unknown>>, table: typeof BY_BLOCK): Start[] => {
  const starts: Start[] = []
  let missing: string | undefined
  for (const [name, fork] of table) {
    // Petersburg alone may be left out: it then comes with Constantinople.
    const isLeftOut = name === 'petersburgBlock' && (config[name] === undefined || config[name] === null)
    const from = quantity(isLeftOut ? config['constantinopleBlock'] : config[name], `config.${name}`)
    if (from === undefined) {
      if (!OPTIONAL.has(name)) missing ??= name
      continue
    }
    if (missing !== undefined && !OPTIONAL.has(name))
      refuse(`config.${missing}`, undefined, `a number, since ${name} is after it`)
    const last = starts.at(-1)
    if (last !== undefined && from < last.from) refuse(`config.${name}`, from, `at least ${last.name}, ${last.from}`)
    starts.push({ name, fork, from })
  }
  return starts
}

const blobSchedulesOf = (value: unknown, times: readonly Start[]): BlobStart[] => {
  if (value === undefined || value === null) return []
  const schedules = checkObject(value, 'config.blobSchedule')
  return times.flatMap(({ name, from }) => {
    const at = name.replace(/Time$/, '')
    if (schedules[at] === undefined || schedules[at] === null) return []
    const field = `config.blobSchedule.${at}`
    const schedule = checkObject(schedules[at], field)
    const numberOf = (key: string): bigint => {
      const number = quantity(schedule[key], `${field}.${key}`)
      return number ?? refuse(`${field}.${key}`, schedule[key], 'a number')
    }
    const start = {
      timestamp: from,
      targetBlobs: Number(numberOf('target')),
      maxBlobs: Number(numberOf('max')),
      updateFraction: numberOf('baseFeeUpdateFraction'),
    }
    if (start.targetBlobs > start.maxBlobs) refuse(`${field}.target`, start.targetBlobs, `at most ${start.maxBlobs}`)
    if (start.updateFraction === 0n) refuse(`${field}.baseFeeUpdateFraction`, 0n, 'above 0')
    return [start]
  })
}

/** A number as genesis files write it: JSON number, decimal or 0x-hex text. Absent and null are undefined. */
export const quantity = (value: unknown, field: string, bits = 256): bigint | undefined => {
  if (value === undefined || value === null) return undefined
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  const isText = typeof value === 'string' && /^(0x[0-9a-fA-F]{1,64}|[0-9]{1,78})$/.test(value)
  if (!isNumber && !isText) return refuse(field, value, 'a whole number, or text of digits or 0x-hex')
  const number = BigInt(value as number | string)
  return number >> BigInt(bits) === 0n ? number : refuse(field, value, `below 2^${bits}`)
}

/** The fork of a block. */
export const forkAt = ({ forks }: ChainConfig, { number, timestamp, isMerged }: BlockPlace): Fork => {
  let found: Fork = 'frontier'
  for (const start of forks) if (start.block !== undefined && start.block <= number) found = start.fork
  if (!isMerged) return found
  found = 'paris'
  for (const start of forks) if (start.timestamp !== undefined && start.timestamp <= timestamp) found = start.fork
  return found
}

/** Whether a block is of proof of stake, by the difficulty of all its ancestors together (EIP-3675). */
export const isMergedAfter = ({ terminalTotalDifficulty }: ChainConfig, totalDifficulty: bigint): boolean =>
  terminalTotalDifficulty !== undefined && totalDifficulty >= terminalTotalDifficulty

/** The blob limits that the chain's configuration sets for a block; undefined: those that its fork brought. */
export const configuredBlobs = (
  { blobSchedules }: ChainConfig,
  fork: Fork,
  timestamp: bigint,
): BlobSchedule | undefined => {
  if (!isAtLeast(fork, 'cancun')) return undefined
  const start = blobSchedules.filter((schedule) => schedule.timestamp <= timestamp).at(-1)
  if (start === undefined) return undefined
  const { timestamp: _, ...schedule } = start
  return schedule
}

/** keccak-256 of all that decides the rules of a block, 0x-hex: equal for configurations that are spelled otherwise. */
export const configHash = (config: ChainConfig): string => {
  const { chainId, forks, terminalTotalDifficulty, depositContract, blobSchedules, op } = config
  const text = [
    `chain ${chainId}`,
    ...forks.map(({ fork, block, timestamp }) => `${FORKS.indexOf(fork)} ${block ?? ''} ${timestamp ?? ''}`),
    `merge ${terminalTotalDifficulty ?? ''}`,
    `deposits ${depositContract ?? ''}`,
    ...blobSchedules.map(
      (blobs) => `${blobs.timestamp} ${blobs.targetBlobs} ${blobs.maxBlobs} ${blobs.updateFraction}`,
    ),
    ...(op === undefined ? [] : opLines(op)),
  ].join('\n')
  return keccak256Hex(new TextEncoder().encode(text))
}

const opLines = ({ forks, baseFee }: OpChain): readonly string[] => [
  `op ${baseFee.elasticity} ${baseFee.denominator} ${baseFee.denominatorCanyon}`,
  ...forks.map(({ fork, timestamp }) => `${fork} ${timestamp}`),
]
