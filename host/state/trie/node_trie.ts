import { EMPTY_TRIE_ROOT, keccak256 } from '../../primitives/keccak.ts'
import { type RlpItem, rlpBytes, rlpDecodeOwn, rlpList } from '../../primitives/rlp.ts'
import { hexPrefix, nibbleAt } from './sorted_trie.ts'

interface Leaf {
  readonly kind: 'leaf'
  /** Nibbles below the leaf's place, one per byte. */
  readonly path: Uint8Array
  readonly value: Uint8Array
}
interface Extension {
  readonly kind: 'extension'
  readonly path: Uint8Array
  readonly child: Child
}
interface Branch {
  readonly kind: 'branch'
  readonly children: readonly (Child | undefined)[]
}
type TrieNode = Leaf | Extension | Branch
/** The hash of a node in the store, or a node itself. */
type Child = Uint8Array | TrieNode

/** A value under a key; an empty value takes the key away. */
export interface TrieChange {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Nodes by name (`nameOf`). */
export interface NodeStore {
  get(name: string): Uint8Array | undefined
  set(name: string, encoded: Uint8Array): unknown
}

/** The store lacks a node that a way goes through. */
export class MissingNodeError extends Error {
  override readonly name = 'MissingNodeError'
}

const NO_VALUE = Uint8Array.of(0x80)

/**
 * Merkle Patricia tries (YP appendix D) over a store of nodes by hash, changed in bulk: one pass applies all changes,
 * and each node on their ways is decoded, encoded and hashed once. Keys have one length and values are not empty.
 *
 * Nodes are never dropped, so every former root stays reachable.
 */
export class NodeTrie {
  readonly #nodes: NodeStore

  constructor(nodes: NodeStore) {
    this.#nodes = nodes
  }

  get(root: Uint8Array, key: Uint8Array): Uint8Array | undefined {
    let at: Child | undefined = isEmptyRoot(root) ? undefined : root
    for (let depth = 0; at !== undefined; ) {
      const node: TrieNode = this.#node(at)
      if (node.kind === 'branch') {
        at = node.children[nibbleAt(key, depth++)]
        continue
      }
      for (let n = 0; n < node.path.length; n++) if (nibbleAt(key, depth + n) !== node.path[n]) return undefined
      if (node.kind === 'leaf') return node.value
      depth += node.path.length
      at = node.child
    }
    return undefined
  }

  /** Applies changes, each key once in any order; returns the new root. */
  update(root: Uint8Array, changes: readonly TrieChange[]): Uint8Array {
    const sorted = [...changes].sort((a, b) => Buffer.compare(a.key, b.key))
    const node = this.#update(isEmptyRoot(root) ? undefined : root, sorted, 0)
    if (node === undefined) return EMPTY_ROOT
    return node instanceof Uint8Array ? node : this.#keep(this.#encode(node))
  }

