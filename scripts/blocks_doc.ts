import type { PartReport, PartRow } from '../bench/parts/part.ts'
import type { BlockLevelReport } from '../bench/report/real_blocks_schema.ts'
import {
  REAL_BLOCKS_HEAD,
  REAL_BLOCKS_NOTE,
  realBlockCells,
  realBlockRatios,
} from '../bench/report/real_blocks_text.ts'
import { type BenchReport, BLOCK_STAGES, labelOf, type WorkloadResult } from '../bench/report/schema.ts'
import { spread } from '../bench/report/statistics.ts'
import { deviceMsText, grouped, rounded, speedUp } from '../bench/report/text.ts'
import { markdownTable } from './markdown.ts'

const metText = (met: boolean | undefined): string => (met === undefined ? 'not measured' : met ? 'met' : '**missed**')

const atLeast = (value: number | undefined, wanted: number): boolean | undefined =>
  value === undefined ? undefined : value >= wanted

/** Where, when and from which file a report is. */
export const measuredAt = (
  file: string,
  {
    date,
    commit,
    machine,
    adapter,
    node,
  }: Pick<BenchReport, 'date' | 'commit' | 'machine' | 'node'> & { readonly adapter: { readonly driver: string } },
): string =>
  `Measured ${date.slice(0, 10)} at commit \`${commit}\` on ${machine.cpu}, ${machine.cores} cores, ${rounded(machine.memoryBytes / 2 ** 30)} GiB; driver ${adapter.driver}; node ${node}; [\`${file}\`](../bench/results/${file}).`

const spreadCell = (samples: readonly number[]): string =>
  samples.length < 2 ? '-' : `${rounded(100 * spread(samples))} %`

const times = (value: number | undefined): string => (value === undefined ? '-' : `${rounded(value)} times`)

/** From so many transactions on a row is one of the targets' size. */
const FULL = 65_536

const blockTargets = (results: readonly WorkloadResult[]): string[][] => {
  const of = (form: WorkloadResult['form']) =>
    results.find((row) => row.workload === 'erc20' && row.form === form && row.txCount >= FULL)
  const [cold, known] = [of('cold'), of('known')]
  const rate = (what: string, wanted: number, row: WorkloadResult | undefined) => [
    what,
    `${grouped(wanted)} tx/s`,
    row === undefined ? '-' : `${rounded(row.txPerSecond)} tx/s`,
    metText(atLeast(row?.txPerSecond, wanted)),
  ]
  const anvil = cold?.peers.find(({ name }) => name.startsWith('anvil'))
  const faster = cold && anvil && cold.txPerSecond / anvil.txPerSecond
  return [
    rate('65,536 signed ERC-20 payments to three roots, cold senders', 30_000, cold),
    ['the same, against anvil', '5 times', times(faster), metText(atLeast(faster, 5))],
    rate('the same, senders known', 120_000, known),
  ]
}

/** A result of `bench --level block`. */
export const blockSection = (file: string, report: BenchReport): string => {
  const { adapter, results } = report
  const peers = [...new Set(results.flatMap((row) => row.peers.map(({ name }) => name)))]
  const against = (row: WorkloadResult, name: string): string => {
    const peer = row.peers.find((candidate) => candidate.name === name)
    return peer === undefined ? '-' : `${speedUp(row, peer)} of ${rounded(peer.txPerSecond)}`
  }
  const notes = new Set(results.flatMap((row) => [row.verification, ...row.notes]))
  const peerNotes = new Set(
    results.flatMap((row) =>
      row.peers.map(({ name, level, note }) => `${name}: ${level}${note === '' ? '' : `; ${note}`}`),
    ),
  )
  return [
    `## Blocks from signed bytes to three roots, ${adapter.kind}: ${adapter.name}`,
    measuredAt(file, report),
    'A sample is one `executeBlock` of a block as it comes over the wire: decoding, senders, execution, commit, receipts, and the three roots, which are those of the header. Stages that run beside each other are counted where this thread waits for them.',
    markdownTable(
      ['block', 'transactions', 'ms', 'tx/s', 'spread', ...peers.map((name) => `against ${name}`)],
      results.map((row) => [
        labelOf(row),
        grouped(row.txCount),
        rounded(row.medianMs),
        rounded(row.txPerSecond),
        spreadCell(row.samplesMs),
        ...peers.map((name) => against(row, name)),
      ]),
    ),
    '### Stages of a block, milliseconds of the median sample',
    markdownTable(
      ['block', ...BLOCK_STAGES, 'on the device'],
      results.map((row) => [
        labelOf(row),
        ...BLOCK_STAGES.map((stage) => rounded(row.stagesMs[stage] ?? 0)),
        deviceMsText(row.deviceTimes),
      ]),
    ),
    '### Targets of blocks (set for two cores with AVX-512 and lavapipe)',
    markdownTable(['target', 'at least', 'measured', ''], blockTargets(results)),
    '### Verified, and what a row means',
    [...notes, ...peerNotes].map((text) => `- ${text}`).join('\n'),
  ].join('\n\n')
}

