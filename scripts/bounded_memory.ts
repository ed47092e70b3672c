import { createRandom } from '../bench/random.ts'
import { BatchWriter } from '../bench/workloads/batch_writer.ts'
import { createAddresses } from '../bench/workloads/genesis.ts'
import { WORKLOAD_CHAIN_ID, workloadEnvironment } from '../bench/workloads/workload.ts'
import { createExecutor, createStateTrie, MemoryState, type MemoryUse } from '../host/index.ts'
import { EMPTY_CODE_HASH } from '../host/primitives/keccak.ts'
import { wordFromBigInt, wordFromHex } from '../host/primitives/word.ts'
import type { StateWrites } from '../host/state/state.ts'
import { newWrites } from '../host/state/writes/new_writes.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Payments that touch every one of many accounts, once on an executor with a budget and once without one to speak of:
 * the root after each batch must be the same. Says what each of them took.
 */
const USAGE =
  'npm run memory -- [--accounts count = 300000] [--budget MB = 16] [--size transactions of a batch = 65536] [--seed n = 1]'
const UNBOUNDED = 2 ** 40

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('memory', USAGE)
const given = options.parse({ accounts: TEXT, budget: TEXT, size: TEXT, seed: TEXT })
const count = options.whole('accounts', given.accounts ?? '300000', 1)
const budget = 2 ** 20 * options.whole('budget', given.budget ?? '16', 1)
const size = Math.min(count, options.whole('size', given.size ?? '65536', 1))
const seed = options.whole('seed', given.seed ?? '1', 1)

const genesisOf = (addresses: Uint32Array): StateWrites => {
  const writes = newWrites(count, 0)
  writes.accountAddresses.set(addresses)
  for (let n = 0; n < count; n++) {
    wordFromBigInt(writes.accounts.balance, 8 * n, 10n ** 18n)
    wordFromHex(writes.accounts.codeHash, 8 * n, EMPTY_CODE_HASH)
  }
  return writes
}

interface Ran {
  readonly roots: readonly string[]
  readonly cpuMs: number
  readonly wallMs: number
  readonly mostBytes: number
  readonly memory: MemoryUse
}

/** Every account pays once, in order, to an account anywhere; execution alone is timed. */
const run = async (memory: number): Promise<Ran> => {
  const random = createRandom(seed, 'memory')
  const addresses = createAddresses(count, random)
  const state = new MemoryState()
  const genesis = genesisOf(addresses)
  state.commit(genesis)
  const trie = createStateTrie()
  await trie.apply(genesis)
  const executor = createExecutor({ fork: 'osaka', chainId: WORKLOAD_CHAIN_ID, state, workers: 0, memory })
  const roots: string[] = []
  let [cpuMs, wallMs, mostBytes] = [0, 0, 0]
  for (let first = 0; first < count; first += size) {
    const end = Math.min(count, first + size)
    const writer = new BatchWriter(end - first, 0, random)
    for (let n = first; n < end; n++) {
      writer.begin(addresses, 5 * n, addresses, 5 * random.below(count), 0, 21_000)
      writer.value(1 + random.below(1000))
    }
    const request = { env: workloadEnvironment(seed, first / size, writer), transactions: writer.finish() }
    const startedMs = performance.now()
    const started = process.cpuUsage()
    const { writes } = await executor.execute(request)
    cpuMs += process.cpuUsage(started).user / 1000
    wallMs += performance.now() - startedMs
    mostBytes = Math.max(mostBytes, executor.memory.tables.bytes)
    roots.push(await trie.apply(writes))
  }
  const use = executor.memory
  executor.close()
  return { roots, cpuMs, wallMs, mostBytes, memory: use }
}

const told = (name: string, { cpuMs, wallMs, mostBytes, memory: { evictions, tables } }: Ran): string => {
  const perSecond = (ms: number): string => Math.round((1000 * count) / ms).toLocaleString('en')
  const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
  return `${name}: ${perSecond(cpuMs)} payments per second of CPU time, ${perSecond(wallMs)} of wall time; tables kept ${megabytes(mostBytes)} MB at most between batches, ${tables.accounts.toLocaleString('en')} accounts at the end; ${evictions} evictions`
}

const bounded = await run(budget)
console.log(told(`${budget / 2 ** 20} MB`, bounded))
const unbounded = await run(UNBOUNDED)
console.log(told('no budget', unbounded))
const at = unbounded.roots.findIndex((root, n) => root !== bounded.roots[n])
if (at >= 0) {
  console.error(`batch ${at}: root ${bounded.roots[at]} under the budget, ${unbounded.roots[at]} without one`)
  process.exitCode = 1
} else console.log(`the same root after each of ${unbounded.roots.length} batches, at last ${unbounded.roots.at(-1)}`)
