import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectGarbage } from '../bench/garbage.ts'
import { createRandom } from '../bench/random.ts'
import { createAddresses } from '../bench/workloads/genesis.ts'
import { genesisHeader } from '../host/chain/genesis_header.ts'
import { encodeHeader, headerHash } from '../host/chain/header.ts'
import { checkState } from '../host/flows/chain/check_store.ts'
import { createStateTrie } from '../host/index.ts'
import { EMPTY_CODE_HASH } from '../host/primitives/keccak.ts'
import { wordFromBigInt, wordFromHex } from '../host/primitives/word.ts'
import type { StateWrites } from '../host/state/state.ts'
import { Store, type StoredBlock } from '../host/state/store/store.ts'
import { StateLayers } from '../host/state/store/stored_state.ts'
import { newWrites } from '../host/state/writes/new_writes.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Fills a store with accounts, opens it again, and reads random ones of them in bulk; every balance that was read is
 * compared. With `--whole` it also makes the trie, as `openChain` does, and compares the root. Says what each took.
 */
const USAGE =
  'npm run store -- [--accounts count = 200000] [--reads count = 100000] [--data folder = temporary] [--seed n = 1] [--whole]'
/** Accounts that are written as one block. */
const PART = 262_144
const ROUNDS = 5

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('store', USAGE)
const given = options.parse({ accounts: TEXT, reads: TEXT, data: TEXT, seed: TEXT, whole: { type: 'boolean' } })
const count = options.whole('accounts', given.accounts ?? '200000', 1)
const reads = options.whole('reads', given.reads ?? '100000', 1)
const seed = options.whole('seed', given.seed ?? '1', 1)

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

const timed = async <Result>(what: string, work: () => Promise<Result> | Result): Promise<Result> => {
  const startedMs = performance.now()
  const started = process.cpuUsage()
  const result = await work()
  const cpuMs = process.cpuUsage(started).user / 1000
  const text = `${Math.round(performance.now() - startedMs)} ms (${Math.round(cpuMs)} ms of user time)`
  console.log(`${what.padEnd(34)} ${text}, process of ${megabytes(process.memoryUsage().rss)}`)
  return result
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

/** A block for every part; their roots are those of the state only where its trie is made beside. */
const fill = async (path: string, addresses: Uint32Array): Promise<void> => {
  const store = await Store.open(path, { create: true })
  const trie = given.whole ? createStateTrie() : undefined
  let parentHash = `0x${'00'.repeat(32)}`
  for (let first = 0; first < count; first += PART) {
    const writes = writesOf(addresses, first, Math.min(count, first + PART))
    const stateRoot = trie === undefined ? parentHash : await trie.apply(writes)
    const block = blockOf(first / PART, stateRoot, parentHash)
    const meta = { chainId: '1', configText: '{}', configHash: 'none', genesisHash: block.hash }
    if (first === 0) store.begin(meta, block, writes)
    else store.move({ blocks: [{ block, writes: [writes] }], oldestUndo: block.number + 1n })
    parentHash = block.hash
  }
  await store.close()
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
  const store = await timed('opened, nothing read', () => Store.open(path, { create: false }))
  console.log('data file'.padEnd(34), megabytes(store.sizeBytes))
  for (let round = 0; round < ROUNDS; round++) readRandom(store, addresses, round)
  console.log('process after the reads'.padEnd(34), megabytes(process.memoryUsage().rss))
  if (given.whole) await timed('trie made, root compared', () => checkState(store))
  await store.close()
} finally {
  rmSync(folder, { recursive: true })
}
