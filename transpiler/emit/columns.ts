import type { PathIr, Value, ValueId } from '../ir/path_ir.ts'
import { MEMO_BLOCK_HASH, memoOf } from '../layout/memo.ts'
import type { ByteString, LaneInput, Lookup, OutputWord } from '../path_kernel.ts'

/**
 * Where the inputs and outputs of a path lie in the lane columns (path_kernel.ts).
 *
 * outputs   0: exit, gas, refund     1 ..: look-up ids, four to a column     then words of the outcome, two columns
 *                                                                            each,
 *           then looked-up keys, two columns each, written where the look-up found nothing
 */
export interface PathColumns {
  readonly inputs: readonly LaneInput[]
  readonly inputColumn: ReadonlyMap<ValueId, number>
  readonly inputColumns: number
  readonly lookups: readonly Lookup[]
  /** Index into `lookups` by the value that looks up. */
  readonly lookupIndex: ReadonlyMap<ValueId, number>
  /** Position among slot look-ups, for the hint columns. */
  readonly slotOrdinal: ReadonlyMap<ValueId, number>
  readonly wordColumn: ReadonlyMap<ValueId, number>
  readonly outputColumns: number
}

const WORD_INPUTS = new Set(['caller', 'gasprice', 'value', 'calldata'])
const FIRST_LOOKUP_COLUMN = 1

const laneInput = (op: string, attribute: unknown, column: number): LaneInput =>
  op === 'calldata'
    ? { kind: 'calldata', offset: attribute as number, column }
    : { kind: op as 'caller' | 'gasprice' | 'value', column }

/**
 * Values whose word the host must read back: balances, and what is stored, transferred, logged or returned, and not a
 * constant or an input.
 */
const computedOutputs = (path: PathIr): ValueId[] => {
  // The sweep compares every balance that the path depends on with the one at its place.
  const outputs: ValueId[] = path.values.flatMap(({ op }, id) => (op === 'balance' ? [id] : []))
  const add = (id: ValueId): void => {
    if (isComputed(path.values[id]!) && !outputs.includes(id)) outputs.push(id)
  }
  for (const effect of path.effects) {
    // A stored or transferred word is always read back: the sweep takes it from the lane's columns.
    if (effect.kind === 'store' && !outputs.includes(effect.value)) outputs.push(effect.value)
    if (effect.kind === 'transfer' && !outputs.includes(effect.amount)) outputs.push(effect.amount)
    if (effect.kind === 'log') [...effect.topics, ...effect.data].forEach(add)
  }
  path.end.output.forEach(add)
  return outputs
}

const lookupsOf = (
  path: PathIr,
  inputColumn: ReadonlyMap<ValueId, number>,
  wordColumn: ReadonlyMap<ValueId, number>,
  firstKey: number,
): { lookups: Lookup[]; index: Map<ValueId, number> } => {
  const index = new Map<ValueId, number>()
  path.values.forEach((value, id) => {
    if (value.op === 'slot' || value.op === 'account') index.set(id, index.size)
  })
  const columns = { inputColumn, wordColumn, lookupIndex: index }
  const inputOf = ({ bytes, words }: MemoInput): ByteString => ({
    bytes,
    words: words.map((id) => wordOf(path, columns, id)),
  })
  const dependsOn = (account: ValueId, ops: readonly string[]): boolean =>
    path.values.some((value) => ops.includes(value.op) && value.args[0] === account)
  const lookups = [...index.entries()].map(([id, position]): Lookup => {
    const value = path.values[id]!
    const found = {
      column: FIRST_LOOKUP_COLUMN + Math.floor(position / 4),
      component: position % 4,
      keyColumn: firstKey + 2 * position,
    }
    if (value.op === 'slot') {
      const memo = memoInputs(path, id)
      return {
        kind: 'slot',
        account: index.get(value.args[0]!) ?? -1,
        ...(memo === undefined ? {} : { memo: { precompile: memo.precompile, input: inputOf(memo) } }),
        ...found,
      }
    }
    const code = dependsOn(id, ['skeleton', 'hascode', 'instance', 'exists'])
    const balanceColumn = balanceColumnOf(path, wordColumn, id)
    const exists = existenceOf(path, id)
    return {
      kind: 'account',
      code,
      balance: balanceColumn !== undefined,
      ...(balanceColumn === undefined ? {} : { balanceColumn }),
      ...(exists === undefined ? {} : { exists }),
      ...found,
    }
  })
  return { lookups, index }
}

interface MemoInput {
  readonly precompile: number
  readonly bytes: number
  readonly words: readonly ValueId[]
}

