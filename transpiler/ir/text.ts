import { ENVIRONMENT_WORDS } from '../layout/environment.ts'
import type { Fork } from '../spec/forks.ts'
import { isFork } from '../spec/forks.ts'
import { bitsOf } from './bits.ts'
import { OPERATIONS, type ValueType } from './ops.ts'
import type { Attribute, DeltaConditionName, Effect, PathEnd, PathIr, Piece, Value, ValueId } from './path_ir.ts'

const hex = (value: bigint): string => (value < 10n ? value.toString() : `0x${value.toString(16)}`)

/** Operations that a description names; what is below them is left out. */
const MAX_DESCRIBED = 48

/** A value as an expression for people, at most `depth` operations deep and MAX_DESCRIBED long. */
export const describeValue = (values: readonly Value[], id: ValueId, depth = 5): string => {
  let left = MAX_DESCRIBED
  const describe = (part: ValueId, levels: number): string => {
    const value = values[part]!
    left--
    if (value.op === 'const') return hex(value.attribute as bigint)
    if (value.op === 'calldata') return `calldata[${value.attribute}..]`
    if (value.op === 'environment') return String(value.attribute)
    if (value.args.length === 0) return value.op
    if (levels === 0 || left <= 0) return '…'
    const args: string[] = []
    for (const argument of value.args) {
      args.push(left > 0 ? describe(argument, levels - 1) : '…')
      if (left <= 0) break
    }
    const attribute = typeof value.attribute === 'number' ? `#${value.attribute}` : ''
    return `${value.op}${attribute}(${args.join(', ')})`
  }
  return describe(id, depth)
}

const attributeText = (attribute: Attribute | undefined): string => {
  if (attribute === undefined) return ''
  if (typeof attribute === 'bigint') return ` ${hex(attribute)}`
  if (typeof attribute === 'object') {
    return ` ${attribute.map((piece) => `${piece.argument}:${piece.from}+${piece.count}>${piece.to}`).join('/')}`
  }
  return ` ${attribute}`
}

const typeText = (value: Value): string => (value.type === 'word' ? `u${value.bits}` : value.type)
const ids = (list: readonly ValueId[]): string => `[${list.map((id) => `v${id}`).join(' ')}]`

const effectText = (effect: Effect): string => {
  switch (effect.kind) {
    case 'guard':
      return `guard v${effect.condition} pc=${effect.pc} depth=${effect.depth} ${JSON.stringify(effect.meaning)}`
    case 'store': {
      const { delta } = effect
      const suffix = delta === undefined ? '' : ` delta=${delta.sign > 0 ? '+' : '-'} ${delta.conditions.join(',')}`
      return `store v${effect.slot} v${effect.value}${suffix}`
    }
    case 'transfer':
      return `transfer v${effect.from} v${effect.to} v${effect.amount}${effect.back ? ' back' : ''}`
    case 'log':
      return `log v${effect.emitter} ${ids(effect.topics)} bytes=${effect.bytes} ${ids(effect.data)}`
  }
}

/**
 * Text form of a path; `parsePath` reads it back. One value, effect or header per line; `;` starts a comment.
 *
 * @example
 * import { parsePath, printPath } from 'wgevm/transpiler'
 *
 * const path = parsePath(
 *   `path osaka skeleton=0x00 selector=-1 calldata=0 value=zero
 * skeleton 0 0x00
 * v0:u32 = gas
 * v1:bool = const 0
 * end success gas=v0 refund=v1 bytes=0 []`,
 * )
 * console.log(printPath(path).split('\n')[2]) // v0:u32 = gas
 */
