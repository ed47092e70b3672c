import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { keccakMany } from '../../primitives/keccak_many.ts'
import { MessageBatch } from '../../primitives/message_batch.ts'
import { addressToBytes, wordEquals, wordToBytes } from '../../primitives/word.ts'
import type { StateWrites } from '../state.ts'
import { type AbsentPages, ChangedPages } from './changed_pages.ts'
import { hashKeys } from './hash_keys.ts'
import { eachDepth, NodesInPlace, STRETCH_KINDS } from './hash_nodes.ts'
import type { IntList } from './int_list.ts'
import { ACCOUNT_NAME, LEAF_LIMBS, LEAF_STORAGE, SLOT_NAME } from './leaf_rows.ts'
import { PageError, PageReader, standsRight } from './page_reader.ts'
import { ADDRESS_BYTES, HASH_BYTES } from './page_writer.ts'
import type { StateNodes } from './state_nodes.ts'
import { BRANCH_LIMBS, BRANCH_PLACES, BRANCH_SHAPE, bitCount, FIRST_ABSENT, isAbsent } from './trie_memory.ts'
import type { TrieNodes } from './trie_nodes.ts'
import { isExtended } from './write_branches.ts'

/** Where the pages of a state's tries are, by their numbers. */
export interface PageSource {
  /** Bytes that are good until the next call; undefined where there is no such page. */
  read(page: number): Uint8Array | undefined
  /** What is thrown where pages are not what they must be. */
  damaged(what: string): Error
}

/** The tries of a state on disk: the page and the hash (0x-hex) of the root of accounts, and the next page's number. */
export interface PagedRoot {
  /** 0 where there are no accounts. */
  readonly page: number
  readonly hash: string
  readonly next: number
}

/** Positions of keys and their first four bytes stand in one double. */
const POSITIONS = 2 ** 21

/**
 * Brings what is absent in the tries of a state into memory, a page at a time, and all pages that a change may meet at
 * once. What a page holds is hashed, and must come to the reference that stands in its parent.
 *
 * What is absent has not been changed since it was written. Nothing that is in memory becomes absent again: a trie that
 * is too large is dropped whole.
 */
export class StatePages implements AbsentPages {
  /** What was found wrong: the tries in memory are good for nothing then. */
  fault: Error | undefined
  /** The number of the next page that is begun. */
  next: number
  readonly #state: StateNodes
  readonly #source: PageSource
  /** Undefined while pages are read: those that are read on the way have another one. */
  #reader: PageReader | undefined
  readonly #hash = new NodesInPlace(new MessageBatch())
  #absent = 0

  constructor(state: StateNodes, source: PageSource, { page, hash, next }: PagedRoot) {
    this.#state = state
    this.#source = source
    this.next = next
    const { accountNodes, slotNodes, root } = state
    for (const nodes of [accountNodes, slotNodes]) {
      nodes.changed = new ChangedPages()
      nodes.load = (_, parent, nibble) => this.#load(nodes, [parent], [nibble])
    }
    if (page === 0) return
    accountNodes.setRootPage(root, page)
    accountNodes.children[root] = FIRST_ABSENT + page
    accountNodes.hashBytes.set(Buffer.from(hash.slice(2), 'hex'), HASH_BYTES * root)
    this.#absent = 1
  }

