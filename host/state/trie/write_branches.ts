import { leafNibble } from './leaf_rows.ts'
import type { NodeWriter, PlanWriter } from './plan_writer.ts'
import { BRANCH_LIMBS, BRANCH_PARENT, BRANCH_PLACES, BRANCH_SHAPE, bitCount, depthIn, PENDING } from './trie_memory.ts'
import type { TrieNodes } from './trie_nodes.ts'

/** A branch with 16 children, and an extension above it. */
export const MAX_BRANCH_BYTES = 3 + 16 * 33 + 1 + 4 + 33 + 33

export const MAX_DEPTH = 63

/** 32 bytes as they lie in memory, to any place. */
export const writeWords = (view: DataView, at: number, words: Uint32Array, from: number): void => {
  view.setUint32(at, words[from]!, true)
  view.setUint32(at + 4, words[from + 1]!, true)
  view.setUint32(at + 8, words[from + 2]!, true)
  view.setUint32(at + 12, words[from + 3]!, true)
  view.setUint32(at + 16, words[from + 4]!, true)
  view.setUint32(at + 20, words[from + 5]!, true)
  view.setUint32(at + 24, words[from + 6]!, true)
  view.setUint32(at + 28, words[from + 7]!, true)
}

/**
 * The node of this length that stands at the end of the writer becomes the reference at a place: itself where it is
 * shorter than 32 bytes, else a message of the plan. A root is never that short, since keys have 64 nibbles.
 */
export const writeReference = (nodes: TrieNodes, place: number, writer: NodeWriter, length: number): void => {
  if (length >= 32) {
    nodes.hashes[8 * place] = writer.end(length, place)
    nodes.lengths[place] = PENDING
    return
  }
  for (let n = 0; n < length; n++) nodes.hashBytes[32 * place + n] = writer.bytes[writer.at + n]!
  nodes.lengths[place] = length
}

/** Writes every listed branch and the extensions above them, from the deepest up, each depth as a level. */
export const writeBranches = (nodes: TrieNodes, writer: PlanWriter): void => {
  const { order, starts } = branchesByDepth(nodes, nodes.listedBranches.ids())
  let extended: number[] = []
  for (let depth = MAX_DEPTH; depth >= 0; depth--) {
    // Their parents are no deeper than the next depth but one.
    const above = extended
    extended = []
    for (let n = starts[depth]!; n < starts[depth + 1]!; n++) {
      const branch = order[n]!
      writeBranch(nodes, branch, writer)
      if (isExtended(nodes, branch)) extended.push(branch)
    }
    for (const branch of above) writeExtension(nodes, branch, writer)
    writer.endLevel()
  }
}

/** Whether there is an extension above a branch. */
export const isExtended = (nodes: TrieNodes, branch: number): boolean =>
  nodes.depthOf(branch) > nodes.depthBelow(nodes.branches[BRANCH_LIMBS * branch + BRANCH_PARENT]!)

/** Branches that are not free: those of depth d are order[starts[d]] .. order[starts[d + 1]], as they came. */
export const branchesByDepth = (
  { branches }: TrieNodes,
  listed: Int32Array,
): { readonly order: Int32Array; readonly starts: Int32Array } => {
  const starts = new Int32Array(MAX_DEPTH + 3)
  for (const branch of listed) {
    const row = BRANCH_LIMBS * branch
    if (branches[row + BRANCH_PLACES]! >= 0) starts[depthIn(branches[row + BRANCH_SHAPE]!) + 2]!++
  }
  for (let depth = 1; depth < starts.length; depth++) starts[depth]! += starts[depth - 1]!
  const order = new Int32Array(starts[MAX_DEPTH + 2]!)
  for (const branch of listed) {
    const row = BRANCH_LIMBS * branch
    if (branches[row + BRANCH_PLACES]! >= 0) order[starts[depthIn(branches[row + BRANCH_SHAPE]!) + 1]!++] = branch
  }
  return { order, starts }
}