export const printPath = (path: PathIr): string => {
  const { key, end } = path
  const lines = [
    `path ${key.fork} skeleton=${key.skeleton} selector=${key.selector} calldata=${key.calldataBytes} value=${key.valueIsZero ? 'zero' : 'nonzero'}${key.accessList === undefined ? '' : ` access=${key.accessList}`}`,
    ...path.skeletons.map((skeleton, index) => `skeleton ${index} ${skeleton}`),
    ...path.values.map((value, id) => {
      const args = value.args.map((argument) => ` v${argument}`).join('')
      return `v${id}:${typeText(value)} = ${value.op}${attributeText(value.attribute)}${args}`
    }),
    ...path.effects.map(effectText),
    `end ${end.status} gas=v${end.gas} refund=v${end.refund} bytes=${end.bytes} ${ids(end.output)}`,
  ]
  return `${lines.join('\n')}\n`
}

/**
 * A text that is not a path; the message has the line that cannot be read.
 *
 * @example
 * import { PathSyntaxError, parsePath } from 'wgevm/transpiler'
 *
 * try {
 *   parsePath('no path')
 * } catch (error) {
 *   console.log(error instanceof PathSyntaxError) // true
 * }
 */
export class PathSyntaxError extends Error {
  override readonly name = 'PathSyntaxError'
}

const parseId = (text: string): ValueId => {
  if (!/^v\d+$/.test(text)) throw new PathSyntaxError(`expected a value, found "${text}"`)
  return Number(text.slice(1))
}

const parseIds = (text: string): ValueId[] => {
  const inner = text.replace(/^\[|\]$/g, '').trim()
  return inner === '' ? [] : inner.split(/\s+/).map(parseId)
}

const parsePieces = (text: string): Piece[] =>
  text.split('/').map((part) => {
    const match = /^(\d+):(\d+)\+(\d+)>(\d+)$/.exec(part)
    if (match === null) throw new PathSyntaxError(`expected a piece, found "${part}"`)
    const [argument, from, count, to] = match.slice(1).map(Number)
    return { argument: argument!, from: from!, count: count!, to: to! }
  })

const NUMBER_ATTRIBUTES = new Set(['calldata', 'instance', 'skeleton', 'keccak'])

const parseAttribute = (op: string, text: string): Attribute => {
  const isNumber = /^(0x[0-9a-f]+|\d+)$/.test(text)
  if (op === 'const' && isNumber) return BigInt(text)
  if (op === 'concat') return parsePieces(text)
  if (NUMBER_ATTRIBUTES.has(op) && isNumber) return Number(text)
  if (op === 'environment' && (ENVIRONMENT_WORDS as readonly string[]).includes(text)) return text
  throw new PathSyntaxError(`expected a value, found "${text}" behind ${op}`)
}

const parseValue = (text: string, values: readonly Value[]): Value => {
  const match = /^v\d+:(\w+) = (\w+)(.*)$/.exec(text)
  if (match === null) throw new PathSyntaxError(`expected a value, found "${text}"`)
  const [, typeName, op, rest] = match as unknown as [string, string, string, string]
  if (!OPERATIONS.has(op)) throw new PathSyntaxError(`unknown operation "${op}"`)
  const tokens = rest.trim() === '' ? [] : rest.trim().split(/\s+/)
  const first = tokens[0]
  let attribute: Attribute | undefined
  if (first !== undefined && !first.startsWith('v')) {
    tokens.shift()
    attribute = parseAttribute(op, first)
  }
  const args = tokens.map(parseId)
  const type: ValueType = typeName === 'bool' || typeName === 'u32' ? typeName : 'word'
  const operands = args.map((id) => values[id]!)
  const bits = bitsOf(op, operands, attribute, type)
  return { op, args, ...(attribute === undefined ? {} : { attribute }), type, bits }
}