  /**
   * Brings every node that `update` will read into the store, level by level, where the store holds only a part of the
   * trie.
   *
   * fetch   the node with this hash; throws where there is none
   */
  async load(
    root: Uint8Array,
    changes: readonly TrieChange[],
    fetch: (hash: Uint8Array) => Promise<Uint8Array>,
  ): Promise<void> {
    const sorted = [...changes].sort((a, b) => Buffer.compare(a.key, b.key))
    let level: Visit[] = isEmptyRoot(root) || changes.length === 0 ? [] : [{ at: root, changes: sorted, depth: 0 }]
    while (level.length > 0) {
      for (const { at } of level) {
        if (!(at instanceof Uint8Array)) continue
        const name = nameOf(at)
        if (this.#nodes.get(name) === undefined) this.#nodes.set(name, await fetch(at))
      }
      level = level.flatMap((visit) => visitsBelow(this.#node(visit.at), visit))
    }
  }

  #node(child: Child): TrieNode {
    if (!(child instanceof Uint8Array)) return child
    const encoded = this.#nodes.get(nameOf(child))
    if (encoded === undefined) throw new MissingNodeError(`the trie has no node ${Buffer.from(child).toString('hex')}`)
    return decodeNode(rlpDecodeOwn(encoded) as RlpItem[])
  }

  /** The node at this place, whose keys share their first `depth` nibbles, after the changes. */
  #update(at: Child | undefined, changes: readonly TrieChange[], depth: number): Child | undefined {
    if (changes.length === 0) return at
    if (at === undefined)
      return build(
        changes.filter(({ value }) => value.length > 0),
        depth,
      )
    const node = this.#node(at)
    if (node.kind === 'leaf') return build(withLeaf(node, changes, depth), depth)
    if (node.kind === 'branch') return this.#updateBranch(node, changes, depth)
    const { path, child } = node
    const shared = Math.min(sharedWith(path, changes[0]!.key, depth), sharedWith(path, changes.at(-1)!.key, depth))
    if (shared === path.length) return this.#below(path, this.#update(child, changes, depth + shared))
    // The changes leave the path on its way: a branch stands there, which may not stay.
    const children = new Array<Child | undefined>(16).fill(undefined)
    const rest = path.subarray(shared + 1)
    children[path[shared]!] = rest.length === 0 ? child : { kind: 'extension', path: rest, child }
    const branch = this.#updateBranch({ kind: 'branch', children }, changes, depth + shared)
    return this.#below(path.subarray(0, shared), branch)
  }

  #updateBranch({ children }: Branch, changes: readonly TrieChange[], depth: number): Child | undefined {
    const updated = [...children]
    for (const [nibble, part] of byNibble(changes, depth))
      updated[nibble] = this.#update(updated[nibble], part, depth + 1)
    const kept = updated.flatMap((child, nibble) => (child === undefined ? [] : [nibble]))
    if (kept.length > 1) return { kind: 'branch', children: updated }
    return kept.length === 0 ? undefined : this.#below(Uint8Array.of(kept[0]!), updated[kept[0]!])
  }

  /** What stands at the upper end of a path that leads to `child` alone. */
  #below(path: Uint8Array, child: Child | undefined): Child | undefined {
    if (child === undefined || path.length === 0) return child
    const node = this.#node(child)
    if (node.kind === 'branch') return { kind: 'extension', path, child }
    const joined = new Uint8Array(path.length + node.path.length)
    joined.set(path)
    joined.set(node.path, path.length)
    return { ...node, path: joined }
  }