const partRows = (report: PartReport, name: string): readonly PartRow[] =>
  report.parts.find(({ part }) => part === name)?.rows ?? []

const partTargets = (report: PartReport): string[][] => {
  const senders = partRows(report, 'senders')
  const device = senders.find(({ form }) => form === 'device')
  const native = Math.max(...senders.filter(({ isPeer }) => isPeer).map(({ perSecond }) => perSecond))
  const ratio = device && Number.isFinite(native) ? device.perSecond / native : undefined
  const hashed = partRows(report, 'keccak').find(({ form }) => form === 'device')
  const onDevice = hashed?.deviceMs === undefined ? undefined : (1000 * hashed.count) / hashed.deviceMs
  const tries = partRows(report, 'trie').filter(({ isPeer }) => !isPeer)
  const full = tries.filter(({ count }) => count >= 2 * FULL)
  const root = full.length === 0 ? undefined : Math.min(...full.map(({ ms }) => ms))
  return [
    [
      'senders',
      '40,000/s',
      device === undefined ? '-' : `${rounded(device.perSecond)}/s`,
      metText(atLeast(device?.perSecond, 40_000)),
    ],
    ['senders, against the native package', '1.5 times', times(ratio), metText(atLeast(ratio, 1.5))],
    [
      'keccak-f on the device, device time',
      '12 M/s',
      onDevice === undefined ? '-' : `${rounded(onDevice / 1e6)} M/s`,
      metText(atLeast(onDevice, 12e6)),
    ],
    [
      'state root of 65,536 accounts and 131,072 slots of 1 M each',
      'at most 100 ms',
      root === undefined ? '-' : `${rounded(root)} ms`,
      metText(root === undefined ? undefined : root <= 100),
    ],
  ]
}

/** A result of `bench senders keccak trie`. */
export const partsSection = (file: string, report: PartReport): string => {
  const { adapter, parts } = report
  return [
    `## Parts of a block alone, ${adapter.kind}: ${adapter.name}`,
    measuredAt(file, report),
    ...parts.flatMap(({ part, unit, rows }) => [
      `### \`${part}\`: ${unit}`,
      markdownTable(
        ['form', unit, 'ms', 'per second', 'spread', 'on the device, ms'],
        rows.map(({ form, isPeer, count, ms, perSecond, samplesMs, deviceMs }) => [
          isPeer ? `${form} (peer)` : form,
          grouped(count),
          rounded(ms),
          rounded(perSecond),
          spreadCell(samplesMs),
          deviceMs === undefined ? '-' : rounded(deviceMs),
        ]),
      ),
      rows
        .map(({ form, verified, note }) => `- ${form}: ${verified}${note === undefined ? '' : `; ${note}`}`)
        .join('\n'),
    ]),
    '### Targets of parts (set for two cores with AVX-512 and lavapipe)',
    markdownTable(['target', 'at least', 'measured', ''], partTargets(report)),
  ].join('\n\n')
}

/** A result of `replay --level block`. */
export const realBlocksSection = (file: string, report: BlockLevelReport): string => {
  const { adapter, blocks, notRun } = report
  const ratios = realBlockRatios(blocks)
  const after = realBlockRatios(blocks.filter(({ number }) => number >= MERGE))
  return [
    `## Real blocks from RLP to three roots, ${adapter.kind}: ${adapter.name}`,
    measuredAt(file, report),
    `Time: ${REAL_BLOCKS_NOTE}.`,
    markdownTable(REAL_BLOCKS_HEAD, blocks.map(realBlockCells)),
    markdownTable(
      ['against runBlock', 'median', 'of the summed times', 'lowest'],
      [
        ['all blocks', times(ratios?.median), times(ratios?.sum), times(ratios?.lowest)],
        ['after the merge', times(after?.median), times(after?.sum), times(after?.lowest)],
      ],
    ),
    markdownTable(
      ['target', 'at least', 'measured', ''],
      [
        [
          'real blocks against runBlock, median',
          '10 times',
          times(ratios?.median),
          metText(atLeast(ratios?.median, 10)),
        ],
      ],
    ),
    ...(notRun.length === 0 ? [] : [notRun.map(({ block, reason }) => `- not run: ${block}: ${reason}`).join('\n')]),
  ].join('\n\n')
}

/** Number of mainnet's first block of proof of stake. */
const MERGE = 15_537_394
