/** No position. */
export const NOWHERE = -0x8000

/**
 * A word of a block. `entry`: what stood at position `index` when the block began; `instance`: immediate `index` of the
 * executing code. Positions count from the stack height at the start of the block.
 */
export interface Value {
  readonly kind: 'constant' | 'instance' | 'entry' | 'result'
  readonly index: number
  readonly word: bigint
  /** The operation that gives it. */
  readonly operation: Operation | undefined
  /** Stack words and operands that are this value. */
  holders: number
  /** Where the EVM pushed it. */
  readonly home: number
  /** Where an operation wants it that reads words in a row; else NOWHERE. */
  row: number
  /** Set by placement: position that holds it, its last reader, and the positions that must hold it at the end. */
  at: number
  lastUse: number
  wanted: readonly number[]
}

export interface Operation {
  readonly opcode: number
  mode: number
  operands: readonly Value[]
  /** What must stand in the stack, the n-th of them n words below position `wideAt`, where the EVM has it. */
  readonly wide: readonly Value[]
  readonly wideAt: number
  immediate: number
  gas: number
  readonly pc: number
  readonly kept: boolean
  /** Of a branch in the middle. */
  exit: SideExit | undefined
  /** Its result is not read, and it does nothing else. */
  isDropped: boolean
  result: Value | undefined
  /** Set by placement: its number. */
  order: number
}

/**
 * Where a branch in the middle of a superblock leaves it: for block `target`, with this stack from position -depth on.
 */
export interface SideExit {
  readonly target: number
  readonly stack: readonly Value[]
  readonly depth: number
}

/**
 * How a block ends. `stack`: what must stand from position -need on; `height`: positions below it are the next block's.
 */
export interface BlockEnd {
  readonly opcode: number
  mode: number
  a: Value | undefined
  b: Value | undefined
  readonly target: number
  readonly otherwise: number
  readonly immediate: number
  /** Operands of a call that stand in the stack below its height; 0 for all else. */
  readonly operandsInStack: number
  gas: number
  readonly pc: number
}

export interface BlockDraft {
  readonly need: number
  /** Words above the height at its start, at most. */
  readonly growth: number
  readonly operations: readonly Operation[]
  readonly stack: readonly Value[]
  readonly end: BlockEnd
  /** Blocks of the code that it runs through. */
  readonly length: number
  /** Words that its side exits bring to their positions, at most. */
  readonly exitWords: number
}

const NO_POSITIONS: readonly number[] = []

export const makeValue = (
  kind: Value['kind'],
  index: number,
  word: bigint,
  home: number,
  operation?: Operation,
): Value => ({
  kind,
  index,
  word,
  operation,
  holders: 0,
  home,
  row: NOWHERE,
  at: NOWHERE,
  lastUse: -1,
  wanted: NO_POSITIONS,
})

export const constantOf = (word: bigint): Value => makeValue('constant', 0, word, NOWHERE)
export const isConstant = (value: Value): boolean => value.kind === 'constant'