  #encode(node: TrieNode): Uint8Array {
    if (node.kind === 'leaf') return rlpList([rlpBytes(prefixOf(node.path, true)), rlpBytes(node.value)])
    if (node.kind === 'extension') return rlpList([rlpBytes(prefixOf(node.path, false)), this.#reference(node.child)])
    return rlpList([
      ...node.children.map((child) => (child === undefined ? NO_VALUE : this.#reference(child))),
      NO_VALUE,
    ])
  }

  #reference(child: Child): Uint8Array {
    if (child instanceof Uint8Array) return rlpBytes(child)
    const encoded = this.#encode(child)
    return encoded.length < 32 ? encoded : rlpBytes(this.#keep(encoded))
  }

  #keep(encoded: Uint8Array): Uint8Array {
    const hash = keccak256(encoded)
    this.#nodes.set(nameOf(hash), encoded)
    return hash
  }
}

/**
 * A node that an update reads, with the changes below it; without any where it only may be joined with what stands
 * above.
 */
interface Visit {
  readonly at: Child
  readonly changes: readonly TrieChange[]
  readonly depth: number
}

/**
 * What `NodeTrie.update` reads below this node: where the changes lead, and what stays alone when the rest is taken
 * away.
 */
const visitsBelow = (node: TrieNode, { changes, depth }: Visit): Visit[] => {
  if (changes.length === 0 || node.kind === 'leaf') return []
  const takes = changes.some(({ value }) => value.length === 0)
  if (node.kind === 'extension') {
    const { path, child } = node
    const shared = Math.min(sharedWith(path, changes[0]!.key, depth), sharedWith(path, changes.at(-1)!.key, depth))
    const below = { at: child, depth: depth + path.length }
    if (shared === path.length) return [{ ...below, changes }]
    const led = changes.filter(({ key }) => sharedWith(path, key, depth) === path.length)
    return led.length > 0 || takes ? [{ ...below, changes: led }] : []
  }
  const visits: Visit[] = []
  const untouched = new Set(node.children.flatMap((child) => (child === undefined ? [] : [child])))
  for (const [nibble, part] of byNibble(changes, depth)) {
    const child = node.children[nibble]
    if (child === undefined) continue
    untouched.delete(child)
    visits.push({ at: child, changes: part, depth: depth + 1 })
  }
  if (takes && untouched.size === 1) visits.push({ at: [...untouched][0]!, changes: [], depth: depth + 1 })
  return visits
}

/** Ascending changes in runs that agree in the nibble at `depth`. */
const byNibble = (changes: readonly TrieChange[], depth: number): (readonly [number, readonly TrieChange[]])[] => {
  const runs: (readonly [number, readonly TrieChange[]])[] = []
  for (let first = 0; first < changes.length; ) {
    const nibble = nibbleAt(changes[first]!.key, depth)
    let end = first + 1
    while (end < changes.length && nibbleAt(changes[end]!.key, depth) === nibble) end++
    runs.push([nibble, changes.slice(first, end)])
    first = end
  }
  return runs
}

/** The name of a node in the store. */
export const nameOf = (hash: Uint8Array): string => Buffer.from(hash.buffer, hash.byteOffset, 32).toString('latin1')

const EMPTY_ROOT = new Uint8Array(Buffer.from(EMPTY_TRIE_ROOT.slice(2), 'hex'))
const isEmptyRoot = (root: Uint8Array): boolean => Buffer.compare(root, EMPTY_ROOT) === 0

/** The node over entries whose keys share their first `depth` nibbles. */
const build = (entries: readonly TrieChange[], depth: number): TrieNode | undefined => {
  const [first] = entries
  if (first === undefined) return undefined
  const last = entries.at(-1)!
  if (first === last)
    return { kind: 'leaf', path: nibblesOf(first.key, depth, 2 * first.key.length), value: first.value }
  let common = depth
  while (nibbleAt(first.key, common) === nibbleAt(last.key, common)) common++
  if (common > depth)
    return { kind: 'extension', path: nibblesOf(first.key, depth, common), child: build(entries, common)! }
  const children = new Array<Child | undefined>(16).fill(undefined)
  for (const [nibble, part] of byNibble(entries, depth)) children[nibble] = build(part, depth + 1)
  return { kind: 'branch', children }
}

/** The values after the changes where there was one leaf: ascending, without those that are taken away. */
const withLeaf = ({ path, value }: Leaf, changes: readonly TrieChange[], depth: number): TrieChange[] => {
  const key = new Uint8Array(changes[0]!.key)
  for (let n = 0; n < path.length; n++) {
    const at = depth + n
    const byte = key[at >> 1]!
    key[at >> 1] = at % 2 === 0 ? (byte & 15) | (path[n]! << 4) : (byte & 0xf0) | path[n]!
  }
  const all = changes.some((change) => Buffer.compare(change.key, key) === 0)
    ? [...changes]
    : [...changes, { key, value }]
  return all.filter((change) => change.value.length > 0).sort((a, b) => Buffer.compare(a.key, b.key))
}

const nibblesOf = (key: Uint8Array, from: number, to: number): Uint8Array =>
  Uint8Array.from({ length: to - from }, (_, n) => nibbleAt(key, from + n))

/** Nibbles of the path that the key has at this depth. */
const sharedWith = (path: Uint8Array, key: Uint8Array, depth: number): number => {
  let shared = 0
  while (shared < path.length && nibbleAt(key, depth + shared) === path[shared]) shared++
  return shared
}

/** Hex prefix (YP appendix C) of nibbles that stand one per byte. */
const prefixOf = (path: Uint8Array, leaf: boolean): Uint8Array => {
  const packed = new Uint8Array((path.length + 1) >> 1)
  for (let n = 0; n < path.length; n++) packed[n >> 1]! |= n % 2 === 0 ? path[n]! << 4 : path[n]!
  return hexPrefix(packed, 0, path.length, leaf)
}

const decodeNode = (items: RlpItem[]): TrieNode => {
  if (items.length === 17) {
    const children = items.slice(0, 16).map((item): Child | undefined => childOf(item))
    return { kind: 'branch', children }
  }
  const head = items[0] as Uint8Array
  const isOdd = (head[0]! & 0x10) !== 0
  const path = nibblesOf(head, isOdd ? 1 : 2, 2 * head.length)
  if ((head[0]! & 0x20) !== 0) return { kind: 'leaf', path, value: items[1] as Uint8Array }
  return { kind: 'extension', path, child: childOf(items[1]!)! }
}

const childOf = (item: RlpItem): Child | undefined => {
  if (Array.isArray(item)) return decodeNode(item)
  return item.length === 0 ? undefined : item
}
