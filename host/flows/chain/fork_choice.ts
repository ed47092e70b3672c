import type { Store } from '../../state/store/store.ts'
import { type ChainBlock, type ForkChoice, ForkChoiceError, type HeadUpdate } from './block_tree.ts'
import type { KnownBlocks, Way } from './known_blocks.ts'

/** A fork choice that can be made. */
export interface ChosenHead {
  readonly block: ChainBlock
  readonly way: Way
  readonly safe: ChainBlock | undefined
  readonly finalized: ChainBlock | undefined
  /** Whether anything differs from the present choice. */
  readonly isNew: boolean
}

/** Checks an update against the known blocks and the present choice. Throws ForkChoiceError. */
export const chooseHead = (store: Store, known: KnownBlocks, present: ForkChoice, update: HeadUpdate): ChosenHead => {
  const block = known.block(update.head)
  const way = block === undefined ? undefined : known.wayTo(update.head)
  const pruned = known.pruned(update.head)
  if (pruned !== undefined) throw new ForkChoiceError(pruned, `the head ${update.head} ${PRUNED[pruned]}`)
  if (block === undefined || way === undefined)
    throw new ForkChoiceError('unknownHead', `the head ${update.head} is no known block`)
  const isBelow = ({ hash, header: { number } }: ChainBlock, { top, on }: Top): boolean =>
    number <= top && (number <= on.base ? store.canonical(number)?.hash === hash : isIn(on, hash))
  const named = (hash: string | undefined, fault: 'unknownSafe' | 'unknownFinalized'): ChainBlock | undefined => {
    const found = hash === undefined ? undefined : known.block(hash)
    if (hash === undefined || found !== undefined) return found
    throw new ForkChoiceError(fault, `the ${fault === 'unknownSafe' ? 'safe' : 'finalized'} block ${hash} is not known`)
  }
  const told = {
    safe: named(update.safe, 'unknownSafe'),
    finalized: named(update.finalized, 'unknownFinalized'),
  }
  const head = { top: block.header.number, on: way }
  const after = (what: string, low: ChainBlock | undefined, high: string, top: Top): void => {
    if (low === undefined || isBelow(low, top)) return
    throw new ForkChoiceError('notAncestor', `the ${what} block ${low.hash} is no ancestor of the ${high}`)
  }
  after('safe', told.safe, `head ${block.hash}`, head)
  const safeTop = told.safe === undefined ? head : { top: told.safe.header.number, on: way }
  after(
    'finalized',
    told.finalized,
    told.safe === undefined ? `head ${block.hash}` : `safe block ${told.safe.hash}`,
    safeTop,
  )
  const finalized = higher(told.finalized, present.finalized)
  if (finalized !== undefined && !isBelow(finalized, head))
    throw new ForkChoiceError(
      'finalized',
      `the head ${block.hash} leaves out the finalized block ${finalized.header.number} ${finalized.hash}`,
    )
  if (way.base < store.oldestState)
    throw new ForkChoiceError(
      'tooDeep',
      `the head ${block.hash} leaves the chain after block ${way.base}, the undo records begin with block ${store.oldestState + 1n}`,
    )
  const kept = present.safe !== undefined && isBelow(present.safe, head) ? present.safe : undefined
  const wanted = told.safe ?? kept
  const safe = wanted === undefined ? undefined : higher(wanted, finalized)
  const isNew =
    block.hash !== present.head.hash || safe?.hash !== present.safe?.hash || finalized?.hash !== present.finalized?.hash
  return { block, way, safe, finalized, isNew }
}

const PRUNED = {
  tooDeep: 'leaves the chain below its undo records',
  finalized: 'leaves the chain below the finalized block',
  forgotten: 'was dropped: blocks that are not on disk have a budget in memory; it may be added again',
} as const

/** The blocks up to a number on a way. */
interface Top {
  readonly top: bigint
  readonly on: Way
}

const isIn = ({ above }: Way, hash: string): boolean => above.some((known) => known.hash === hash)

const higher = (a: ChainBlock | undefined, b: ChainBlock | undefined): ChainBlock | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  return a.header.number >= b.header.number ? a : b
}
