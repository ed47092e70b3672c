import type { KnownBlock } from './known_block.ts'

/**
 * The order in which blocks are forgotten: branch by branch, of which that comes first whose last block was used
 * longest ago, each from its last block down to where another branch leaves it, or to a block that stays.
 *
 * `blocks`: by hash, the one that was used longest ago first.
 */
export function* leastUsed(blocks: ReadonlyMap<string, KnownBlock>, stay: ReadonlySet<string>): Generator<KnownBlock> {
  const children = new Map<string, number>()
  for (const { header } of blocks.values()) children.set(header.parentHash, (children.get(header.parentHash) ?? 0) + 1)
  const tips = [...blocks.values()].filter(({ hash }) => !children.has(hash))
  for (const tip of tips)
    for (let at: KnownBlock | undefined = tip; at !== undefined && !stay.has(at.hash); ) {
      const parentHash: string = at.header.parentHash
      const left = children.get(parentHash)! - 1
      children.set(parentHash, left)
      yield at
      at = left === 0 ? blocks.get(parentHash) : undefined
    }
}
