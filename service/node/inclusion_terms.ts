/** Both ends belong to it; one that is absent is open. */
export interface Range {
  readonly min?: bigint | undefined
  readonly max?: bigint | undefined
}

/** What a transaction wants the storage of an account to be before it: its root, or values of slots. */
export interface KnownAccount {
  /** 0x-hex in lower case. */
  readonly address: string
  /** 0x-hex: the storage root after the block before. */
  readonly root: string | undefined
  readonly slots: readonly { readonly key: bigint; readonly value: bigint }[]
}

/**
 * What must hold for a transaction to be in a block: it waits in the pool until it does, and leaves it where it cannot
 * hold any more.
 */
export interface InclusionTerms {
  readonly blockNumber: Range
  readonly timestamp: Range
  /** Sub-blocks of a payload, by their index; each payload begins again. */
  readonly flashblock: Range
  readonly knownAccounts: readonly KnownAccount[]
  /** Whether it may fail and be in a block all the same. */
  readonly mayFail: boolean
}

/** A block that is built, as far as terms ask. */
export interface TermsPlace {
  readonly number: bigint
  readonly timestamp: bigint
  /** Undefined where the payload has no sub-blocks. */
  readonly flashblock: bigint | undefined
}

const isIn = ({ min, max }: Range, value: bigint): boolean =>
  (min === undefined || value >= min) && (max === undefined || value <= max)

/** Whether a block, or a sub-block of it, is among those that the ranges name. */
export const isOpen = ({ blockNumber, timestamp, flashblock }: InclusionTerms, place: TermsPlace): boolean =>
  isIn(blockNumber, place.number) &&
  isIn(timestamp, place.timestamp) &&
  (place.flashblock === undefined || isIn(flashblock, place.flashblock))

/** Whether no block after this one can be among them. */
export const hasPassed = (
  { blockNumber, timestamp }: InclusionTerms,
  head: { readonly number: bigint; readonly timestamp: bigint },
): boolean =>
  (blockNumber.max !== undefined && blockNumber.max <= head.number) ||
  (timestamp.max !== undefined && timestamp.max <= head.timestamp)

/** Whether a block must be executed to know that the transaction may be in it. */
export const isGuarded = ({ mayFail, knownAccounts }: InclusionTerms): boolean => !mayFail || knownAccounts.length > 0

const isRange = ({ min, max }: Range): boolean => min !== undefined || max !== undefined

/** Look-ups that the terms take (op-geth core/types/transaction_conditional.go). */
export const costOfTerms = ({ knownAccounts, blockNumber, timestamp }: InclusionTerms): number =>
  knownAccounts.reduce((cost, { root, slots }) => cost + 1 + (root === undefined ? slots.length : 1), 0) +
  (isRange(blockNumber) ? 1 : 0) +
  (isRange(timestamp) ? 1 : 0)

/** Why no block can ever be among those that the ranges name; undefined where one can. */
export const rangeFault = ({ blockNumber, timestamp }: InclusionTerms): string | undefined => {
  for (const [name, { min, max }] of [
    ['block number', blockNumber],
    ['timestamp', timestamp],
  ] as const)
    if (min !== undefined && max !== undefined && min > max)
      return `${name} minimum constraint must be less than the maximum`
  return undefined
}
