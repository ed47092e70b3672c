import { FIRST_LANE_BYTES, MOST_LANE_BYTES } from './lane_memory.ts'
import type { BenchReport, PeerResult, WorkloadResult } from './report/schema.ts'
import { grouped, rounded } from './report/text.ts'

export type Met = 'yes' | 'no' | 'unknown'

/** A speed the project set itself on two cores with lavapipe. */
export interface Target {
  readonly what: string
  readonly wanted: string
  readonly measure: (results: readonly WorkloadResult[]) => { readonly text: string; readonly met: Met }
}

const UNKNOWN = { text: '-', met: 'unknown' } as const

/** Measures the workload `name`, where it was run with at least `size` transactions. */
const on = (
  name: string,
  measure: (result: WorkloadResult) => { text: string; met: boolean } | undefined,
  size = 0,
): Target['measure'] => {
  return (results) => {
    const result = results.find(({ workload, txCount }) => workload === name && txCount >= size)
    const measured = result === undefined ? undefined : measure(result)
    return measured === undefined ? UNKNOWN : { text: measured.text, met: measured.met ? 'yes' : 'no' }
  }
}

const peerOf = (result: WorkloadResult, name: string): PeerResult | undefined =>
  result.peers.find((peer) => peer.name.startsWith(name))

const against = (result: WorkloadResult, name: string, factor: number) => {
  const peer = peerOf(result, name)
  if (peer === undefined) return undefined
  const times = result.txPerSecond / peer.txPerSecond
  return { text: `${rounded(times)} times`, met: times >= factor }
}

const rate = (perSecond: number, wanted: number) => ({
  text: `${rounded(perSecond)} tx/s`,
  met: perSecond >= wanted,
})

const FULL = 65_536

const notMoreThan = (ms: number, most: number) =>
  ms === 0 ? undefined : { text: `${rounded(ms / 1000)} s`, met: ms <= most }

const executeRate = ({ txCount, stagesMs }: WorkloadResult): number => (1000 * txCount) / stagesMs.execute

const DIVERGENT = 16_384

/** The execute stage of calls in random order against that of the same calls sorted. */
const divergentShare: Target['measure'] = (results) => {
  const [mixed, sorted] = ['many-contracts', 'many-contracts-sorted'].map((name) =>
    results.find(({ workload, txCount }) => workload === name && txCount >= DIVERGENT),
  )
  if (mixed === undefined || sorted === undefined) return UNKNOWN
  const share = executeRate(mixed) / executeRate(sorted)
  return { text: `${rounded(share)} times`, met: share >= 0.5 ? 'yes' : 'no' }
}

/** Of runs on the lane VM alone. */
export const LANE_VM_TARGETS: readonly Target[] = [
  {
    what: `\`erc20\`, ${grouped(FULL)} transactions, execute stage`,
    wanted: '150,000 tx/s',
    measure: on('erc20', (r) => rate(executeRate(r), 150_000), FULL),
  },
  {
    what: `\`erc20\`, ${grouped(FULL)} transactions, whole call`,
    wanted: '150,000 tx/s',
    measure: on('erc20', (r) => rate(r.txPerSecond, 150_000), FULL),
  },
  {
    what: `${grouped(DIVERGENT)} calls of 64 contracts in random order, execute stage, against the same calls sorted`,
    wanted: '0.5 times',
    measure: divergentShare,
  },
  {
    what: 'device memory per lane with the quota that it starts with',
    wanted: `${grouped(MOST_LANE_BYTES)} bytes or less`,
    measure: () => ({
      text: `${grouped(FIRST_LANE_BYTES)} bytes`,
      met: FIRST_LANE_BYTES <= MOST_LANE_BYTES ? 'yes' : 'no',
    }),
  },
]

/** The targets that a report is about. */
export const targetsOf = ({ tierChoice }: BenchReport): readonly Target[] =>
  tierChoice?.laneVm === 'always' ? LANE_VM_TARGETS : TARGETS

export const TARGETS: readonly Target[] = [
  {
    what: `\`erc20\`, ${grouped(FULL)} transactions, execute stage`,
    wanted: '1,000,000 tx/s',
    measure: on('erc20', (r) => rate((1000 * r.txCount) / r.stagesMs.execute, 1_000_000), FULL),
  },
  {
    what: `\`erc20-program\` (no own kernel), ${grouped(FULL)} transactions, execute stage`,
    wanted: '300,000 tx/s',
    measure: on('erc20-program', (r) => rate((1000 * r.txCount) / r.stagesMs.execute, 300_000), FULL),
  },
  {
    what: `\`erc20\`, ${grouped(FULL)} transactions, whole call`,
    wanted: '200,000 tx/s',
    measure: on('erc20', (r) => rate(r.txPerSecond, 200_000), FULL),
  },
  {
    what: 'the same against serial @ethereumjs/vm',
    wanted: '100 times',
    measure: on('erc20', (r) => against(r, '@ethereumjs/vm', 100), FULL),
  },
  {
    what: 'the same against one core of native revm (which also seals its block)',
    wanted: '1 time',
    measure: on('erc20', (r) => against(r, 'revm', 1), FULL),
  },
  ...['erc20-hot-recipient', 'erc20-hot-sender'].map((name) => ({
    what: `\`${name}\` against serial @ethereumjs/vm`,
    wanted: '0.9 times',
    measure: on(name, (r) => against(r, '@ethereumjs/vm', 0.9)),
  })),
  {
    what: '`transfers`, whole call',
    wanted: '500,000 tx/s',
    measure: on('transfers', (r) => rate(r.txPerSecond, 500_000)),
  },
  {
    what: 'device memory per ERC-20 transaction',
    wanted: '4,096 bytes or less',
    measure: on('erc20', (r) => ({ text: `${grouped(r.deviceBytesPerTx)} bytes`, met: r.deviceBytesPerTx <= 4096 })),
  },
  {
    what: 'first dispatch of the ERC-20 kernel, empty driver cache',
    wanted: '5 s or less',
    measure: on('erc20', (r) => notMoreThan(r.compileMs.cold, 5000)),
  },
  {
    what: 'the same, filled driver cache',
    wanted: '0.3 s or less',
    measure: on('erc20', (r) => notMoreThan(r.compileMs.warm, 300)),
  },
]
