import { EMPTY_TRIE_ROOT } from '../../primitives/keccak.ts'
import {
  ACCOUNT_BALANCE,
  ACCOUNT_CODE,
  ACCOUNT_NONCE,
  type CodeHashes,
  LEAF_KEY,
  LEAF_LIMBS,
  LEAF_PARENT,
  LEAF_STORAGE,
  NO_PARENT,
  SLOT_VALUE,
} from './leaf_rows.ts'
import type { NodeWriter, PlanWriter } from './plan_writer.ts'
import { PENDING } from './trie_memory.ts'
import type { TrieNodes } from './trie_nodes.ts'
import { writeReference, writeWords } from './write_branches.ts'

/** More bytes than any leaf has: path 35, slot value 34; nonce 9, balance 33, root and code hash 33 each, heads 8. */
export const MAX_LEAF_BYTES = 160

const EMPTY_ROOT = new Uint32Array(new Uint8Array(Buffer.from(EMPTY_TRIE_ROOT.slice(2), 'hex')).buffer)

/** Bytes of the hex prefix (YP appendix C) of a leaf's path that begins at this nibble. */
const pathBytes = (depth: number): number => 33 - ((depth + 1) >> 1)

/** Bytes of the RLP of a string of so many bytes, whose first is `first`; shorter than 56. */
const stringBytes = (length: number, first: number): number => (length === 1 && first < 0x80 ? 1 : 1 + length)

/**
 * Writes the path of a leaf so that it ends at `end`; a leaf's key is read in words, so up to 3 bytes before the path
 * are written too. Returns where it begins.
 */
const writePath = (view: DataView, end: number, rows: Uint32Array, row: number, depth: number): number => {
  const first = (depth + 1) >> 1
  for (let word = first >> 2; word < 8; word++) view.setUint32(end - 32 + 4 * word, rows[row + LEAF_KEY + word]!, true)
  const length = 33 - first
  const start = end - length
  if ((depth & 1) === 0) view.setUint8(start, 0x20)
  else {
    const byte = depth >> 1
    view.setUint8(start, 0x30 | ((rows[row + LEAF_KEY + (byte >> 2)]! >>> (8 * (byte & 3))) & 15))
  }
  if (length === 1) return start
  view.setUint8(start - 1, 0x80 + length)
  return start - 1
}

/** Bytes of a number without leading zeros; limbs in limb order. */
const numberBytes = (rows: Uint32Array, at: number, limbs: number): number => {
  let top = limbs - 1
  while (top > 0 && rows[at + top] === 0) top--
  return 4 * top + 4 - (Math.clz32(rows[at + top]!) >> 3)
}

/** Writes a number so that it ends at `end`, in whole limbs: up to 3 bytes before it are written too. */
const writeNumber = (view: DataView, end: number, rows: Uint32Array, at: number, length: number): void => {
  for (let limb = 0; 4 * limb < length; limb++) view.setUint32(end - 4 * limb - 4, rows[at + limb]!)
}

/** Writes the RLP of a number so that it ends at `end`. Returns where it begins. */
const writeInteger = (view: DataView, end: number, rows: Uint32Array, at: number, length: number): number => {
  if (length === 1 && rows[at]! < 0x80) {
    // The whole limb may be longer than a leaf is up to here.
    view.setUint8(end - 1, rows[at]!)
    return end - 1
  }
  writeNumber(view, end, rows, at, length)
  view.setUint8(end - length - 1, 0x80 + length)
  return end - length - 1
}

/** Writes the head of a list of less than 256 bytes before `start`. Returns where it begins. */
const writeListHead = (view: DataView, start: number, length: number): number => {
  if (length < 56) {
    view.setUint8(start - 1, 0xc0 + length)
    return start - 1
  }
  view.setUint16(start - 2, 0xf800 | length)
  return start - 2
}

const listBytes = (length: number): number => (length < 56 ? 1 : 2) + length

/** Writes every listed slot. */
export const writeSlots = (nodes: TrieNodes, writer: PlanWriter): void => {
  for (const leaf of nodes.listedLeaves.ids()) writeSlot(nodes, leaf, writer)
}