  bring(writes: StateWrites): void {
    if (this.fault !== undefined) throw this.fault
    if (this.#absent === 0) return
    this.#bringAccounts(writes)
    if (writes.slotCount > 0) this.#bringSlots(writes)
  }

  /** A storage goes with its account: all of it is in memory then, and none of its pages is any more. */
  detach(root: number): void {
    const { slotNodes } = this.#state
    slotNodes.leaveRootPage(root)
    slotNodes.changed!.roots.delete(root)
    for (let level = [slotNodes.childOf(~root, 0)]; level.length > 0; ) {
      const branches = level.flatMap((child) => (child < 0 ? [~child] : []))
      for (const branch of branches) slotNodes.leavePage(branch)
      level = this.#childrenOf(slotNodes, branches)
    }
  }

  /**
   * References of listed nodes can be made by threads, which read no pages: an extension needs a key below it, and all
   * below it may be absent.
   */
  readyToHash(): void {
    if (this.#absent === 0) return
    for (const nodes of [this.#state.slotNodes, this.#state.accountNodes])
      for (const branch of nodes.listedBranches.ids())
        if (!nodes.isFree(branch) && isExtended(nodes, branch)) nodes.anyLeaf(~branch)
  }

  /** Children of branches, those that were absent included. */
  #childrenOf(nodes: TrieNodes, branches: readonly number[]): number[] {
    const parents: number[] = []
    const nibbles: number[] = []
    for (const branch of branches)
      for (let rest = nodes.branches[BRANCH_LIMBS * branch + BRANCH_SHAPE]! & 0xffff; rest !== 0; rest &= rest - 1) {
        parents.push(branch)
        nibbles.push(31 - Math.clz32(rest & -rest))
      }
    this.#load(nodes, parents, nibbles)
    return branches.flatMap((branch) => {
      const row = BRANCH_LIMBS * branch
      const first = nodes.branches[row + BRANCH_PLACES]!
      return [...nodes.children.subarray(first, first + bitCount(nodes.branches[row + BRANCH_SHAPE]!))]
    })
  }

  #bringAccounts({ deletedAccounts, accountAddresses, accountCount, slotAddresses, slotCount }: StateWrites): void {
    const { accounts, accountNodes, root } = this.#state
    const most = deletedAccounts.length / LIMBS_PER_ADDRESS + accountCount + slotCount
    const names = new Uint8Array(ADDRESS_BYTES * most)
    let count = 0
    const add = (addresses: Uint32Array, n: number): void => {
      for (let at = 0; at < LIMBS_PER_ADDRESS * n; at += LIMBS_PER_ADDRESS) {
        if (at > 0 && isSameAddress(addresses, at)) continue
        if (accounts.find(addresses, at) < 0) addressToBytes(names, ADDRESS_BYTES * count++, addresses, at)
      }
    }
    add(deletedAccounts, deletedAccounts.length / LIMBS_PER_ADDRESS)
    add(accountAddresses, accountCount)
    add(slotAddresses, slotCount)
    this.#descend(accountNodes, hashed(names, ADDRESS_BYTES, count), new Int32Array(count).fill(~root))
  }

  #bringSlots({ slotAddresses, slotKeys, slotCount }: StateWrites): void {
    const { accounts, slots, slotNodes } = this.#state
    const names = new Uint8Array(HASH_BYTES * slotCount)
    const starts = new Int32Array(slotCount)
    let count = 0
    let storage = 0
    for (let i = 0; i < slotCount; i++) {
      const address = LIMBS_PER_ADDRESS * i
      if (i === 0 || !isSameAddress(slotAddresses, address)) {
        const leaf = accounts.find(slotAddresses, address)
        storage = leaf < 0 ? 0 : accounts.rows[LEAF_LIMBS * leaf + LEAF_STORAGE]!
      }
      if (storage === 0 || slots.find(storage, slotKeys, LIMBS_PER_WORD * i) >= 0) continue
      starts[count] = ~storage
      wordToBytes(names, HASH_BYTES * count++, slotKeys, LIMBS_PER_WORD * i)
    }
    this.#descend(slotNodes, hashed(names, HASH_BYTES, count), starts)
  }

  /** Goes with each key from its parent (`at`) down as far as there is a way, and loads what is absent on it. */
  #descend(nodes: TrieNodes, keys: Uint8Array, at: Int32Array): void {
    let waiting = inOrder(keys)
    while (waiting.length > 0) {
      const parents: number[] = []
      const nibbles: number[] = []
      let last = -1
      waiting = waiting.filter((n) => {
        const isWaiting = this.#step(nodes, keys, n, at)
        if (!isWaiting) return false
        const parent = at[n]!
        const nibble = parent < 0 ? 0 : nibbleAt(keys, n, nodes.depthOf(parent))
        const place = nodes.placeOf(parent, nibble)
        if (place !== last) {
          parents.push(parent)
          nibbles.push(nibble)
        }
        last = place
        return true
      })
      this.#load(nodes, parents, nibbles)
    }
  }

