import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { HashPlan } from '../../primitives/hash_plan.ts'
import { EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, keccak256 } from '../../primitives/keccak.ts'
import {
  addressFromHex,
  addressToBytes,
  addressToHex,
  quantityToBigInt,
  wordFromBigInt,
  wordToBigInt,
  wordToBytes,
  wordToHex,
} from '../../primitives/word.ts'
import {
  ACCOUNT_BALANCE,
  ACCOUNT_CODE,
  ACCOUNT_NONCE,
  LEAF_LIMBS,
  LEAF_STORAGE,
  leafNibble,
  SLOT_VALUE,
  sharedNibbles,
} from './leaf_rows.ts'
import type { StateNodes } from './state_nodes.ts'
import type { AccountProof, SlotProof } from './state_trie.ts'
import { BRANCH_LIMBS, BRANCH_SHAPE, NO_CHILD, PENDING } from './trie_memory.ts'
import type { TrieNodes } from './trie_nodes.ts'

/** Row 0 of leaves is none: the key that is looked for stands there. */
const SOUGHT = 0

/** The way to a key: the places of the nodes on it, from the root down to where it ends. */
interface Way {
  readonly nodes: TrieNodes
  readonly places: readonly number[]
  /** The leaf with the key, or -1: what stands at the end shows that there is none. */
  readonly leaf: number
  /** The key parts in the extension at the end: the branch below it shows nothing. */
  readonly endsAbove: boolean
}

/** The way to `SOUGHT`. Every node on it is listed, so the next plan has its bytes. */
const wayTo = (nodes: TrieNodes, root: number): Way => {
  const places: number[] = []
  let parent = ~root
  let place = root
  let nibble = 0
  for (;;) {
    const child = nodes.childAt(place, parent, nibble)
    if (child === NO_CHILD) return { nodes, places, leaf: -1, endsAbove: false }
    places.push(place)
    const shared = sharedNibbles(nodes.leaves, nodes.anyLeaf(child), SOUGHT)
    if (child >= 0) {
      nodes.listLeaf(child)
      return { nodes, places, leaf: shared === 64 ? child : -1, endsAbove: false }
    }
    parent = ~child
    nodes.listBranch(parent)
    const depth = nodes.depthOf(parent)
    nibble = shared < depth ? 0 : leafNibble(nodes.leaves, SOUGHT, depth)
    const hasChild = (nodes.branches[BRANCH_LIMBS * parent + BRANCH_SHAPE]! & (1 << nibble)) !== 0
    if (shared < depth || !hasChild) return { nodes, places, leaf: -1, endsAbove: shared < depth }
    place = nodes.placeOf(parent, nibble)
  }
}

/** The messages of a plan that are the nodes of a way. A node that stands in its parent has none. */
const messagesOf = ({ nodes, places, endsAbove }: Way, plan: HashPlan): number[] =>
  places.flatMap((place, n) => {
    if (nodes.lengths[place] !== PENDING) return []
    const message = nodes.hashes[8 * place]!
    const child = nodes.children[place]!
    const parent = n === 0 ? -1 : ~nodes.children[places[n - 1]!]!
    const isExtended = child < 0 && nodes.depthOf(~child) > nodes.depthBelow(parent)
    const hole = plan.holeStart[message]!
    const hasBranch = isExtended && hole < plan.holeStart[message + 1]! && !(endsAbove && n === places.length - 1)
    return hasBranch ? [message, plan.holeOf[hole]!] : [message]
  })

const messageHex = (plan: HashPlan, digests: Uint8Array, message: number): string => {
  const start = plan.offsets[message]!
  const bytes = Buffer.from(plan.bytes.slice(start, start + plan.lengths[message]!))
  for (let hole = plan.holeStart[message]!; hole < plan.holeStart[message + 1]!; hole++) {
    const of = 32 * plan.holeOf[hole]!
    bytes.set(digests.subarray(of, of + 32), plan.holeAt[hole]! - start)
  }
  return `0x${bytes.toString('hex')}`
}

/**
 * Proves an account and slots of it, present or absent, in a trie of which nothing is listed. The nodes on the ways are
 * written as a plan, like nodes that changed, and its messages are the proof.
 *
 * hash   makes the plan of what is listed, hashes it, and lets `read` have both before anything is settled
 */
export const proveAccount = (
  state: StateNodes,
  address: string,
  keys: readonly bigint[],
  hash: (read: (plan: HashPlan) => (digests: Uint8Array) => void) => void,
): AccountProof => {
  const { accounts, slots, accountNodes, slotNodes, codes } = state
  const limbs = new Uint32Array(LIMBS_PER_WORD)
  addressFromHex(limbs, 0, address)
  const bytes = new Uint8Array(4 * LIMBS_PER_WORD)
  addressToBytes(bytes, 0, limbs, 0)
  accounts.setKey(SOUGHT, keccak256(bytes.subarray(0, 4 * LIMBS_PER_ADDRESS)))
  const name = addressToHex(limbs, 0)
  const way = wayTo(accountNodes, state.root)
  const row = LEAF_LIMBS * way.leaf
  const root = way.leaf < 0 ? 0 : accounts.rows[row + LEAF_STORAGE]!
  const slotWays = keys.map((key) => {
    wordFromBigInt(limbs, 0, key)
    wordToBytes(bytes, 0, limbs, 0)
    slots.setKey(SOUGHT, keccak256(bytes))
    const way: Way = root === 0 ? { nodes: slotNodes, places: [], leaf: -1, endsAbove: false } : wayTo(slotNodes, root)
    const value = way.leaf < 0 ? 0n : wordToBigInt(slots.rows, LEAF_LIMBS * way.leaf + SLOT_VALUE)
    return { key: wordToHex(limbs, 0), value, way }
  })
  let accountProof: readonly string[] = []
  let storageProof: readonly SlotProof[] = []
  hash((plan) => {
    const messages = messagesOf(way, plan)
    const slotMessages = slotWays.map(({ way }) => messagesOf(way, plan))
    return (digests) => {
      const proofOf = (messages: readonly number[]): string[] => messages.map((m) => messageHex(plan, digests, m))
      accountProof = proofOf(messages)
      storageProof = slotWays.map(({ key, value }, n) => ({ key, value, proof: proofOf(slotMessages[n]!) }))
    }
  })
  return {
    address: name,
    nonce: way.leaf < 0 ? 0n : quantityToBigInt(accounts.rows, row + ACCOUNT_NONCE),
    balance: way.leaf < 0 ? 0n : wordToBigInt(accounts.rows, row + ACCOUNT_BALANCE),
    codeHash: way.leaf < 0 ? EMPTY_CODE_HASH : codes.hexOf(accounts.rows[row + ACCOUNT_CODE]!),
    storageHash: root === 0 || slotNodes.isEmpty(root) ? EMPTY_TRIE_ROOT : slotNodes.hashAt(root),
    accountProof,
    storageProof,
  }
}
