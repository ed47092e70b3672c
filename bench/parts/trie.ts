import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import type { HashPlan, NodeHasher } from '../../host/primitives/hash_plan.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import { EMPTY_CODE_HASH, keccak256 } from '../../host/primitives/keccak.ts'
import { hashPlan, SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import { rlpBytes, rlpDecodeOwn, rlpInteger, rlpList } from '../../host/primitives/rlp.ts'
import { addressToBytes, quantityToBigInt, wordFromHex, wordToBigInt, wordToBytes } from '../../host/primitives/word.ts'
import type { StateWrites } from '../../host/state/state.ts'
import type { ListedHasher } from '../../host/state/trie/listed_nodes.ts'
import { NodeTrie, nameOf } from '../../host/state/trie/node_trie.ts'
import type { ResidentTrie } from '../../host/state/trie/state_trie.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { TrieThreads } from '../../host/state/trie/trie_threads.ts'
import { newWrites } from '../../host/state/writes/new_writes.ts'
import { createRandom, type Random } from '../random.ts'
import { type Part, type PartOptions, type PartRow, partRow } from './part.ts'

/** The state has so many accounts, and a token so many slots, for each account that a block changes. */
const STATE_SHARE = 16
const SLOTS_PER_ACCOUNT = 2
/** Of so many accounts @ethereumjs/mpt changes one, with its slots: it takes a hundred times as long. */
const MPT_SHARE = 32

/** Addresses and slot keys of a state, in columns. Account 0 is the token that has the slots. */
interface World {
  readonly addresses: Uint32Array
  readonly keys: Uint32Array
  readonly count: number
}

const world = (seed: number, count: number): World => {
  const random = createRandom(seed, 'trie')
  return {
    addresses: Uint32Array.from({ length: 5 * count }, () => random.u32()),
    keys: Uint32Array.from({ length: 8 * count }, () => random.u32()),
    count,
  }
}

/** Writes of new values to these accounts, and to these slots of the token. */
const writesOf = (world: World, accounts: ArrayLike<number>, slots: ArrayLike<number>, random: Random): StateWrites => {
  const { addresses, keys } = world
  const writes = newWrites(accounts.length, slots.length)
  for (let i = 0; i < accounts.length; i++) {
    const at = 5 * accounts[i]!
    writes.accountAddresses.set(addresses.subarray(at, at + 5), 5 * i)
    writes.accounts.nonce[2 * i] = random.below(1000)
    writes.accounts.balance[8 * i] = random.u32()
    writes.accounts.balance[8 * i + 1] = random.u32()
    wordFromHex(writes.accounts.codeHash, 8 * i, EMPTY_CODE_HASH)
  }
  for (let i = 0; i < slots.length; i++) {
    writes.slotAddresses.set(addresses.subarray(0, 5), 5 * i)
    writes.slotKeys.set(keys.subarray(8 * slots[i]!, 8 * slots[i]! + 8), 8 * i)
    writes.slotValues[8 * i] = 1 + random.below(2 ** 31)
    writes.slotValues[8 * i + 1] = random.u32()
  }
  return writes
}

/** So many different numbers below `below`. */
const sample = (count: number, below: number, random: Random): Int32Array => {
  const seen = new Set<number>()
  while (seen.size < count) seen.add(random.below(below))
  return Int32Array.from(seen)
}

/** The writes of the first accounts and slots, in the proportion of all. */
const firstWrites = (writes: StateWrites, share: number): StateWrites => ({
  ...writes,
  accountCount: Math.ceil(writes.accountCount / share),
  slotCount: Math.ceil(writes.slotCount / share),
})

/** Keeps every node that is hashed, by name. */
const keeping = (nodes: Map<string, Uint8Array>): NodeHasher => ({
  ...SERIAL_HASHER,
  hash: async (plan: HashPlan) => {
    const digests = hashPlan(plan)
    for (let k = 0; k < plan.count; k++) {
      const start = plan.offsets[k]!
      const node = plan.bytes.slice(start, start + plan.lengths[k]!)
      for (let hole = plan.holeStart[k]!; hole < plan.holeStart[k + 1]!; hole++) {
        const of = 32 * plan.holeOf[hole]!
        node.set(digests.subarray(of, of + 32), plan.holeAt[hole]! - start)
      }
      nodes.set(nameOf(digests.subarray(32 * k, 32 * k + 32)), node)
    }
    return digests
  },
})

interface Entry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

const addressAt = (addresses: Uint32Array, i: number): Uint8Array => {
  const bytes = new Uint8Array(20)
  addressToBytes(bytes, 0, addresses, 5 * i)
  return bytes
}

/** Slots with the RLP of their values, accounts with nonce and balance; keys as they are before they are hashed. */
const slotEntries = ({ slotCount, slotKeys, slotValues }: StateWrites): Entry[] =>
  Array.from({ length: slotCount }, (_, i) => {
    const key = new Uint8Array(32)
    wordToBytes(key, 0, slotKeys, 8 * i)
    return { key, value: rlpInteger(wordToBigInt(slotValues, 8 * i)) }
  })

const accountEntries = (
  writes: StateWrites,
  token: Uint8Array,
  storageRoot: Uint8Array,
  before: Uint8Array,
): Entry[] => {
  const codeHash = rlpBytes(hexToBytes(EMPTY_CODE_HASH))
  const noStorage = rlpBytes(keccak256(Uint8Array.of(0x80)))
  const entry = (key: Uint8Array, nonce: Uint8Array, balance: Uint8Array): Entry => {
    const root = Buffer.compare(key, token) === 0 ? rlpBytes(storageRoot) : noStorage
    return { key, value: rlpList([nonce, balance, root, codeHash]) }
  }
  const entries = Array.from({ length: writes.accountCount }, (_, i) =>
    entry(
      addressAt(writes.accountAddresses, i),
      rlpInteger(quantityToBigInt(writes.accounts.nonce, 2 * i)),
      rlpInteger(wordToBigInt(writes.accounts.balance, 8 * i)),
    ),
  )
  if (entries.some(({ key }) => Buffer.compare(key, token) === 0)) return entries
  const [nonce, balance] = rlpDecodeOwn(before) as Uint8Array[]
  return [...entries, entry(token, rlpBytes(nonce!), rlpBytes(balance!))]
}

/** A state in nodes by hash, as peers have it. */
class StoredState {
  readonly nodes = new Map<string, Uint8Array>()
  readonly #token: Uint8Array

  constructor({ addresses }: World) {
    this.#token = addressAt(addresses, 0)
  }

  /** By the bulk trie over a store of nodes, which was the state trie before. */
  byNodeTrie(root: Uint8Array, writes: StateWrites): Uint8Array {
    const made = new Map<string, Uint8Array>()
    const tries = new NodeTrie({
      get: (name) => made.get(name) ?? this.nodes.get(name),
      set: (name, node) => made.set(name, node),
    })
    const hashed = (entries: readonly Entry[]): Entry[] =>
      entries.map(({ key, value }) => ({ key: keccak256(key), value }))
    const token = tries.get(root, keccak256(this.#token))!
    const storage = tries.update((rlpDecodeOwn(token) as Uint8Array[])[2]!, hashed(slotEntries(writes)))
    return tries.update(root, hashed(accountEntries(writes, this.#token, storage, token)))
  }

  /** By @ethereumjs/mpt, one entry at a time. */
  async byMpt(root: Uint8Array, writes: StateWrites): Promise<Uint8Array> {
    const made = new Map<string, Uint8Array>()
    const db = {
      get: async (name: string) => made.get(name) ?? this.nodes.get(Buffer.from(name, 'hex').toString('latin1')),
      put: async (name: string, node: Uint8Array) => void made.set(name, node),
      del: async () => {},
      batch: async (items: readonly { readonly key: string; readonly value?: Uint8Array }[]) => {
        for (const { key, value } of items) if (value !== undefined) made.set(key, value)
      },
      shallowCopy: () => db,
      open: async () => {},
    }
    const options = { db: db as never, useKeyHashing: true, valueEncoding: 'view' as never }
    const accounts = new MerklePatriciaTrie({ ...options, root })
    const token = (await accounts.get(this.#token))!
    const slots = new MerklePatriciaTrie({ ...options, root: (RLP.decode(token) as Uint8Array[])[2]! })
    for (const { key, value } of slotEntries(writes)) await slots.put(key, value)
    for (const { key, value } of accountEntries(writes, this.#token, slots.root(), token))
      await accounts.put(key, value)
    return accounts.root()
  }
}

interface Form {
  readonly name: string
  readonly isPeer: boolean
  readonly writes: StateWrites
  readonly note: string
  readonly samplesMs: number[]
  apply(writes: StateWrites): Promise<string>
}

const hexOf = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`

const run = async ({ size, samples, seed, step }: PartOptions): Promise<readonly PartRow[]> => {
  const whole = world(seed, STATE_SHARE * size)
  const random = createRandom(seed, 'trie blocks')
  const all = Int32Array.from({ length: whole.count }, (_, n) => n)
  step(`making a state of ${whole.count} accounts and slots`)
  const stored = new StoredState(whole)
  const trie = createStateTrie()
  await trie.prepare(writesOf(whole, all, all, random)).finish(keeping(stored.nodes))
  const threads = new TrieThreads()
  try {
    const writes = writesOf(
      whole,
      sample(size, whole.count, random),
      sample(SLOTS_PER_ACCOUNT * size, whole.count, random),
      random,
    )
    const before = hexToBytes(trie.root)
    const forms = formsOf(trie, stored, before, writes, threads)
    const roots = new Map<StateWrites, string>()
    for (let n = -1; n < samples; n++)
      for (const form of forms) {
        step(n < 0 ? `warming up ${form.name}` : `sample ${n + 1} of ${samples}, ${form.name}`)
        const startedMs = performance.now()
        const root = await form.apply(form.writes)
        if (n >= 0) form.samplesMs.push(performance.now() - startedMs)
        const known = roots.get(form.writes) ?? root
        if (root !== known) throw new Error(`${form.name}: root ${root}, another form has ${known}`)
        roots.set(form.writes, root)
        // References are made anew that a rewind leaves to be made: not part of the next sample.
        if (trie.root !== hexOf(before)) await back(trie, hexOf(before))
      }
    const prepared = prepareMsOf(trie, writes)
    return forms.map(({ name, isPeer, writes, samplesMs, note }) =>
      partRow({
        form: name,
        isPeer,
        count: writes.accountCount + writes.slotCount,
        samplesMs,
        verified: 'every root is that of every other form for the same writes',
        note: name.startsWith('arena, 1') ? `${note}; prepare alone ${prepared.toFixed(1)} ms` : note,
      }),
    )
  } finally {
    threads.close()
  }
}

/** What the first half of `apply` takes, the least of some. */
const prepareMsOf = (trie: ResidentTrie, writes: StateWrites): number => {
  let least = Infinity
  for (let n = 0; n < 5; n++) {
    const startedMs = performance.now()
    trie.prepare(writes)
    least = Math.min(least, performance.now() - startedMs)
    trie.rewind(trie.root)
  }
  return least
}

const back = async (trie: ResidentTrie, root: string): Promise<void> => {
  trie.rewind(root)
  await trie.apply(newWrites(0, 0))
}

const inPlaceOn = (threads?: TrieThreads): ListedHasher => ({
  ...SERIAL_HASHER,
  hashListed: async (nodes) => nodes.inPlace(threads),
})

const formsOf = (
  trie: ResidentTrie,
  stored: StoredState,
  before: Uint8Array,
  writes: StateWrites,
  threads: TrieThreads,
): readonly Form[] => {
  const few = firstWrites(writes, MPT_SHARE)
  const arena = (name: string, hasher: NodeHasher, writes: StateWrites, note: string): Form => ({
    name,
    isPeer: false,
    writes,
    note,
    samplesMs: [],
    apply: (writes) => trie.prepare(writes).finish(hasher),
  })
  return [
    arena(`arena, ${threads.threads} threads`, inPlaceOn(threads), writes, 'prepare on this thread, then nodes on all'),
    arena('arena, 1 thread', inPlaceOn(), writes, 'prepare and nodes on this thread'),
    arena('arena, plan', SERIAL_HASHER, writes, 'nodes as a plan, as for a device, hashed on this thread'),
    arena('arena, few', inPlaceOn(), few, `the writes of @ethereumjs/mpt, 1 in ${MPT_SHARE}`),
    {
      name: 'nodes by hash',
      isPeer: false,
      writes,
      note: 'NodeTrie, in bulk over a Map of nodes: the state trie before',
      samplesMs: [],
      apply: async (writes) => hexOf(stored.byNodeTrie(before, writes)),
    },
    {
      name: '@ethereumjs/mpt',
      isPeer: true,
      writes: few,
      note: `one put for each of 1 in ${MPT_SHARE} writes, over a Map of nodes`,
      samplesMs: [],
      apply: async (writes) => hexOf(await stored.byMpt(before, writes)),
    },
  ]
}

export const triePart: Part = {
  name: 'trie',
  title: 'state root after a block: accounts and twice as many slots, of sixteen times as many',
  unit: 'leaves',
  size: 65_536,
  run,
}
