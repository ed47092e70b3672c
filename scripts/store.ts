import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectGarbage } from '../bench/garbage.ts'
import { createRandom } from '../bench/random.ts'
import { createAddresses } from '../bench/workloads/genesis.ts'
import { genesisHeader } from '../host/chain/genesis_header.ts'
import { encodeHeader, headerHash } from '../host/chain/header.ts'
import { checkHead, checkState } from '../host/flows/chain/check_store.ts'
import { EMPTY_CODE_HASH } from '../host/primitives/keccak.ts'
import { wordFromBigInt, wordFromHex } from '../host/primitives/word.ts'
import type { StateWrites } from '../host/state/state.ts'
import { openEnvironment } from '../host/state/store/environment.ts'
import { makeNodes } from '../host/state/store/make_nodes.ts'
import { Nodes } from '../host/state/store/nodes.ts'
import { Store, type StoredBlock } from '../host/state/store/store.ts'
import { StateLayers } from '../host/state/store/stored_state.ts'
import type { ArenaTrie } from '../host/state/trie/arena_trie.ts'
import { newWrites } from '../host/state/writes/new_writes.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Fills a store with accounts, makes the pages of its trie, opens it, reads random accounts in bulk, comparing every
 * balance, and writes blocks that change random ones. With `--check` it also compares the whole state with its trie.
 * Says what each took, and what the process has of memory beside the data file.
 */
const USAGE =
  'npm run store -- [--accounts count = 200000] [--reads count = 100000] [--changes count = 65536] [--trie MB = 512] [--data folder = temporary] [--seed n = 1] [--check]'
/** Accounts that are written as one block. */
const PART = 262_144
const ROUNDS = 5
const BLOCKS = 4

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('store', USAGE)
const given = options.parse({
  ...{ accounts: TEXT, reads: TEXT, changes: TEXT, trie: TEXT, data: TEXT, seed: TEXT },
  check: { type: 'boolean' },
})
const count = options.whole('accounts', given.accounts ?? '200000', 1)
const reads = options.whole('reads', given.reads ?? '100000', 1)
const changes = options.whole('changes', given.changes ?? '65536', 1)
const trieBytes = 2 ** 20 * options.whole('trie', given.trie ?? '512', 1)
const seed = options.whole('seed', given.seed ?? '1', 1)

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

const timed = async <Result>(what: string, work: () => Promise<Result> | Result): Promise<Result> => {
  const startedMs = performance.now()
  const started = process.cpuUsage()
  const result = await work()
  const cpuMs = process.cpuUsage(started).user / 1000
  const text = `${Math.round(performance.now() - startedMs)} ms (${Math.round(cpuMs)} ms of user time)`
  console.log(`${what.padEnd(34)} ${text}, ${megabytes(ownBytes())} in memory`)
  return result
}

/** Memory of the process but for files that are mapped; where the system does not say, all of it. */
const ownBytes = (): number => {
  const { rss } = process.memoryUsage()
  if (process.platform !== 'linux') return rss
  const [, kilobytes] = /RssAnon:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return kilobytes === undefined ? rss : 1024 * Number(kilobytes)
}

const balanceOf = (account: number): bigint => BigInt(1 + account) << 64n

const writesOf = (addresses: Uint32Array, first: number, end: number): StateWrites => {
  const writes = newWrites(end - first, 0)
  writes.accountAddresses.set(addresses.subarray(5 * first, 5 * end))
  for (let n = first; n < end; n++) {
    wordFromBigInt(writes.accounts.balance, 8 * (n - first), balanceOf(n))
    wordFromHex(writes.accounts.codeHash, 8 * (n - first), EMPTY_CODE_HASH)
  }
  return writes
}

const blockOf = (number: number, stateRoot: string, parentHash: string): StoredBlock => {
  const header = { ...genesisHeader('osaka', { stateRoot }), number: BigInt(number), parentHash }
  return {
    number: BigInt(number),
    hash: headerHash(header),
    stateRoot,
    parentHash,
    totalDifficulty: 0n,
    header: encodeHeader(header),
    body: Uint8Array.of(0xc0, 0xc0),
    receipts: Uint8Array.of(0xc0),
    transactionHashes: new Uint8Array(0),
  }
}

/** A block for every part, whose roots are not those of the state. */
const fill = async (path: string, addresses: Uint32Array): Promise<void> => {
  const store = await Store.open(path, { create: true })
  let parentHash = `0x${'00'.repeat(32)}`
  for (let first = 0; first < count; first += PART) {
    const writes = writesOf(addresses, first, Math.min(count, first + PART))
    const block = blockOf(first / PART, parentHash, parentHash)
    const meta = { chainId: '1', configText: '{}', configHash: 'none', genesisHash: block.hash }
    if (first === 0) store.begin(meta, block, writes)
    else store.move({ blocks: [{ block, writes: [writes] }], oldestUndo: block.number + 1n })
    parentHash = block.hash
  }
  await store.close()
}

