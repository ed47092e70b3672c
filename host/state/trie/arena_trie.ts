import type { HashPlan, NodeHasher } from '../../primitives/hash_plan.ts'
import { checkArray, checkHex, checkWord } from '../../primitives/input.ts'
import { EMPTY_TRIE_ROOT } from '../../primitives/keccak.ts'
import { hashPlan } from '../../primitives/keccak_many.ts'
import { MessageBatch } from '../../primitives/message_batch.ts'
import type { StateWrites } from '../state.ts'
import { ChangeRecord } from './change_record.ts'
import { NodesInPlace } from './hash_nodes.ts'
import { hashesListed, type ListedNodes } from './listed_nodes.ts'
import { type PageChanges, PageCuts } from './page_cuts.ts'
import { PlanWriter } from './plan_writer.ts'
import { proveAccount } from './proof.ts'
import type { ReplacedValues } from './replaced_values.ts'
import { StateNodes } from './state_nodes.ts'
import { type PagedRoot, type PageSource, StatePages } from './state_pages.ts'
import type { AccountProof, ResidentTrie, StateRootJob, StateTrieOptions } from './state_trie.ts'
import { MAX_BRANCH_BYTES, writeBranches } from './write_branches.ts'
import { MAX_LEAF_BYTES, writeAccounts, writeSlots } from './write_leaves.ts'

const HISTORY_BYTES = 2 ** 28

/** A state trie on disk. */
export interface DiskTrie {
  readonly source: PageSource
  readonly root: PagedRoot
}

/** The state trie in typed arrays (`StateNodes`), with the records of its last changes. */
export class ArenaTrie implements ResidentTrie {
  readonly #nodes = new StateNodes()
  readonly #writer = new PlanWriter()
  readonly #hasher: NodeHasher | undefined
  readonly #historyBytes: number
  #root = EMPTY_TRIE_ROOT
  #records: ChangeRecord[] = []
  #recordBytes = 0
  /** The change whose root is not known yet; its record is not among the others. */
  #pending: ChangeRecord | undefined
  /** Calls of `hold` that have not ended. */
  #holds = 0
  /** Of a trie that is on disk as well. */
  readonly #pages: StatePages | undefined
  readonly #cuts: PageCuts | undefined

  /** `disk`: where the trie begins, and comes from as it is needed. */
  constructor({ hasher, historyBytes = HISTORY_BYTES }: StateTrieOptions = {}, disk?: DiskTrie) {
    this.#hasher = hasher
    this.#historyBytes = historyBytes
    if (disk === undefined) return
    this.#pages = new StatePages(this.#nodes, disk.source, disk.root)
    this.#nodes.pages = this.#pages
    this.#cuts = new PageCuts(this.#nodes, this.#pages)
    this.#root = disk.root.hash
  }

  /** What was found wrong on disk: the trie is good for nothing then. */
  get fault(): Error | undefined {
    return this.#pages?.fault
  }

  /** Reads what the trie begins with on disk. Throws where it is not what its hash says. */
  readRoot(): void {
    const { accountNodes, root } = this.#nodes
    accountNodes.childOf(~root, 0)
  }

  /** Of a trie from a disk: what makes the pages there its own. They are its own once `clearChanges` says so. */
  changedPages(): PageChanges {
    this.#hashHere()
    return this.#cuts!.changes(this.#root)
  }

