import type { ReceiptView } from './views.ts'

/** A block's tips, ascending, each with the gas that was used at it. */
export type Tips = readonly { readonly tip: bigint; readonly gasUsed: bigint }[]

export const tipsOf = (receipts: readonly ReceiptView[], baseFee: bigint): Tips =>
  receipts
    .map(({ effectiveGasPrice, gasUsed }) => ({ tip: effectiveGasPrice - baseFee, gasUsed }))
    .sort((a, b) => (a.tip < b.tip ? -1 : a.tip > b.tip ? 1 : 0))

/** The tip at each percentile of a block's gas (eth_feeHistory). */
export const tipsAt = (tips: Tips, gasUsed: bigint, percentiles: readonly number[]): readonly bigint[] => {
  if (tips.length === 0) return percentiles.map(() => 0n)
  let at = 0
  let sum = tips[0]!.gasUsed
  return percentiles.map((percentile) => {
    const threshold = BigInt(Math.trunc((Number(gasUsed) * percentile) / 100))
    while (sum < threshold && at < tips.length - 1) sum += tips[++at]!.gasUsed
    return tips[at]!.tip
  })
}

/** Tips below it say nothing about the market. */
const LEAST_TIP = 2n
const LOWEST_OF_BLOCK = 3
const PERCENTILE = 60
const MOST_TIP = 500_000_000_000n
/** Where the last blocks say nothing. */
const DEFAULT_TIP = 1_000_000n

/** What go-ethereum's oracle suggests: of the lowest tips of each of the last blocks, one above the middle. */
export const suggestedTip = (blocks: readonly Tips[]): bigint => {
  const lowest = blocks.flatMap((tips) => tips.filter(({ tip }) => tip >= LEAST_TIP).slice(0, LOWEST_OF_BLOCK))
  if (lowest.length === 0) return DEFAULT_TIP
  const sorted = lowest.map(({ tip }) => tip).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const found = sorted[Math.trunc(((sorted.length - 1) * PERCENTILE) / 100)]!
  return found < MOST_TIP ? found : MOST_TIP
}