/** Writes a branch: the references to its children, and no value. */
export const writeBranch = (nodes: TrieNodes, branch: number, writer: NodeWriter): void => {
  const { branches, lengths, hashes, hashBytes } = nodes
  const { bytes, view } = writer
  const row = BRANCH_LIMBS * branch
  const mask = branches[row + BRANCH_SHAPE]! & 0xffff
  const payload = branchPayload(nodes, branch)
  let place = branches[row + BRANCH_PLACES]!
  let at = writer.at + writeListHead(bytes, writer.at, payload)
  const length = at - writer.at + payload
  for (let rest = mask | 0x1_0000; rest !== 1; rest >>= 1) {
    if ((rest & 1) === 0) {
      bytes[at++] = 0x80
      continue
    }
    const embedded = lengths[place]!
    if (embedded === 0 || embedded === PENDING) {
      bytes[at] = 0xa0
      if (embedded === 0) writeWords(view, at + 1, hashes, 8 * place)
      else writer.hole(at + 1, hashes[8 * place]!)
      at += 33
    } else for (let n = 0; n < embedded; n++) bytes[at++] = hashBytes[32 * place + n]!
    place++
  }
  bytes[at] = 0x80
  writeReference(nodes, nodes.placeOfBranch(branch), writer, length)
}

const branchPayload = ({ branches, lengths }: TrieNodes, branch: number): number => {
  const row = BRANCH_LIMBS * branch
  const count = bitCount(branches[row + BRANCH_SHAPE]!)
  const first = branches[row + BRANCH_PLACES]!
  let payload = 17 - count
  for (let place = first; place < first + count; place++) {
    const length = lengths[place]!
    payload += length === 0 || length === PENDING ? 33 : length
  }
  return payload
}

/** Writes the extension above a branch, whose own reference stands in its place so far. */
export const writeExtension = (nodes: TrieNodes, branch: number, writer: NodeWriter): void => {
  const { bytes, view } = writer
  const parent = nodes.branches[BRANCH_LIMBS * branch + BRANCH_PARENT]!
  const place = nodes.placeOfBranch(branch)
  const from = nodes.depthBelow(parent)
  const count = nodes.depthOf(branch) - from
  const path = 1 + (count >> 1)
  const embedded = nodes.lengths[place]!
  const payload = (path === 1 ? 1 : 1 + path) + (embedded === 0 || embedded === PENDING ? 33 : embedded)
  let at = writer.at + writeListHead(bytes, writer.at, payload)
  const length = at - writer.at + payload
  if (path > 1) bytes[at++] = 0x80 + path
  at = writeNibbles(bytes, at, nodes, nodes.anyLeaf(~branch), from, count)
  if (embedded === 0 || embedded === PENDING) {
    bytes[at] = 0xa0
    if (embedded === 0) writeWords(view, at + 1, nodes.hashes, 8 * place)
    else {
      const message = nodes.hashes[8 * place]!
      writer.places[message] = -1
      writer.hole(at + 1, message)
    }
  } else bytes.set(nodes.hashBytes.subarray(32 * place, 32 * place + embedded), at)
  writeReference(nodes, place, writer, length)
}

/** The hex prefix (YP appendix C) of an extension with these nibbles of a leaf's key. Returns where it ends. */
const writeNibbles = (
  bytes: Uint8Array,
  start: number,
  { leaves }: TrieNodes,
  leaf: number,
  from: number,
  count: number,
): number => {
  let at = start
  let nibble = from
  bytes[at++] = (count & 1) === 0 ? 0 : 0x10 | leafNibble(leaves, leaf, nibble++)
  for (; nibble < from + count; nibble += 2)
    bytes[at++] = (leafNibble(leaves, leaf, nibble) << 4) | leafNibble(leaves, leaf, nibble + 1)
  return at
}

/** The head of a list. Returns its bytes. */
const writeListHead = (bytes: Uint8Array, at: number, length: number): number => {
  if (length < 56) {
    bytes[at] = 0xc0 + length
    return 1
  }
  if (length < 256) {
    bytes[at] = 0xf8
    bytes[at + 1] = length
    return 2
  }
  bytes[at] = 0xf9
  bytes[at + 1] = length >> 8
  bytes[at + 2] = length
  return 3
}