const parseEffect = (line: string): Effect => {
  const guard = /^guard (v\d+) pc=(\d+) depth=(\d+) (".*")$/.exec(line)
  if (guard !== null) {
    const [, condition, pc, depth, meaning] = guard as unknown as [string, string, string, string, string]
    return {
      kind: 'guard',
      condition: parseId(condition),
      meaning: JSON.parse(meaning) as string,
      pc: Number(pc),
      depth: Number(depth),
    }
  }
  const store = /^store (v\d+) (v\d+)(?: delta=([+-]) ([\w,]*))?$/.exec(line)
  if (store !== null) {
    const base = { kind: 'store' as const, slot: parseId(store[1]!), value: parseId(store[2]!) }
    if (store[3] === undefined) return base
    const conditions = store[4] === '' ? [] : (store[4]!.split(',') as DeltaConditionName[])
    return { ...base, delta: { sign: store[3] === '+' ? 1 : -1, conditions } }
  }
  const transfer = /^transfer (v\d+) (v\d+) (v\d+)( back)?$/.exec(line)
  if (transfer !== null) {
    const [from, to, amount] = transfer.slice(1, 4).map(parseId) as [ValueId, ValueId, ValueId]
    return { kind: 'transfer', from, to, amount, ...(transfer[4] === undefined ? {} : { back: true }) }
  }
  const log = /^log (v\d+) (\[.*?\]) bytes=(\d+) (\[.*?\])$/.exec(line)
  if (log === null) throw new PathSyntaxError(`expected an effect, found "${line}"`)
  return {
    kind: 'log',
    emitter: parseId(log[1]!),
    topics: parseIds(log[2]!),
    bytes: Number(log[3]),
    data: parseIds(log[4]!),
  }
}

/**
 * Reads the text form of a path, as `printPath` writes it. Throws PathSyntaxError with the offending line.
 *
 * @example
 * import { parsePath } from 'wgevm/transpiler'
 *
 * const path = parsePath(
 *   `path osaka skeleton=0x00 selector=-1 calldata=0 value=zero
 * skeleton 0 0x00
 * v0:u32 = gas
 * v1:bool = const 0
 * end success gas=v0 refund=v1 bytes=0 []`,
 * )
 * console.log(path.values.length, path.end.status) // 2 success
 */
export const parsePath = (text: string): PathIr => {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^\s*;.*$/, '').trim())
    .filter((line) => line !== '')
  const header =
    /^path (\w+) skeleton=(\S+) selector=(-?\d+) calldata=(\d+) value=(zero|nonzero)(?: access=(\S+))?$/.exec(
      lines[0] ?? '',
    )
  if (header === null) throw new PathSyntaxError(`expected a path header, found "${lines[0] ?? ''}"`)
  const [, fork, skeleton, selector, calldata, value] = header as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  if (!isFork(fork)) throw new PathSyntaxError(`unknown fork "${fork}"`)
  const skeletons: string[] = []
  const values: Value[] = []
  const effects: Effect[] = []
  let end: PathEnd | undefined
  for (const line of lines.slice(1)) {
    if (line.startsWith('skeleton ')) skeletons.push(line.split(/\s+/)[2] ?? '')
    else if (/^v\d+:/.test(line)) values.push(parseValue(line, values))
    else if (line.startsWith('end ')) end = parseEnd(line)
    else effects.push(parseEffect(line))
  }
  if (end === undefined) throw new PathSyntaxError('a path needs an end line')
  const key = {
    fork: fork as Fork,
    skeleton,
    selector: Number(selector),
    calldataBytes: Number(calldata),
    valueIsZero: value === 'zero',
    ...(header[6] === undefined ? {} : { accessList: header[6] }),
  }
  return { key, values, effects, end, skeletons }
}

const parseEnd = (line: string): PathEnd => {
  const match = /^end (success|revert|halt) gas=(v\d+) refund=(v\d+) bytes=(\d+) (\[.*\])$/.exec(line)
  if (match === null) throw new PathSyntaxError(`expected an end, found "${line}"`)
  return {
    status: match[1] as PathEnd['status'],
    gas: parseId(match[2]!),
    refund: parseId(match[3]!),
    bytes: Number(match[4]),
    output: parseIds(match[5]!),
  }
}
