import type { PeerResult, WorkloadResult } from './report/schema.ts'
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
