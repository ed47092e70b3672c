import type { HashPlan } from '../primitives/hash_plan.ts'
import { rlpBytes, rlpHeadBytes, rlpList, writeRlpHead } from '../primitives/rlp.ts'

/**
 * The trie in which item i of n stands under the RLP of i (YP 4.3), as a plan of hashes. Its shape depends on n alone
 * where no node is shorter than 32 bytes, so everything but the items and their lengths is made once for each n.
 *
 * Messages: the leaves in the order of the items, then the inner nodes by height; the last one is the root.
 */
interface IndexTemplate {
  readonly count: number
  /** Key part of leaf i as it stands in the node: pathLengths[i] bytes from PATH_BYTES * i on. */
  readonly paths: Uint8Array
  readonly pathLengths: Uint8Array
  /** The inner nodes, each from a multiple of 4 on, with unset holes. */
  readonly innerBytes: Uint8Array
  readonly innerOffsets: Uint32Array
  readonly innerLengths: Uint32Array
  /** Of all messages; places of holes in `innerBytes`. */
  readonly holeStart: Uint32Array
  readonly holeAt: Uint32Array
  readonly holeOf: Uint32Array
  readonly levels: Uint32Array
}

/** A key has up to 10 nibbles: with their flags, and a byte that says how many. */
const PATH_BYTES = 7
/** The leaf of a shorter value may be shorter than a hash, and then stands in its parent. */
export const SHORTEST_VALUE = 32
const TEMPLATES_KEPT = 4

/** The trie of n >= 1 items, and where the value of each of them is to be written in the plan's bytes. */
export interface IndexPlan {
  readonly plan: HashPlan
  readonly valueAt: Uint32Array
}

/** `valueLengths`: of each item, at least SHORTEST_VALUE. */
export const indexPlan = (valueLengths: Uint32Array): IndexPlan => {
  const template = templateOf(valueLengths.length)
  const { count, innerOffsets, innerLengths, innerBytes, holeStart, holeOf, levels } = template
  const messages = count + innerOffsets.length
  const offsets = new Uint32Array(messages)
  const lengths = new Uint32Array(messages)
  let at = 0
  for (let i = 0; i < count; i++) {
    const payload = payloadOf(template, i, valueLengths[i]!)
    offsets[i] = at
    lengths[i] = rlpHeadBytes(payload) + payload
    at = (at + lengths[i]! + 3) & -4
  }
  const bytes = takeBytes(at + innerBytes.length)
  const valueAt = writeLeaves(template, valueLengths, offsets, bytes)
  bytes.set(innerBytes, at)
  for (let n = 0; n < innerOffsets.length; n++) {
    offsets[count + n] = at + innerOffsets[n]!
    lengths[count + n] = innerLengths[n]!
  }
  const holeAt = template.holeAt.map((hole) => hole + at)
  return { plan: { count: messages, bytes, offsets, lengths, holeStart, holeAt, holeOf, levels }, valueAt }
}

const payloadOf = ({ pathLengths }: IndexTemplate, i: number, value: number): number =>
  pathLengths[i]! + rlpHeadBytes(value) + value

/** Writes the leaves but for their values. Returns where those begin. */
const writeLeaves = (
  template: IndexTemplate,
  valueLengths: Uint32Array,
  offsets: Uint32Array,
  bytes: Uint8Array,
): Uint32Array => {
  const { count, paths, pathLengths } = template
  const valueAt = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    let at = writeRlpHead(bytes, offsets[i]!, 0xc0, payloadOf(template, i, valueLengths[i]!))
    const path = PATH_BYTES * i
    for (let n = 0; n < pathLengths[i]!; n++) bytes[at++] = paths[path + n]!
    valueAt[i] = writeRlpHead(bytes, at, 0x80, valueLengths[i]!)
  }
  return valueAt
}

/** More is not kept. */
const MOST_SPARE_BYTES = 1 << 26
/** Of a plan that is hashed. New memory is zeroed page by page, which takes as long as to fill it. */
let spare = new Uint8Array(0)

/** Bytes of any contents: every byte of a message is written, and none between them is read. */
const takeBytes = (sizeBytes: number): Uint8Array => {
  if (spare.length < sizeBytes) return new Uint8Array(sizeBytes)
  const taken = spare.subarray(0, sizeBytes)
  spare = new Uint8Array(0)
  return taken
}

/** Gives the bytes of a plan to the next one; nothing reads the plan any more. */
export const releasePlan = ({ bytes }: HashPlan): void => {
  const whole = new Uint8Array(bytes.buffer as ArrayBuffer)
  if (whole.length > spare.length && whole.length <= MOST_SPARE_BYTES) spare = whole
}

/** The last ones asked for, the latest at the end. */
const templates = new Map<number, IndexTemplate>()

const templateOf = (count: number): IndexTemplate => {
  const found = templates.get(count) ?? new Shape(count).template()
  templates.delete(count)
  templates.set(count, found)
  for (const oldest of templates.keys()) {
    if (templates.size <= TEMPLATES_KEPT) break
    templates.delete(oldest)
  }
  return found
}

/** A branch or an extension. */
interface InnerNode {
  readonly height: number
  readonly bytes: Uint8Array
  /** The items or nodes whose digests it holds, and where in `bytes`. */
  readonly children: readonly (number | InnerNode)[]
  readonly holes: readonly number[]
}

