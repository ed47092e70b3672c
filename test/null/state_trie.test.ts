import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import type { NodeHasher } from '../../host/primitives/hash_plan.ts'
import { EMPTY_CODE_HASH, EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { SERIAL_HASHER } from '../../host/primitives/keccak_many.ts'
import { addressToHex, wordToHex } from '../../host/primitives/word.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { createStateTrie, stateRootOf } from '../../host/state/trie/trie.ts'
import { accountHash, slotHash } from '../../transpiler/layout/tables.ts'
import { checkPlan } from '../fixtures/raw_trie.ts'
import { addressOf, type Change, randomChanges, randomState, writesOf } from '../fixtures/state_changes.ts'

const ACCOUNT = { nonce: 1n, balance: 5n, codeHash: EMPTY_CODE_HASH }

/** A trie and the state that it should be of, which change together. */
const pair = (state: MemoryState, options = {}) => {
  const trie = createStateTrie(state, options)
  const change = async (changes: readonly Change[]): Promise<void> => {
    const writes = writesOf(changes)
    state.commit(writes)
    expect(await trie.apply(writes)).toBe(stateRootOf(state.dump()))
  }
  return { trie, change }
}

describe('the state trie in typed arrays', () => {
  it.each([
    ['in place', {}],
    ['by plans', { hasher: SERIAL_HASHER }],
  ])('goes back any number of steps, and on from there, as if it had never been elsewhere: %s', async (_, options) => {
    const random = createRandom(40_001, 'rewinds')
    let state = randomState(40_001, 50)
    const trie = createStateTrie(state.dump(), options)
    const past: { readonly root: string; readonly state: MemoryState }[] = []
    for (let step = 0; step < 80; step++) {
      if (past.length > 0 && random.below(3) === 0) {
        const to = random.below(past.length)
        trie.rewind(past[to]!.root)
        state = past[to]!.state
        past.length = to
        expect(trie.root).toBe(stateRootOf(state.dump()))
        continue
      }
      past.push({ root: trie.root, state: state.clone() })
      const writes = writesOf(randomChanges(state, 50_000 + step))
      state.commit(writes)
      expect(await trie.apply(writes), `step ${step}`).toBe(stateRootOf(state.dump()))
    }
  })

  it('takes back many new accounts and slots at once', async () => {
    const state = randomState(40_009, 20)
    const { trie, change } = pair(state)
    const { root } = trie
    const many = (from: number): Change[] =>
      Array.from({ length: 400 }, (_, n) => ({ address: addressOf(from + n), account: ACCOUNT, slots: { [n]: 1n } }))
    const held = state.clone()
    await change([...many(1000), { address: addressOf(1), account: ACCOUNT, slots: { 500: 1n, 501: 2n } }])
    await change(many(1200))
    trie.rewind(root)
    const writes = writesOf(many(1100))
    held.commit(writes)
    expect(await trie.apply(writes)).toBe(stateRootOf(held.dump()))
  })

  it('goes back and on where steps take and bring hundreds of accounts and slots', async () => {
    const random = createRandom(40_002, 'bulk rewinds')
    const GROUP = 150
    /** Brings or takes whole groups: one alone is no bulk, and what comes back has rows beside each other. */
    const changesOf = (first: number, groups: number, isTaken: boolean): Change[] => {
      const names = Array.from({ length: GROUP * groups }, (_, n) => 1000 + GROUP * first + n)
      const value = (): bigint => (isTaken ? 0n : BigInt(1 + random.below(1000)))
      const slots = Object.fromEntries(names.map((name) => [name, value()]))
      return [
        { address: addressOf(1), account: ACCOUNT, slots },
        ...names.map((name) => ({
          address: addressOf(name),
          account: isTaken ? undefined : { ...ACCOUNT, balance: value() },
        })),
      ]
    }
    for (let round = 0; round < 6; round++) {
      const { trie, change } = pair(new MemoryState())
      const roots = [trie.root]
      const step = async (...parameters: Parameters<typeof changesOf>): Promise<void> => {
        await change(changesOf(...parameters))
        roots.push(trie.root)
      }
      for (let group = 0; group < 4; group++) await step(group, 1, false)
      for (let n = 0; n < 6; n++) {
        const first = random.below(3)
        await step(first, 2 + random.below(3 - first), n % 2 === 0)
      }
      for (const root of roots.toReversed()) {
        trie.rewind(root)
        expect(await trie.apply(writesOf([])), `round ${round}`).toBe(root)
        trie.rewind(root)
      }
    }
  })

  it('goes back over rows that were filled anew in bulk', async () => {
    const { trie, change } = pair(new MemoryState())
    const roots = [trie.root]
    const step = async (changes: readonly Change[]): Promise<void> => {
      await change(changes)
      roots.push(trie.root)
    }
    const accounts = (from: number, account: (n: number) => Change['account'], count = 200): Change[] =>
      Array.from({ length: count }, (_, n) => ({ address: addressOf(from + n), account: account(from + n) }))
    const slots = (from: number, value: (n: number) => bigint, count = 200): Change => ({
      address: addressOf(1),
      account: ACCOUNT,
      slots: Object.fromEntries(Array.from({ length: count }, (_, n) => [from + n, value(from + n)])),
    })
    const rich = (n: number) => ({ ...ACCOUNT, balance: BigInt(n) })
    // Rows beside each other, and not in the order of their keys.
    for (const from of [1000, 1200]) await step([...accounts(from, rich), slots(from, BigInt)])
    await step([...accounts(1000, () => undefined, 400), slots(1000, () => 0n, 400)])
    await step([...accounts(1000, (n) => rich(n + 7), 400), slots(1000, (n) => BigInt(n + 7), 400)])
    await step(accounts(1000, (n) => rich(n + 9), 400).map((change) => ({ ...change, cleared: true })))
    for (const root of roots.toReversed()) {
      trie.rewind(root)
      expect(await trie.apply(writesOf([]))).toBe(root)
      trie.rewind(root)
    }
  })

  it('takes the last of several writes of one key', async () => {
    const { trie } = pair(new MemoryState())
    const account = (n: number, balance: bigint): Change => ({
      address: addressOf(n),
      account: { ...ACCOUNT, balance },
    })
    const first = Array.from({ length: 300 }, (_, n) => account(n, 1n))
    const writes = writesOf([...first, ...first.slice(0, 20).map(({ address }) => ({ address, account: ACCOUNT }))])
    writes.accounts.exists.fill(0, 310)
    const state = MemoryState.from(
      Object.fromEntries(first.map(({ address }, n) => [address, n < 10 ? ACCOUNT : { balance: 1n, nonce: 1n }])),
    )
    const left = Object.entries(state.dump()).filter(
      ([address]) => !first.slice(10, 20).some((c) => c.address === address),
    )
    expect(await trie.apply(writes)).toBe(stateRootOf(Object.fromEntries(left)))
    trie.rewind(EMPTY_TRIE_ROOT)
    expect(await trie.apply(writesOf([]))).toBe(EMPTY_TRIE_ROOT)
  })

  it('gives destroyed accounts back that no other change names', async () => {
    const addresses = Array.from({ length: 300 }, (_, n) => addressOf(2000 + n))
    const { trie, change } = pair(new MemoryState(), { historyBytes: 0 })
    // Three changes of less than make a bulk; only the last one is kept.
    for (const from of [0, 100, 200])
      await change(
        addresses
          .slice(from, from + 100)
          .map((address, n) => ({ address, account: { ...ACCOUNT, balance: BigInt(from + n) } })),
      )
    await change([{ address: addressOf(1), account: ACCOUNT }])
    const { root } = trie
    await change(addresses.map((address) => ({ address, account: ACCOUNT, cleared: true })))
    trie.rewind(root)
    expect(await trie.apply(writesOf([]))).toBe(root)
  })

  it('gives a destroyed account its storage back, and takes that of its successor', async () => {
    const address = addressOf(77)
    const state = MemoryState.from({ [address]: { balance: 1n, code: '0x00', storage: { 1: 1n, 2: 2n, 3: 3n } } })
    const { trie, change } = pair(state)
    const before = trie.root
    const held = state.clone()
    await change([{ address, account: ACCOUNT, cleared: true, slots: { 2: 9n, 4: 4n } }])
    await change([{ address, account: ACCOUNT, slots: { 2: 0n, 4: 0n } }])
    await change([{ address, account: undefined }])
    expect(trie.root).toBe(EMPTY_TRIE_ROOT)
    await change([{ address, account: ACCOUNT, slots: { 1: 1n } }])
    trie.rewind(before)
    const again = pair(held)
    const changes = [{ address, account: ACCOUNT, slots: { 3: 0n, 5: 5n } }]
    await again.change(changes)
    expect(await trie.apply(writesOf(changes))).toBe(again.trie.root)
  })

  it('is empty without accounts, and keeps no storage without slots', async () => {
    const { trie, change } = pair(new MemoryState())
    expect(trie.root).toBe(EMPTY_TRIE_ROOT)
    await change([{ address: addressOf(1), account: ACCOUNT, slots: { 1: 1n } }])
    const one = trie.root
    await change([{ address: addressOf(1), account: ACCOUNT, slots: { 1: 0n } }])
    await change([{ address: addressOf(1), account: undefined }])
    expect(trie.root).toBe(EMPTY_TRIE_ROOT)
    await change([])
    trie.rewind(one)
    await trie.apply(writesOf([{ address: addressOf(1), account: ACCOUNT, slots: { 2: 1n } }]))
    trie.rewind(one)
    expect(await trie.apply(writesOf([]))).toBe(one)
  })

  it('ignores slots of accounts that are not there, and deletions of those', async () => {
    const { trie } = pair(randomState(40_003, 10))
    const { root } = trie
    const writes = { ...writesOf([{ address: addressOf(999), account: ACCOUNT, slots: { 1: 1n } }]), accountCount: 0 }
    expect(await trie.apply(writes)).toBe(root)
    expect(await trie.apply(writesOf([{ address: addressOf(998), account: undefined }]))).toBe(root)
    const gone = writesOf([{ address: addressOf(997), account: ACCOUNT, slots: { 1: 1n } }])
    gone.accounts.exists[0] = 0
    expect(await trie.apply(gone)).toBe(root)
  })

  it('forgets changes beyond the bytes of its history, and names the root that it cannot go back to', async () => {
    const state = randomState(40_004, 30)
    const { trie, change } = pair(state, { historyBytes: 3000 })
    const roots = [trie.root]
    for (let step = 0; step < 40; step++) {
      await change(randomChanges(state, 60_000 + step))
      roots.push(trie.root)
    }
    expect(() => trie.rewind(roots[0]!)).toThrow(`cannot go back to ${roots[0]!}`)
    expect(trie.root).toBe(roots[40])
    trie.rewind(roots[39]!)
    expect(trie.root).toBe(roots[39])
  })

  it('forgets nothing while it is held, and catches up when the last hold ends', async () => {
    const state = randomState(40_005, 30)
    const { trie, change } = pair(state, { historyBytes: 0 })
    const roots = [trie.root]
    const releases = [trie.hold(), trie.hold()]
    const step = async (): Promise<void> => {
      await change(randomChanges(state, 70_000 + roots.length))
      roots.push(trie.root)
    }
    for (let n = 0; n < 10; n++) await step()
    releases[0]!()
    releases[0]!()
    await step()
    trie.rewind(roots[3]!)
    expect(trie.root).toBe(roots[3])
    releases[1]!()
    expect(() => trie.rewind(roots[1]!)).toThrow('cannot go back to')
    trie.rewind(roots[2]!)
    expect(trie.root).toBe(roots[2])
  })

  it('does not grow while the same slots and accounts come and go', async () => {
    const state = new MemoryState()
    const { trie, change } = pair(state, { historyBytes: 0 })
    const slots = (value: bigint) => Object.fromEntries(Array.from({ length: 200 }, (_, n) => [n, value]))
    const round = async (): Promise<void> => {
      await change([{ address: addressOf(1), account: ACCOUNT, slots: slots(1n) }])
      await change([{ address: addressOf(1), account: ACCOUNT, slots: slots(0n) }])
      await change([{ address: addressOf(1), account: ACCOUNT, slots: slots(2n) }])
      await change(Array.from({ length: 100 }, (_, n) => ({ address: addressOf(n), account: ACCOUNT })))
      await change(Array.from({ length: 100 }, (_, n) => ({ address: addressOf(n), account: undefined })))
    }
    for (let n = 0; n < 2; n++) await round()
    const { sizeBytes } = trie
    for (let n = 0; n < 5; n++) await round()
    expect(trie.sizeBytes).toBe(sizeBytes)
  })
})

/** Two numbers below 2^18 with one hash: of some there must be. */
const twins = (hash: (n: number) => number): readonly [number, number] => {
  const seen = new Map<number, number>()
  for (let n = 1; n < 2 ** 18; n++) {
    const other = seen.get(hash(n))
    if (other !== undefined) return [other, n]
    seen.set(hash(n), n)
  }
  throw new Error('no two have one hash')
}

describe('two keys with one hash in the index', () => {
  const scatter = (n: number, limb: number): number => Math.imul(n + 1, 0x9e3779b1 + 2 * limb) >>> 0
  const wordOf = (n: number, limbs: number): Uint32Array => Uint32Array.from({ length: limbs }, (_, l) => scatter(n, l))

  it('are two accounts', async () => {
    const pairOf = twins((n) => accountHash(wordOf(n, 5), 0))
    const [a, b] = pairOf.map((n) => addressToHex(wordOf(n, 5), 0)) as [string, string]
    for (const first of [[a], [a, b]]) {
      const { trie, change } = pair(MemoryState.from(Object.fromEntries(first.map((name) => [name, { balance: 1n }]))))
      const { root } = trie
      await change([a, b].map((address) => ({ address, account: ACCOUNT, slots: { 1: 1n } })))
      await change([b, a].map((address, n) => ({ address, account: { ...ACCOUNT, nonce: BigInt(n) } })))
      await change([{ address: a, account: undefined }])
      await change([{ address: b, account: ACCOUNT, slots: { 1: 2n } }])
      trie.rewind(root)
      await trie.apply(writesOf([]))
      expect(trie.root).toBe(root)
    }
  })

  it('are two slots', async () => {
    // The first storage of a trie has the first place that is free.
    const pairOf = twins((n) => slotHash(1, wordOf(n, 8), 0))
    const [a, b] = pairOf.map((n) => wordToHex(wordOf(n, 8), 0)) as [string, string]
    const address = addressOf(1)
    for (const first of [{ [a]: 1n }, { [a]: 1n, [b]: 2n }]) {
      const { trie, change } = pair(MemoryState.from({ [address]: { balance: 5n, nonce: 1n, storage: first } }))
      const { root } = trie
      await change([{ address, account: ACCOUNT, slots: { [a]: 3n, [b]: 4n } }])
      await change([{ address, account: ACCOUNT, slots: { [b]: 5n, [a]: 6n } }])
      await change([{ address, account: ACCOUNT, slots: { [a]: 0n } }])
      await change([{ address, account: ACCOUNT, slots: { [b]: 7n } }])
      trie.rewind(root)
      await trie.apply(writesOf([]))
      expect(trie.root).toBe(root)
    }
  })
})

describe('a root job', () => {
  const changes = [{ address: addressOf(1), account: ACCOUNT, slots: { 1: 1n } }]

  it('has the plan that its hasher is given, and moves the trie when that has hashed', async () => {
    const state = randomState(40_005, 40)
    const trie = createStateTrie(state.dump())
    const before = trie.root
    const writes = writesOf(randomChanges(state, 1))
    const job = trie.prepare(writes)
    expect(trie.root).toBe(before)
    expect(() => trie.prepare(writes)).toThrow('still waiting')
    await expect(trie.apply(writes)).rejects.toThrow('still waiting')
    let plans = 0
    const hasher: NodeHasher = {
      ...SERIAL_HASHER,
      hash: (plan) => {
        plans++
        checkPlan(plan)
        return SERIAL_HASHER.hash(plan)
      },
    }
    state.commit(writes)
    expect(await job.finish(hasher)).toBe(stateRootOf(state.dump()))
    expect([plans, trie.root]).toEqual([1, stateRootOf(state.dump())])
    await expect(job.finish()).rejects.toThrow('root of this change is known')
  })

  it('leaves the trie where it was when its hasher fails', async () => {
    const state = randomState(40_006, 40)
    const trie = createStateTrie(state.dump())
    const failing: NodeHasher = { ...SERIAL_HASHER, hash: () => Promise.reject(new Error('lost')) }
    const { root } = trie
    await expect(trie.prepare(writesOf(randomChanges(state, 1))).finish(failing)).rejects.toThrow('lost')
    expect(trie.root).toBe(root)
    const writes = writesOf(randomChanges(state, 2))
    state.commit(writes)
    expect(await trie.apply(writes)).toBe(stateRootOf(state.dump()))
  })

  it('is taken back by a rewind while it hashes, whatever the hasher does to its plan', async () => {
    const state = randomState(40_007, 40)
    const trie = createStateTrie(state.dump())
    const { root } = trie
    let hashed = (): void => {}
    const late: NodeHasher = {
      ...SERIAL_HASHER,
      hash: async (plan) => {
        await new Promise<void>((resolve) => {
          hashed = resolve
        })
        plan.bytes.fill(0)
        return SERIAL_HASHER.hash(plan)
      },
    }
    const changes = Object.entries(state.dump()).map(([address, account]) => ({
      address,
      account: { ...account, nonce: 999n },
    }))
    const finished = trie.prepare(writesOf(changes)).finish(late)
    trie.rewind(root)
    // A plan of the same size, while the first is still read.
    const writes = writesOf(changes)
    const job = trie.prepare(writes)
    hashed()
    await expect(finished).rejects.toThrow('was rewound')
    state.commit(writes)
    expect(await job.finish()).toBe(stateRootOf(state.dump()))
  })

  it('undoes what was written of a change that cannot be read to its end', async () => {
    const state = randomState(40_008, 40)
    const trie = createStateTrie(state.dump())
    const whole = writesOf(randomChanges(state, 1))
    const broken = { ...whole, slotCount: whole.slotCount + 1, slotKeys: undefined as never }
    await expect(trie.apply(broken)).rejects.toThrow()
    const writes = writesOf(randomChanges(state, 1))
    state.commit(writes)
    expect(await trie.apply(writes)).toBe(stateRootOf(state.dump()))
  })

  it('takes memory of its own where a hasher took the last', async () => {
    const state = new MemoryState()
    const trie = createStateTrie()
    const taking: NodeHasher = {
      ...SERIAL_HASHER,
      hash: async (plan) => {
        const digests = await SERIAL_HASHER.hash(plan)
        structuredClone(plan.bytes.buffer, { transfer: [plan.bytes.buffer as ArrayBuffer] })
        return digests
      },
    }
    for (let n = 0; n < 3; n++) {
      const writes = writesOf(changes.map((change) => ({ ...change, account: { ...ACCOUNT, nonce: BigInt(n) } })))
      state.commit(writes)
      expect(await trie.prepare(writes).finish(taking)).toBe(stateRootOf(state.dump()))
    }
  })
})