/**
 * The memo that look-up `slot` is of, and the input that names it (layout/memo.ts); undefined for a slot of an account.
 */
const memoInputs = (path: PathIr, slot: ValueId): MemoInput | undefined => {
  const [owner, key] = path.values[slot]!.args.map((id) => path.values[id]!) as [Value, Value]
  const precompile = owner.op === 'const' ? memoOf(owner.attribute as bigint) : undefined
  if (precompile === undefined) return undefined
  if (precompile === MEMO_BLOCK_HASH) return { precompile, bytes: 0, words: [] }
  const hash = key.op === 'add' ? path.values[key.args[0]!]! : key
  if (hash.op !== 'keccak') throw new Error(`the key of memo ${precompile} is no hash`)
  return { precompile, bytes: hash.attribute as number, words: hash.args }
}

/** Words of memo inputs that the host reads back where a lane missed. */
const memoOutputs = (path: PathIr): ValueId[] =>
  path.values.flatMap(({ op }, id) => {
    if (op !== 'slot') return []
    return (memoInputs(path, id)?.words ?? []).filter((word) => isComputed(path.values[word]!))
  })

const isComputed = ({ op }: Value): boolean => op !== 'const' && op !== 'instance' && !WORD_INPUTS.has(op)

/** Column of the balance of `account` (an id value), where the path reads it. */
export const balanceColumnOf = (
  path: PathIr,
  wordColumn: ReadonlyMap<ValueId, number>,
  account: ValueId,
): number | undefined => {
  const id = path.values.findIndex(({ op, args }) => op === 'balance' && args[0] === account)
  return id < 0 ? undefined : wordColumn.get(id)
}

/** Whether the guards let only lanes through whose `account` exists, or only those where it does not. */
const existenceOf = (path: PathIr, account: ValueId): boolean | undefined => {
  for (const effect of path.effects) {
    if (effect.kind !== 'guard') continue
    const condition = path.values[effect.condition]!
    if (condition.op === 'exists' && condition.args[0] === account) return true
    const inner = condition.op === 'iszero' ? path.values[condition.args[0]!]! : undefined
    if (inner?.op === 'exists' && inner.args[0] === account) return false
  }
  return undefined
}

export const layoutColumns = (path: PathIr): PathColumns => {
  const inputs: LaneInput[] = [{ kind: 'gas', column: 0 }]
  const inputColumn = new Map<ValueId, number>()
  let column = 1
  path.values.forEach((value, id) => {
    if (!WORD_INPUTS.has(value.op)) return
    inputs.push(laneInput(value.op, value.attribute, column))
    inputColumn.set(id, column)
    column += 2
  })
  const lookupCount = path.values.filter((value) => value.op === 'slot' || value.op === 'account').length
  const firstWord = FIRST_LOOKUP_COLUMN + Math.ceil(lookupCount / 4)
  const outputs = computedOutputs(path)
  for (const id of memoOutputs(path)) if (!outputs.includes(id)) outputs.push(id)
  const wordColumn = new Map(outputs.map((id, position) => [id, firstWord + 2 * position]))
  const firstKey = firstWord + 2 * wordColumn.size
  const { lookups, index } = lookupsOf(path, inputColumn, wordColumn, firstKey)
  const slotOrdinal = new Map<ValueId, number>()
  for (const id of index.keys()) if (path.values[id]!.op === 'slot') slotOrdinal.set(id, slotOrdinal.size)
  return {
    inputs,
    inputColumn,
    inputColumns: column,
    lookups,
    lookupIndex: index,
    slotOrdinal,
    wordColumn,
    outputColumns: firstKey + 2 * lookups.length,
  }
}

/** How the host finds a word of a log or of the output. */
export const outputWord = (path: PathIr, columns: PathColumns, id: ValueId): OutputWord => wordOf(path, columns, id)

const wordOf = (
  path: PathIr,
  columns: Pick<PathColumns, 'lookupIndex' | 'inputColumn' | 'wordColumn'>,
  id: ValueId,
): OutputWord => {
  const value = path.values[id]!
  if (value.op === 'const') return { kind: 'constant', value: value.attribute as bigint }
  if (value.op === 'instance') {
    return {
      kind: 'instance',
      account: columns.lookupIndex.get(value.args[0]!) ?? -1,
      index: value.attribute as number,
    }
  }
  const input = columns.inputColumn.get(id)
  if (input !== undefined) return { kind: 'input', column: input }
  return { kind: 'lane', column: columns.wordColumn.get(id)! }
}