  clearChanges(): void {
    for (const { changed } of [this.#nodes.accountNodes, this.#nodes.slotNodes]) changed!.clear()
  }

  get root(): string {
    return this.#root
  }

  /** Bytes of its arrays and of its history. */
  get sizeBytes(): number {
    return this.#nodes.sizeBytes + this.#writer.sizeBytes + this.#recordBytes
  }

  /** Puts a whole state into an empty trie, on this thread, without a record. */
  build(writes: StateWrites): void {
    const record = new ChangeRecord(this.#root, writes.slotCount, writes.accountCount)
    this.#nodes.change(writes, record)
    this.#nodes.forget(record)
    this.#hashHere()
  }

  async apply(writes: StateWrites): Promise<string> {
    return this.prepare(writes).finish()
  }

  prepare(writes: StateWrites): StateRootJob {
    if (this.#pending !== undefined) throw new Error('the state trie is still waiting for the root of the last change')
    const deleted = writes.deletedAccounts.length / 5
    const record = new ChangeRecord(this.#root, writes.slotCount, writes.accountCount + deleted)
    try {
      this.#nodes.change(writes, record)
    } catch (thrown) {
      this.#nodes.undo(record)
      throw thrown
    }
    this.#pending = record
    return { finish: (hasher = this.#hasher) => this.#finish(record, hasher) }
  }

  rewind(root: string): void {
    const pending = this.#pending
    let first = this.#records.length
    if (root !== this.#root) {
      first = this.#records.findLastIndex((record) => record.root === root)
      if (first < 0)
        throw new Error(`the state trie cannot go back to ${root}: it was never there, or its history is shorter`)
    }
    if (pending !== undefined) {
      this.#pending = undefined
      this.#nodes.undo(pending)
      // Its messages may still be read.
      this.#writer.leave()
    }
    while (this.#records.length > first) {
      const record = this.#records.pop()!
      this.#recordBytes -= record.sizeBytes
      this.#nodes.undo(record)
    }
    this.#root = root
  }

  /**
   * What the one change from a root to another replaced; undefined where there was none, it is not remembered, or an
   * account lost its storage by it. Good until the trie changes.
   */
  replaced(from: string, to: string): ReplacedValues | undefined {
    const at = this.#records.findLastIndex(
      ({ root }, n) => root === from && (this.#records[n + 1]?.root ?? this.#root) === to,
    )
    const record = this.#records[at]
    if (record === undefined || record.detached.length > 0) return undefined
    const { accounts, slots, codes } = this.#nodes
    return { record, accounts: accounts.rows, slots: slots.rows, codes: codes.bytes }
  }

  hold(): () => void {
    this.#holds++
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#holds--
      this.#forget()
    }
  }

  proof(address: string, keys: readonly (bigint | string)[] = []): AccountProof {
    checkHex(address, 20, 'address')
    const words = checkArray(keys, 'keys').map((key, n) => checkWord(key, `keys[${n}]`))
    if (this.#pending !== undefined) throw new Error('the state trie is still waiting for the root of the last change')
    // What a rewind has left to be hashed.
    this.#hashHere()
    return proveAccount(this.#nodes, address, words, (read) => this.#hashListed(read))
  }

  storageRoot(address: string): string {
    return this.proof(address).storageHash
  }

  /** Hashes what is listed as a plan, on this thread. */
  #hashListed(read: (plan: HashPlan) => (digests: Uint8Array) => void): void {
    const plan = this.#plan()
    const take = read(plan)
    const digests = hashPlan(plan)
    take(digests)
    this.#enter(plan, digests)
    this.#settle()
  }

  async #finish(record: ChangeRecord, hasher: NodeHasher | undefined): Promise<string> {
    if (this.#pending !== record) throw new Error('the root of this change is known, or the change was taken back')
    this.#pages?.readyToHash()
    const listed = this.#listedOf(record)
    try {
      if (hasher === undefined) listed.inPlace()
      else if (hashesListed(hasher)) await hasher.hashListed(listed)
      else await listed.byPlan(hasher)
    } catch (thrown) {
      if (this.#pending === record) this.rewind(this.#root)
      throw thrown
    }
    if (this.#pending !== record) throw new Error(REWOUND)
    this.#pending = undefined
    this.#settle()
    this.#records.push(record)
    this.#recordBytes += record.sizeBytes
    this.#forget()
    return this.#root
  }

  /** What the pending change has listed, which may be hashed as long as it is pending. */
  #listedOf(record: ChangeRecord): ListedNodes {
    const { accountNodes, slotNodes } = this.#nodes
    const leaves = slotNodes.listedLeaves.count + accountNodes.listedLeaves.count
    const branches = slotNodes.listedBranches.count + accountNodes.listedBranches.count
    return {
      blocks: leaves + BLOCKS_OF_BRANCH * branches,
      byPlan: async (hasher) => {
        const plan = this.#plan()
        const digests = plan.count === 0 ? NOTHING : await hasher.hash(plan)
        if (this.#pending !== record) throw new Error(REWOUND)
        this.#enter(plan, digests)
      },
      inPlace: (threads) => {
        if (threads?.hash(this.#nodes) === true) return
        if (threads !== undefined) for (const nodes of [accountNodes, slotNodes]) nodes.leaveReferences()
        HERE.hashAll(this.#nodes)
      },
    }
  }

  /** Hashes what is listed, on this thread. */
  #hashHere(): void {
    HERE.hashAll(this.#nodes)
    this.#settle()
  }

  #forget(): void {
    if (this.#holds > 0) return
    let count = 0
    while (this.#recordBytes > this.#historyBytes && count < this.#records.length - 1) {
      const record = this.#records[count++]!
      this.#recordBytes -= record.sizeBytes
      this.#nodes.forget(record)
    }
    if (count > 0) this.#records.splice(0, count)
  }

  /** The messages that make every listed reference anew: slots, then accounts. */
  #plan(): HashPlan {
    const { accountNodes, slotNodes, codes } = this.#nodes
    const leaves = slotNodes.listedLeaves.count + accountNodes.listedLeaves.count
    const branches = slotNodes.listedBranches.count + accountNodes.listedBranches.count
    const writer = this.#writer
    writer.begin(leaves + 2 * branches, MAX_LEAF_BYTES * leaves + MAX_BRANCH_BYTES * branches)
    writeSlots(slotNodes, writer)
    writer.endLevel()
    writeBranches(slotNodes, writer)
    this.#slotMessages = writer.count
    writeAccounts(accountNodes, slotNodes, codes, writer)
    writer.endLevel()
    writeBranches(accountNodes, writer)
    return writer.plan()
  }

  /** Messages of the plan that belong to slots; the others belong to accounts. */
  #slotMessages = 0

  /** Digests become references. */
  #enter(plan: HashPlan, digests: Uint8Array): void {
    const { accountNodes, slotNodes } = this.#nodes
    const words = wordsOf(digests)
    slotNodes.setHashes(this.#writer.places, words, 0, this.#slotMessages)
    accountNodes.setHashes(this.#writer.places, words, this.#slotMessages, plan.count)
  }

  /** All references are made: nothing is listed any more. */
  #settle(): void {
    const { accountNodes, slotNodes, root } = this.#nodes
    slotNodes.settle()
    accountNodes.settle()
    this.#root = accountNodes.isEmpty(root) ? EMPTY_TRIE_ROOT : accountNodes.hashAt(root)
  }
}

const NOTHING = new Uint8Array(0)
/** Of a branch in a trie of hundreds of thousands: six children and more. */
const BLOCKS_OF_BRANCH = 2
const REWOUND = 'the state trie was rewound before its root was known'
const HERE = new NodesInPlace(new MessageBatch())

const wordsOf = (bytes: Uint8Array): Uint32Array =>
  bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    : new Uint32Array(bytes.slice().buffer)