/** Finds the nodes over n items. */
class Shape {
  readonly #count: number
  readonly #paths: Uint8Array
  readonly #pathLengths: Uint8Array
  readonly #inner: InnerNode[] = []

  constructor(count: number) {
    this.#count = count
    this.#paths = new Uint8Array(PATH_BYTES * count)
    this.#pathLengths = new Uint8Array(count)
    this.#node(0, count, 0)
  }

  template(): IndexTemplate {
    const count = this.#count
    // Stable: nodes of a height keep their order.
    const inner = this.#inner.sort((a, b) => a.height - b.height)
    const numbers = new Map(inner.map((node, n) => [node, count + n]))
    const innerOffsets = new Uint32Array(inner.length)
    const holeStart = new Uint32Array(count + inner.length + 1)
    const [holeAt, holeOf, levels]: number[][] = [[], [], [0, count]]
    let at = 0
    for (const [n, { bytes, children, holes, height }] of inner.entries()) {
      innerOffsets[n] = at
      holeAt!.push(...holes.map((hole) => at + hole))
      holeOf!.push(...children.map((child) => (typeof child === 'number' ? child : numbers.get(child)!)))
      holeStart[count + n + 1] = holeAt!.length
      levels![height + 1] = count + n + 1
      at += (bytes.length + 3) & -4
    }
    const innerBytes = new Uint8Array(at)
    for (const [n, { bytes }] of inner.entries()) innerBytes.set(bytes, innerOffsets[n]!)
    return {
      count,
      paths: this.#paths,
      pathLengths: this.#pathLengths,
      innerBytes,
      innerOffsets,
      innerLengths: Uint32Array.from(inner, ({ bytes }) => bytes.length),
      holeStart,
      holeAt: Uint32Array.from(holeAt!),
      holeOf: Uint32Array.from(holeOf!),
      levels: Uint32Array.from(levels!),
    }
  }

  /** The node over the items at places [first, end) of the keys' order, which agree in their first `depth` nibbles. */
  #node(first: number, end: number, depth: number): number | InnerNode {
    const item = this.#itemAt(first)
    if (end - first === 1) {
      const path = rlpBytes(hexPrefixOf(item, depth, nibblesOf(item), true))
      this.#paths.set(path, PATH_BYTES * item)
      this.#pathLengths[item] = path.length
      return item
    }
    const last = this.#itemAt(end - 1)
    let common = depth
    while (nibbleOf(item, common) === nibbleOf(last, common)) common++
    if (common === depth) return this.#branch(first, end, depth)
    const path = rlpBytes(hexPrefixOf(item, depth, common, false))
    return this.#keep([path, HOLE], [this.#node(first, end, common)])
  }

  #branch(first: number, end: number, depth: number): InnerNode {
    const fields: Uint8Array[] = []
    const children: (number | InnerNode)[] = []
    let from = first
    for (let nibble = 0; nibble < 16; nibble++) {
      let to = from
      while (to < end && nibbleOf(this.#itemAt(to), depth) === nibble) to++
      fields.push(to === from ? NOTHING : HOLE)
      if (to > from) children.push(this.#node(from, to, depth + 1))
      from = to
    }
    return this.#keep([...fields, NOTHING], children)
  }

  #keep(fields: readonly Uint8Array[], children: readonly (number | InnerNode)[]): InnerNode {
    const bytes = rlpList(fields)
    const holes: number[] = []
    let at = bytes.length - fields.reduce((sum, { length }) => sum + length, 0)
    for (const field of fields) {
      if (field === HOLE) holes.push(at + 1)
      at += field.length
    }
    const height = 1 + Math.max(...children.map((child) => (typeof child === 'number' ? 0 : child.height)))
    const node = { height, bytes, children, holes }
    this.#inner.push(node)
    return node
  }

  /** Keys in their order: 1 to 127 are themselves, 0 is 0x80, longer ones begin with their length. */
  #itemAt(place: number): number {
    const zero = Math.min(this.#count, 128) - 1
    return place < zero ? place + 1 : place === zero ? 0 : place
  }
}

const NOTHING = Uint8Array.of(0x80)
/** A digest that is still unset. */
const HOLE = rlpBytes(new Uint8Array(32))

const bytesOf = (item: number): number =>
  item < 128 ? 0 : item < 0x100 ? 1 : item < 0x1_0000 ? 2 : item < 0x100_0000 ? 3 : 4

/** Nibbles of the RLP of an item's number. */
const nibblesOf = (item: number): number => 2 + 2 * bytesOf(item)

const nibbleOf = (item: number, at: number): number => {
  const length = bytesOf(item)
  const head = length > 0 ? 0x80 + length : item === 0 ? 0x80 : item
  if (at < 2) return at === 0 ? head >> 4 : head & 15
  return (item >>> (4 * (2 * length + 1 - at))) & 15
}

/** Nibbles [from, to) of the key with the flags for odd length and for leaves (YP appendix C). */
const hexPrefixOf = (item: number, from: number, to: number, leaf: boolean): Uint8Array => {
  const isOdd = (to - from) % 2
  const nibbles = [(leaf ? 2 : 0) + isOdd]
  if (isOdd === 0) nibbles.push(0)
  for (let at = from; at < to; at++) nibbles.push(nibbleOf(item, at))
  return Uint8Array.from({ length: nibbles.length / 2 }, (_, n) => 16 * nibbles[2 * n]! + nibbles[2 * n + 1]!)
}
