import { fastLzLengths } from '../../host/chain/op/fast_lz.ts'
import { estimatedSize } from '../../host/chain/op/l1_fees.ts'
import type { PoolEntry } from './pool_entry.ts'

/** Estimated bytes (Fjord) of transactions of the pool, and of a block's together; 0: any. */
export interface SizeLimits {
  readonly transaction: bigint
  readonly block: bigint
}

const MILLIONTHS = 1e6

const sizesOf = (entries: readonly PoolEntry[]): readonly number[] =>
  Array.from(fastLzLengths(entries.map(({ bytes }) => bytes)), (length) =>
    Math.floor(estimatedSize(length) / MILLIONTHS),
  )

/** Those that are not too large by themselves. */
export const smallEnough = (entries: readonly PoolEntry[], { transaction: most }: SizeLimits): readonly PoolEntry[] => {
  if (most === 0n) return entries
  const sizes = sizesOf(entries)
  return entries.filter((_, i) => BigInt(sizes[i]!) <= most)
}

/** Of transactions in their order those that fit together; none after one of its sender that does not. */
export const fittingTogether = (entries: readonly PoolEntry[], { block: most }: SizeLimits): readonly PoolEntry[] => {
  if (most === 0n) return entries
  const sizes = sizesOf(entries)
  const left = new Set<string>()
  let total = 0
  return entries.filter(({ transaction: { from } }, i) => {
    const fits = !left.has(from) && BigInt(total + sizes[i]!) <= most
    if (fits) total += sizes[i]!
    else left.add(from)
    return fits
  })
}