/** Writes a slot, unless it is in no trie: the leaf [path, RLP of the RLP of its value]. */
export const writeSlot = (nodes: TrieNodes, leaf: number, writer: NodeWriter): void => {
  const { rows } = nodes.leaves
  const { view } = writer
  const row = LEAF_LIMBS * leaf
  const parent = rows[row + LEAF_PARENT]! | 0
  if (parent === NO_PARENT) return
  const depth = nodes.depthBelow(parent)
  const number = numberBytes(rows, row + SLOT_VALUE, 8)
  const value = stringBytes(number, rows[row + SLOT_VALUE]!)
  const payload = (depth >= 63 ? 1 : 1 + pathBytes(depth)) + (value === 1 ? 1 : 1 + value)
  const length = listBytes(payload)
  const end = writer.at + length
  const start = writeInteger(view, end, rows, row + SLOT_VALUE, number)
  const pathEnd = value === 1 ? start : start - 1
  writePath(view, pathEnd, rows, row, depth)
  if (value > 1) view.setUint8(pathEnd, 0x80 + value)
  writeListHead(view, end - payload, payload)
  writeReference(nodes, nodes.placeOfLeaf(leaf), writer, length)
}

/** Writes every listed account. */
export const writeAccounts = (nodes: TrieNodes, slots: TrieNodes, codes: CodeHashes, writer: PlanWriter): void => {
  for (const leaf of nodes.listedLeaves.ids()) writeAccount(nodes, leaf, slots, codes, writer)
}

/**
 * Writes an account, unless it is not in the trie: the leaf [path, RLP of [nonce, balance, storage root, code hash]]
 * (YP 4.1).
 */
export const writeAccount = (
  nodes: TrieNodes,
  leaf: number,
  slots: TrieNodes,
  codes: Pick<CodeHashes, 'words'>,
  writer: NodeWriter,
): void => {
  const { rows } = nodes.leaves
  const { view } = writer
  const row = LEAF_LIMBS * leaf
  const parent = rows[row + LEAF_PARENT]! | 0
  if (parent === NO_PARENT) return
  const depth = nodes.depthBelow(parent)
  const nonceLength = numberBytes(rows, row + ACCOUNT_NONCE, 2)
  const balanceLength = numberBytes(rows, row + ACCOUNT_BALANCE, 8)
  const fields =
    stringBytes(nonceLength, rows[row + ACCOUNT_NONCE]!) + stringBytes(balanceLength, rows[row + ACCOUNT_BALANCE]!) + 66
  const payload = (depth >= 63 ? 1 : 1 + pathBytes(depth)) + 4 + fields
  const length = 2 + payload
  const end = writer.at + length
  writeWords(view, end - 32, codes.words, 8 * rows[row + ACCOUNT_CODE]!)
  view.setUint8(end - 33, 0xa0)
  writeStorageRoot(slots, rows[row + LEAF_STORAGE]!, writer, end - 65)
  view.setUint8(end - 66, 0xa0)
  const balance = writeInteger(view, end - 66, rows, row + ACCOUNT_BALANCE, balanceLength)
  const nonce = writeInteger(view, balance, rows, row + ACCOUNT_NONCE, nonceLength)
  writePath(view, nonce - 4, rows, row, depth)
  view.setUint32(nonce - 4, 0xb800_f800 + ((fields + 2) << 16) + fields)
  view.setUint16(writer.at, 0xf800 | payload)
  writeReference(nodes, nodes.placeOfLeaf(leaf), writer, length)
}

const writeStorageRoot = (slots: TrieNodes, root: number, writer: NodeWriter, at: number): void => {
  if (root === 0 || slots.isEmpty(root)) writeWords(writer.view, at, EMPTY_ROOT, 0)
  else if (slots.lengths[root] === PENDING) writer.hole(at, slots.hashes[8 * root]!)
  else writeWords(writer.view, at, slots.hashes, 8 * root)
}
