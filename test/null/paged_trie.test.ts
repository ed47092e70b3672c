import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { EMPTY_CODE_HASH, keccak256 } from '../../host/primitives/keccak.ts'
import { SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import { MessageBatch } from '../../host/primitives/message_batch.ts'
import { quantityToBigInt, wordToBigInt, wordToHex } from '../../host/primitives/word.ts'
import type { MemoryState } from '../../host/state/memory_state.ts'
import { absentAccounts, decodeAccount } from '../../host/state/store/records.ts'
import { undoEntries, undoOf } from '../../host/state/store/undo_record.ts'
import type { ArenaTrie } from '../../host/state/trie/arena_trie.ts'
import { eachStretch, NodesInPlace } from '../../host/state/trie/hash_nodes.ts'
import { AccountLeaves, SlotLeaves } from '../../host/state/trie/leaf_rows.ts'
import type { ListedHasher } from '../../host/state/trie/listed_nodes.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { TrieNodes } from '../../host/state/trie/trie_nodes.ts'
import { PageDisk } from '../fixtures/page_disk.ts'
import { addressOf, type Change, randomChanges, randomState, writesOf } from '../fixtures/state_changes.ts'

/** More for nights. */
const STEPS = Number(process.env['WGEVM_RUNS'] ?? 25)

/** Hashes as a thread does: by arrays alone, from which no page can be read. */
const BY_A_THREAD: ListedHasher = {
  ...SERIAL_HASHER,
  hashListed: async (listed) =>
    listed.inPlace({
      hash: (arenas) => {
        const [accountNodes, slotNodes] = [new TrieNodes(new AccountLeaves()), new TrieNodes(new SlotLeaves())]
        accountNodes.adopt(arenas.accountNodes.arrays)
        slotNodes.adopt(arenas.slotNodes.arrays)
        const here = new NodesInPlace(new MessageBatch())
        eachStretch(arenas, (...stretch) => here.hash({ accountNodes, slotNodes, codes: arenas.codes }, ...stretch))
        return true
      },
    }),
}

interface Step {
  readonly root: string
  readonly state: MemoryState
}

/**
 * What the trie remembers of a change undoes it: entries of a store's undo record, put over the state after the change,
 * make the one before it. Gives 1 where it remembers, and 0 where an account lost its storage.
 */
const checkUndo = (trie: ArenaTrie, before: Step, after: Step): number => {
  const replaced = trie.replaced(before.root, after.root)
  const record = replaced === undefined ? undefined : undoOf(replaced)
  if (record === undefined) return 0
  const state = after.state.dump() as Record<string, { storage: Record<string, string> }>
  for (const { key, value } of undoEntries(record)!) {
    const address = bytesToHex(key.subarray(0, 20))
    if (key.length === 52) {
      const { storage } = state[address]!
      const slot = bytesToHex(key.subarray(20))
      if (value === undefined) delete storage[slot]
      else storage[slot] = `0x${Buffer.from(value).toString('hex').padStart(64, '0')}`
    } else if (value === undefined) state[address] = { storage: state[address]?.storage ?? {} }
    else {
      const columns = absentAccounts(1)
      expect(decodeAccount(columns, 0, value, value.length)).toBe(true)
      const nonce = quantityToBigInt(columns.nonce, 0)
      const balance = wordToBigInt(columns.balance, 0)
      const codeHash = wordToHex(columns.codeHash, 0)
      state[address] = { nonce, balance, codeHash, storage: state[address]?.storage ?? {} } as (typeof state)[string]
    }
  }
  const there = Object.entries(state).filter(([, account]) => 'nonce' in account)
  for (const [address, { storage, ...account }] of Object.entries(state))
    if (!('nonce' in account)) expect(storage, address).toEqual({})
  expect(Object.fromEntries(there)).toEqual(before.state.dump())
  return 1
}

describe('a state trie in pages', () => {
  /** Changes of a few accounts, or of many at once, that come and go, with storages of any size. */
  const changesOf = (state: MemoryState, seed: number): Change[] => {
    const random = createRandom(seed, 'paged changes')
    const drawn = randomChanges(state, seed)
    const some = random.below(2) === 0 ? drawn : drawn.filter(({ account, cleared }) => account && cleared !== true)
    if (random.below(3) > 0) return some
    const { codeHash } = Object.values(state.dump())[0]!
    const first = random.below(1200)
    const isTaken = random.below(3) === 0
    const many = Array.from({ length: random.below(300) }, (_, n): Change => {
      const account = isTaken ? undefined : { nonce: 1n, balance: BigInt(seed), codeHash }
      return { address: addressOf(200_000 + first + n), account }
    })
    const slots = Object.fromEntries(
      Array.from({ length: random.below(400) }, () => [`${random.below(900)}`, BigInt(random.below(3))]),
    )
    const large = {
      address: addressOf(300_000 + random.below(2)),
      account: { nonce: 2n, balance: 1n, codeHash },
      slots,
    }
    const all = [...some, ...many, { ...large, cleared: random.below(8) === 0 }]
    // An address comes once.
    return [...new Map(all.map((change) => [change.address, change])).values()]
  }

  it.each([1, 2])(
    'is at every step the trie in memory, wherever it is written, left and read again (%i)',
    async (seed) => {
      const random = createRandom(seed, 'paged trie')
      let state = randomState(seed, 400)
      let memory = createStateTrie(state.dump())
      const disk = new PageDisk()
      let paged = disk.open()
      await paged.apply(state.contents())
      disk.keep(paged)
      /** What the trie on disk is of, and what was done since. */
      let kept = state.clone()
      let since: Step[] = []
      let undone = 0
      for (let step = 0; step < STEPS; step++) {
        const before = { root: memory.root, state: state.clone() }
        const writes = writesOf(changesOf(state, 1000 * seed + step))
        state.commit(writes)
        const root = await memory.apply(writes)
        expect(await paged.apply(writes), `step ${step}`).toBe(root)
        since.push(before)
        const steps = [...since, { root, state }]
        for (const n of [steps.length - 2, random.below(steps.length - 1)])
          undone += checkUndo(paged, steps[n]!, steps[n + 1]!)
        if (random.below(4) === 0) {
          const to = since[random.below(since.length)]!
          memory.rewind(to.root)
          paged.rewind(to.root)
          state = to.state.clone()
          since = since.slice(0, since.indexOf(to))
          expect(paged.root).toBe(memory.root)
        }
        const accounts = Object.keys(state.dump())
        const address = accounts[random.below(accounts.length)]!
        if (random.below(2) === 0) expect(paged.proof(address, [1n, 7n])).toEqual(memory.proof(address, [1n, 7n]))
        if (random.below(2) === 0) {
          disk.keep(paged)
          kept = state.clone()
          if (random.below(2) === 0) {
            paged = disk.open()
            since = []
          }
        } else if (random.below(4) === 0) {
          // Whatever was not written is left.
          paged = disk.open()
          state = kept.clone()
          memory = createStateTrie(state.dump())
          since = []
        }
        expect(paged.root).toBe(memory.root)
      }
      disk.keep(paged)
      checkAll(disk, state)
      expect(undone).toBeGreaterThan(STEPS / 2)
    },
  )

  it('remembers what slots were until their account goes, and not between states that are no neighbours', async () => {
    const account = { nonce: 1n, balance: 1n, codeHash: EMPTY_CODE_HASH }
    const [kept, gone] = [addressOf(1), addressOf(2)]
    const steps: Step[] = []
    const state = randomState(8, 3)
    const trie = new PageDisk().open()
    await trie.apply(state.contents())
    for (const changes of [
      [kept, gone].map((address) => ({ address, account, slots: { 5: 7n } })),
      [{ address: gone, account: undefined }],
    ]) {
      steps.push({ root: trie.root, state: state.clone() })
      expect(steps.length === 1 || checkUndo(trie, steps[0]!, { root: trie.root, state }) === 1).toBe(true)
      const writes = writesOf(changes)
      state.commit(writes)
      await trie.apply(writes)
    }
    const last = { root: trie.root, state }
    expect(checkUndo(trie, steps[0]!, steps[1]!) + checkUndo(trie, steps[1]!, last)).toBe(0)
    expect(trie.replaced(steps[0]!.root, last.root)).toBeUndefined()
  })

  it('refuses a number that is no page’s, a page with more than it holds, and a leaf of another way', async () => {
    const state = randomState(7, 400)
    const slots = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`${n}`, BigInt(n + 1)]))
    const large = addressOf(300_000)
    state.commit(writesOf([{ address: large, account: { nonce: 1n, balance: 1n, codeHash: EMPTY_CODE_HASH }, slots }]))
    const disk = new PageDisk()
    const trie = disk.open()
    await trie.apply(state.contents())
    disk.keep(trie)
    const { storageHash } = trie.proof(large)
    /** The page that has these bytes, and where it has them. */
    const pageOf = (sought: Buffer): [page: number, at: number] => {
      for (const [page, bytes] of disk.pages) {
        const at = Buffer.from(bytes).indexOf(sought)
        if (at > 0) return [page, at]
      }
      throw new Error('no page has it')
    }
    const u32 = (value: number): Buffer => Buffer.from(value.toString(16).padStart(8, '0'), 'hex')
    const word = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
    const refusal = (page: number, change: (bytes: Buffer) => Buffer): string => {
      const other = new PageDisk()
      for (const [number, bytes] of disk.pages) other.pages.set(number, Buffer.from(bytes))
      other.root = disk.root
      other.pages.set(page, change(Buffer.from(disk.pages.get(page)!)))
      try {
        const paged = other.open()
        for (const address of [large, ...Object.keys(state.dump())]) paged.proof(address, [5n])
        return 'none'
      } catch (thrown) {
        return (thrown as Error).message
      }
    }
    // The number of the storage's page is before the root.
    const [holder, behind] = pageOf(word(BigInt(storageHash)))
    const at = behind - 4
    const storage = Buffer.from(disk.pages.get(holder)!).readUInt32BE(at)
    expect(refusal(holder, (bytes) => bytes)).toBe('none')
    // The root's page begins with a branch, whose first child is a page: its number is behind the tag.
    for (const [page, place] of [
      [disk.root.page, 5],
      [holder, at],
    ] as const)
      for (const number of [0, 0x3fff_ffff, 0xffff_ffff]) {
        const named = (bytes: Buffer): Buffer =>
          Buffer.concat([bytes.subarray(0, place), u32(number), bytes.subarray(place + 4)])
        expect(refusal(page, named)).toMatch(/ names a page that is none$/)
      }
    for (const page of [disk.root.page, storage])
      expect(refusal(page, (bytes) => Buffer.concat([bytes, Buffer.of(0)]))).toMatch(/ is longer than what it holds$/)
    // Another slot, whose key leads elsewhere, in the place of the fifth.
    const [leaves] = pageOf(word(5n))
    const moved = (bytes: Buffer): Buffer => {
      const name = bytes.indexOf(word(5n))
      return Buffer.concat([bytes.subarray(0, name), word(1_000_005n), bytes.subarray(name + 32)])
    }
    expect(refusal(leaves, moved)).toMatch(/ has a leaf where its key does not lead$/)
  })

  it('has pages below an extension, whose way is that of keys in other pages', async () => {
    // Of every 256 keys one begins with this byte.
    const names = Array.from({ length: 60_000 }, (_, n) => addressOf(1_000_000 + n))
    const addresses = names.filter((name) => keccak256(Buffer.from(name.slice(2), 'hex'))[0] === 0xab)
    expect(addresses.length).toBeGreaterThan(150)
    const account = (balance: bigint) => ({ nonce: 0n, balance, codeHash: EMPTY_CODE_HASH })
    const all = writesOf(addresses.map((address) => ({ address, account: account(1n) })))
    const memory = createStateTrie({})
    const disk = new PageDisk()
    const first = disk.open()
    expect(await first.apply(all)).toBe(await memory.apply(all))
    disk.keep(first)
    expect(disk.pages.size).toBeGreaterThan(8)
    for (const [n, address] of addresses.slice(0, 40).entries()) {
      const paged = disk.open([{}, { hasher: SERIAL_HASHER }, { hasher: BY_A_THREAD }][n % 3])
      const writes = writesOf([{ address, account: n % 4 === 0 ? undefined : account(BigInt(n)) }])
      expect(await paged.apply(writes), address).toBe(await memory.apply(writes))
      expect(paged.proof(address)).toEqual(memory.proof(address))
      disk.keep(paged)
    }
  })

  it('reads a page that moves up where its only neighbour goes', async () => {
    const firstNibble = (name: string): number => keccak256(Buffer.from(name.slice(2), 'hex'))[0]! >> 4
    const names = Array.from({ length: 3000 }, (_, n) => addressOf(1_000_000 + n))
    // As many as a page holds, so that the branch above it and the neighbour are another one.
    const many = names.filter((name) => firstNibble(name) === 0xa).slice(0, 64)
    const neighbour = names.find((name) => firstNibble(name) === 0xb)!
    const account = { nonce: 0n, balance: 1n, codeHash: EMPTY_CODE_HASH }
    const all = writesOf([...many, neighbour].map((address) => ({ address, account })))
    const memory = createStateTrie({})
    const disk = new PageDisk()
    const first = disk.open()
    expect(await first.apply(all)).toBe(await memory.apply(all))
    disk.keep(first)
    expect(disk.pages.size).toBe(2)
    const paged = disk.open()
    const gone = writesOf([{ address: neighbour, account: undefined }])
    expect(await paged.apply(gone)).toBe(await memory.apply(gone))
    disk.keep(paged)
    expect(disk.pages.size).toBe(1)
    expect(disk.open().proof(many[0]!)).toEqual(memory.proof(many[0]!))
  })

  it('writes a page that is cut off without a change of its own until a disk takes it', async () => {
    const names = Array.from({ length: 3000 }, (_, n) => addressOf(1_000_000 + n))
    const under = (nibble: number): string[] =>
      names.filter((name) => keccak256(Buffer.from(name.slice(2), 'hex'))[0]! >> 4 === nibble)
    const [still, growing] = [under(0xa).slice(0, 40), under(0xb).slice(0, 40)]
    const account = { nonce: 0n, balance: 1n, codeHash: EMPTY_CODE_HASH }
    const newOnes = (addresses: readonly string[]) => writesOf(addresses.map((address) => ({ address, account })))
    const disk = new PageDisk()
    const first = disk.open()
    await first.apply(newOnes([...still, ...growing.slice(0, 20)]))
    disk.keep(first)
    expect(disk.pages.size).toBe(1)
    const paged = disk.open()
    const root = await paged.apply(newOnes(growing.slice(20)))
    expect(paged.changedPages().written.length).toBe(3)
    disk.keep(paged)
    expect(disk.pages.size).toBe(3)
    const again = disk.open()
    expect([again.root, again.proof(still[0]!)]).toEqual([root, paged.proof(still[0]!)])
  })

  it('writes again what a disk did not take', async () => {
    const state = randomState(9, 300)
    const disk = new PageDisk()
    const trie = disk.open()
    await trie.apply(state.contents())
    // A page that is begun then is known by its number, and not on the disk.
    expect(trie.changedPages().written.length).toBeGreaterThan(5)
    disk.keep(trie)
    checkAll(disk, state)
  })

  /** Every page is read by a trie that reads all, and no other is left. */
  const checkAll = (disk: PageDisk, state: MemoryState): void => {
    const seen = new Set<number>()
    const read = (page: number): Uint8Array | undefined => {
      seen.add(page)
      return disk.pages.get(page)
    }
    const trie = Object.assign(new PageDisk(), { read, root: disk.root }).open()
    for (const [address, { storage }] of Object.entries(state.dump())) trie.proof(address, Object.keys(storage))
    expect([...seen].sort((a, b) => a - b)).toEqual([...disk.pages.keys()].sort((a, b) => a - b))
    expect(disk.pages.size).toBeGreaterThan(20)
  }
})