  /** Takes a key down to the parent of what is absent on its way. False where nothing is. */
  #step(nodes: TrieNodes, keys: Uint8Array, n: number, at: Int32Array): boolean {
    for (let parent = at[n]!; ; ) {
      let nibble = 0
      if (parent >= 0) {
        nibble = nibbleAt(keys, n, nodes.depthOf(parent))
        if ((nodes.branches[BRANCH_LIMBS * parent + BRANCH_SHAPE]! & (1 << nibble)) === 0) return false
      }
      const child = nodes.children[nodes.placeOf(parent, nibble)]!
      if (child >= 0) {
        at[n] = parent
        return isAbsent(child)
      }
      parent = ~child
    }
  }

  /** Loads what is absent among children of parents at nibbles. */
  #load(nodes: TrieNodes, parents: readonly number[], nibbles: readonly number[]): void {
    if (this.fault !== undefined) throw this.fault
    let page = 0
    const reader = this.#reader ?? new PageReader(this.#state)
    this.#reader = undefined
    try {
      const loaded: number[] = []
      const numbers: number[] = []
      const expected = new Uint32Array(8 * parents.length)
      for (let n = 0; n < parents.length; n++) {
        const place = nodes.placeOf(parents[n]!, nibbles[n]!)
        if (!isAbsent(nodes.children[place]!)) continue
        page = nodes.children[place]! - FIRST_ABSENT
        expected.set(nodes.hashes.subarray(8 * place, 8 * place + 8), 8 * loaded.length)
        loaded.push(n)
        numbers.push(page)
        this.#read(reader, nodes, parents[n]!, nibbles[n]!, page)
      }
      page = 0
      this.#hashLoaded(reader)
      for (let n = 0; n < loaded.length; n++) {
        const place = nodes.placeOf(parents[loaded[n]!]!, nibbles[loaded[n]!]!)
        if (nodes.lengths[place] === 0 && wordEquals(nodes.hashes, 8 * place, expected, 8 * n)) continue
        page = numbers[n]!
        throw new PageError(`has another hash than ${hexOf(expected.subarray(8 * n, 8 * n + 8))}`)
      }
      this.#absent += reader.absent - loaded.length
      reader.clear()
      this.#reader = reader
    } catch (thrown) {
      const { message } = thrown as Error
      const which = page === 0 ? 'a page' : `page ${page}`
      this.fault =
        thrown instanceof PageError ? this.#source.damaged(`${which} of the trie ${message}`) : (thrown as Error)
      throw this.fault
    }
  }

  #read(reader: PageReader, nodes: TrieNodes, parent: number, nibble: number, page: number): void {
    const record = this.#source.read(page)
    if (record === undefined) throw new PageError('is not there')
    const storage = nodes === this.#state.slotNodes ? nodes.rootAbove(parent) : 0
    // The page of a root stands with the root.
    reader.read(record, { nodes, storage }, parent, nibble, parent < 0 ? 0 : page)
  }

  /** Makes keys and references of what was read. */
  #hashLoaded({ accounts: newAccounts, slots: newSlots, accountBranches, slotBranches }: PageReader): void {
    const { accounts, slots, accountNodes, slotNodes } = this.#state
    hashKeys(accounts, newAccounts, ACCOUNT_NAME, LIMBS_PER_ADDRESS)
    hashKeys(slots, newSlots, SLOT_NAME, LIMBS_PER_WORD)
    this.#hashNodes(slotNodes, newSlots, STRETCH_KINDS.slots, slotBranches, STRETCH_KINDS.slotBranches)
    this.#hashNodes(accountNodes, newAccounts, STRETCH_KINDS.accounts, accountBranches, STRETCH_KINDS.accountBranches)
  }

  #hashNodes(nodes: TrieNodes, leaves: IntList, leafKind: number, branches: IntList, branchKind: number): void {
    for (let n = 0; n < leaves.count; n++)
      if (!standsRight(nodes, leaves.values[n]!)) throw new PageError('has a leaf where its key does not lead')
    // Where all below an extension is absent, a page there is read for the way.
    for (let n = 0; n < branches.count; n++)
      if (isExtended(nodes, branches.values[n]!)) nodes.anyLeaf(~branches.values[n]!)
    this.#hash.hash(this.#state, leafKind, leaves.values, 0, leaves.count)
    eachDepth(nodes, branches.values.subarray(0, branches.count), branchKind, (...stretch) =>
      this.#hash.hash(this.#state, ...stretch),
    )
  }
}

const hashed = (names: Uint8Array, length: number, count: number): Uint8Array =>
  keccakMany({
    count,
    bytes: names,
    offsets: Uint32Array.from({ length: count }, (_, n) => length * n),
    lengths: new Uint32Array(count).fill(length),
  })

const nibbleAt = (keys: Uint8Array, n: number, at: number): number =>
  (keys[HASH_BYTES * n + (at >> 1)]! >> ((~at & 1) * 4)) & 15

/** Positions of keys in the order of their first four bytes. */
const inOrder = (keys: Uint8Array): Int32Array => {
  const count = keys.length / HASH_BYTES
  const order = Int32Array.from({ length: count }, (_, n) => n)
  if (count > POSITIONS) return order
  const view = new DataView(keys.buffer, keys.byteOffset)
  const ranks = new Float64Array(count)
  for (let n = 0; n < count; n++) ranks[n] = view.getUint32(HASH_BYTES * n) * POSITIONS + n
  ranks.sort()
  for (let n = 0; n < count; n++) order[n] = ranks[n]! % POSITIONS
  return order
}

/** Whether the address at `at` is the one before it. */
const isSameAddress = (addresses: Uint32Array, at: number): boolean => {
  for (let limb = at; limb < at + LIMBS_PER_ADDRESS; limb++)
    if (addresses[limb] !== addresses[limb - LIMBS_PER_ADDRESS]) return false
  return true
}

const hexOf = (words: Uint32Array): string => `0x${Buffer.from(words.slice().buffer).toString('hex')}`
