import type { BlobSchedule } from '../../host/chain/header.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { ToolError } from './tool_error.ts'

/** The rules of one block, by go-ethereum's name of a fork. */
export interface ForkRules {
  readonly fork: Fork
  /** Undefined before Cancun. */
  readonly blobs: BlobSchedule | undefined
  /** Blocks by which the difficulty bomb is put off; undefined where it is the one of Homestead and before. */
  readonly bombDelay: bigint | undefined
}

const blobs = (targetBlobs: number, maxBlobs: number, updateFraction: bigint): BlobSchedule => ({
  targetBlobs,
  maxBlobs,
  updateFraction,
})

const CANCUN = blobs(3, 6, 3_338_477n)
/** EIP-7691. */
const PRAGUE = blobs(6, 9, 5_007_716n)

const before = (fork: Fork, bombDelay?: bigint): ForkRules => ({ fork, blobs: undefined, bombDelay })
const since = (fork: Fork, schedule?: BlobSchedule): ForkRules => ({ fork, blobs: schedule, bombDelay: undefined })

/** Difficulty bombs: EIP-649, 1234, 2384, 3554, 4345, 5133. Blob parameters: EIP-7691, 7892 and go-ethereum's tests. */
const FORKS: Readonly<Record<string, ForkRules>> = {
  Frontier: before('frontier'),
  Homestead: before('homestead'),
  EIP150: before('tangerineWhistle'),
  EIP158: before('spuriousDragon'),
  Byzantium: before('byzantium', 3_000_000n),
  Constantinople: before('constantinople', 5_000_000n),
  ConstantinopleFix: before('petersburg', 5_000_000n),
  Istanbul: before('istanbul', 5_000_000n),
  MuirGlacier: before('istanbul', 9_000_000n),
  Berlin: before('berlin', 9_000_000n),
  London: before('london', 9_700_000n),
  ArrowGlacier: before('london', 10_700_000n),
  GrayGlacier: before('london', 11_400_000n),
  Paris: since('paris'),
  Merge: since('paris'),
  Shanghai: since('shanghai'),
  Cancun: since('cancun', CANCUN),
  Prague: since('prague', PRAGUE),
  Osaka: since('osaka', PRAGUE),
  BPO1: since('osaka', blobs(10, 15, 8_346_193n)),
  BPO2: since('osaka', blobs(14, 21, 11_684_671n)),
  BPO3: since('osaka', blobs(21, 32, 20_609_697n)),
  BPO4: since('osaka', blobs(14, 21, 13_739_630n)),
}

/** A change of forks in the middle of a chain: at a block number, or at a time. */
interface ForkChange {
  readonly from: string
  readonly to: string
  readonly at: bigint
  readonly by: 'number' | 'timestamp'
}

const AT_BLOCK = ['Frontier Homestead', 'Homestead EIP150', 'EIP158 Byzantium', 'Byzantium Constantinople']
const MORE_AT_BLOCK = ['Byzantium ConstantinopleFix', 'ConstantinopleFix Istanbul', 'Berlin London']
const AT_TIME = ['Paris Shanghai', 'Shanghai Cancun', 'Cancun Prague', 'Prague Osaka']
const MORE_AT_TIME = ['Osaka BPO1', 'BPO1 BPO2', 'BPO2 BPO3', 'BPO3 BPO4']

const change = (pair: string, at: bigint, by: ForkChange['by']): ForkChange => {
  const [from, to] = pair.split(' ') as [string, string]
  return { from, to, at, by }
}

const CHANGES: Readonly<Record<string, ForkChange>> = Object.fromEntries([
  ...[...AT_BLOCK, ...MORE_AT_BLOCK].map((pair) => [`${pair.replace(' ', 'To')}At5`, change(pair, 5n, 'number')]),
  ...[...AT_TIME, ...MORE_AT_TIME].map((pair) => [
    `${pair.replace(' ', 'To')}AtTime15k`,
    change(pair, 15_000n, 'timestamp'),
  ]),
])

/** Every name that `rulesOf` knows. */
export const FORK_NAMES: readonly string[] = [...Object.keys(FORKS), ...Object.keys(CHANGES)]

/** EIPs that go-ethereum can add to a fork, and the fork that has them here. */
const EIPS: Readonly<Record<number, Fork>> = {
  1153: 'cancun',
  1344: 'istanbul',
  1884: 'istanbul',
  2200: 'istanbul',
  2929: 'berlin',
  3198: 'london',
  3529: 'london',
  3855: 'shanghai',
  3860: 'shanghai',
  4844: 'cancun',
  5656: 'cancun',
  6780: 'cancun',
  7516: 'cancun',
  7702: 'prague',
  7939: 'osaka',
}

/**
 * The rules that `name` stands for in a block: a fork or a change of forks, with EIPs that the fork must have behind it
 * (`Cancun+1153`). Throws ToolError.
 */
export const rulesOf = (name: string, block: { readonly number: bigint; readonly timestamp: bigint }): ForkRules => {
  const [base, ...eips] = name.split('+') as [string, ...string[]]
  const moving = Object.hasOwn(CHANGES, base) ? CHANGES[base]! : undefined
  const known = moving === undefined ? base : block[moving.by] >= moving.at ? moving.to : moving.from
  if (!Object.hasOwn(FORKS, known)) throw bad(`unsupported fork "${base}"; there is ${FORK_NAMES.join(', ')}`)
  const rules = FORKS[known]!
  for (const eip of eips) {
    const fork = /^\d+$/.test(eip) && Object.hasOwn(EIPS, Number(eip)) ? EIPS[Number(eip)]! : undefined
    if (fork === undefined)
      throw bad(`syntax error, invalid eip number ${eip}; there is ${Object.keys(EIPS).join(', ')}`)
    if (!isAtLeast(rules.fork, fork))
      throw bad(`EIP-${eip} is part of ${fork}, and ${known} is before it: a fork runs by exactly its own rules here`)
  }
  return rules
}

const bad = (what: string): ToolError => new ToolError('config', `failed constructing chain configuration: ${what}`)