/** The trie in pages, and a block whose root is that of the state. */
const makeTrie = async (path: string): Promise<void> => {
  const environment = await openEnvironment(path, { create: false })
  const { hash: stateRoot } = await makeNodes(environment, new Nodes(environment), trieBytes)
  await environment.close()
  const store = await Store.open(path, { create: false })
  const { hash, number } = store.head
  const block = blockOf(Number(number) + 1, stateRoot, hash)
  store.move({ blocks: [{ block, writes: [] }], oldestUndo: block.number + 1n })
  await store.close()
}

/** A block that changes random accounts: its root, its pages, and all of it on the disk. */
const writeBlock = async (store: Store, trie: ArenaTrie, addresses: Uint32Array, n: number): Promise<void> => {
  const random = createRandom(seed, `changes ${n}`)
  const writes = writesOf(addresses, 0, changes)
  const chosen = new Set<number>()
  while (chosen.size < Math.min(changes, count)) chosen.add(random.below(count))
  for (const [i, account] of [...chosen].entries()) {
    writes.accountAddresses.set(addresses.subarray(5 * account, 5 * account + 5), 5 * i)
    writes.accounts.nonce[2 * i] = n + 1
    wordFromBigInt(writes.accounts.balance, 8 * i, balanceOf(account))
  }
  const part = `block ${n + 1} of ${chosen.size} changes`
  const made = { ...writes, accountCount: chosen.size }
  const stateRoot = await timed(`${part}: root`, () => trie.apply(made))
  const pages = await timed(`${part}: pages`, () => trie.changedPages())
  const { hash, number } = store.head
  const block = blockOf(Number(number) + 1, stateRoot, hash)
  const { moves } = store
  await timed(`${part}: disk, ${pages.written.length} pages`, () =>
    store.move({ blocks: [{ block, writes: [made] }], pages, oldestUndo: block.number }),
  )
  if (store.moves !== moves + 1) throw new Error('the head has not moved')
  trie.clearChanges()
}

const readRandom = (store: Store, addresses: Uint32Array, round: number): void => {
  const random = createRandom(seed, `reads ${round}`)
  const layers = new StateLayers(store.head.number)
  const state = store.stateUnder(() => layers)
  const wanted = Uint32Array.from({ length: reads }, () => random.below(count))
  const asked = new Uint32Array(5 * reads)
  for (const [n, account] of wanted.entries()) asked.set(addresses.subarray(5 * account, 5 * account + 5), 5 * n)
  collectGarbage()
  const startedMs = performance.now()
  const started = process.cpuUsage()
  const { balance } = state.readAccounts(asked, reads)
  const cpuMs = process.cpuUsage(started).user / 1000
  const elapsedMs = performance.now() - startedMs
  const expected = new Uint32Array(8)
  for (const [n, account] of wanted.entries()) {
    wordFromBigInt(expected, 0, balanceOf(account))
    if (expected.some((limb, k) => balance[8 * n + k] !== limb))
      throw new Error(`account ${account} has another balance`)
  }
  const text = `${Math.round(reads / elapsedMs)} thousand/s (${Math.round(reads / cpuMs)} of user time)`
  console.log(`read ${round + 1} of ${reads} random accounts`.padEnd(34), `${text}`)
}

const below = given.data ?? tmpdir()
mkdirSync(below, { recursive: true })
const folder = mkdtempSync(join(below, 'wgevm-store-'))
try {
  const addresses = createAddresses(count, createRandom(seed, 'store'))
  const path = join(folder, 'data')
  await timed(`filled with ${count} accounts`, () => fill(path, addresses))
  await timed('trie made in pages', () => makeTrie(path))
  const store = await timed('opened', () => Store.open(path, { create: false }))
  const trie = await timed('head checked, trie opened', () => {
    checkHead(store)
    return store.openTrie(trieBytes)
  })
  console.log('data file'.padEnd(34), megabytes(store.sizeBytes))
  for (let round = 0; round < ROUNDS; round++) readRandom(store, addresses, round)
  for (let n = 0; n < BLOCKS; n++) await writeBlock(store, trie, addresses, n)
  console.log('trie in memory'.padEnd(34), megabytes(trie.sizeBytes))
  if (given.check) await timed('state and trie compared', () => checkState(store))
  await store.close()
} finally {
  rmSync(folder, { recursive: true })
}
