import type { BlockLevelReport, RealBlock } from './real_blocks_schema.ts'
import { median } from './statistics.ts'
import { grouped, NOTE_INDENT, rounded, settingLines, spreadText } from './text.ts'
import { folded, type TextStyle, table } from './text_table.ts'

/** What is timed on both sides, and what a state root means here. */
export const REAL_BLOCKS_NOTE =
  'from RLP to committed state, receipts with blooms and three roots that are those of the header; senders recovered in every pass; runBlock of @ethereumjs/vm as it comes, in turns; the state is what the fixture knows, so its root is that of a partial state'

export const REAL_BLOCKS_HEAD = ['block', 'fork', 'transactions', 'Mgas', 'ms', '±', 'runBlock ms', 'ratio']

export const realBlockCells = (block: RealBlock): readonly string[] => [
  String(block.number),
  block.fork,
  grouped(block.txCount),
  rounded(block.gas / 1e6),
  rounded(block.medianMs),
  spreadText(block.samplesMs),
  rounded(block.peerMedianMs),
  rounded(block.ratio),
]

/** Median of the blocks' ratios, the ratio of the sums, and the lowest. Undefined of no blocks. */
export const realBlockRatios = (
  blocks: readonly RealBlock[],
): { readonly median: number; readonly sum: number; readonly lowest: number } | undefined => {
  if (blocks.length === 0) return undefined
  const sum = (of: (block: RealBlock) => number) => blocks.reduce((total, block) => total + of(block), 0)
  const ratios = blocks.map(({ ratio }) => ratio)
  return {
    median: median(ratios),
    sum: sum(({ peerMedianMs }) => peerMedianMs) / sum(({ medianMs }) => medianMs),
    lowest: Math.min(...ratios),
  }
}

/** One line, said when a block has ended. */
export const realBlockLine = ({ block, txCount, medianMs, peerMedianMs, ratio }: RealBlock): string =>
  `${block}: ${grouped(txCount)} transactions, ${rounded(medianMs)} ms, runBlock ${rounded(peerMedianMs)} ms, ${rounded(ratio)} times\n`

export const realBlocksText = (report: BlockLevelReport, style: TextStyle): string => {
  const ratios = realBlockRatios(report.blocks)
  const lines = [
    ...(report.blocks.length === 0
      ? []
      : [
          table(
            REAL_BLOCKS_HEAD,
            report.blocks.map((block) => [...realBlockCells(block)]),
            style,
          ),
        ]),
    ...(ratios === undefined
      ? []
      : [
          `against runBlock: median ${rounded(ratios.median)}, of the summed times ${rounded(ratios.sum)}, lowest ${rounded(ratios.lowest)}`,
        ]),
    ...[
      `time     ${REAL_BLOCKS_NOTE}`,
      ...report.notRun.map(({ block, reason }) => `not run  ${block}: ${reason}`),
      ...settingLines(report),
    ].map((line) => folded(line, style.width, NOTE_INDENT)),
  ]
  return `${lines.join('\n')}\n`
}
