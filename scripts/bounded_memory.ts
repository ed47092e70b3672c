import { createRandom } from '../bench/random.ts'
import { BASE_FEE, BatchWriter } from '../bench/workloads/batch_writer.ts'
import { createAddresses } from '../bench/workloads/genesis.ts'
import { COINBASE, WORKLOAD_CHAIN_ID, workloadEnvironment } from '../bench/workloads/workload.ts'
import { createExecutor, MemoryState, quantityToBigInt, wordToBigInt } from '../host/index.ts'
import { EMPTY_CODE_HASH } from '../host/primitives/keccak.ts'
import { addressFromHex, wordFromBigInt, wordFromHex } from '../host/primitives/word.ts'
import type { StateWrites } from '../host/state/state.ts'
import { ArenaTrie } from '../host/state/trie/arena_trie.ts'
import { newWrites } from '../host/state/writes/new_writes.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Payments that touch every one of many accounts, on an executor with a budget of memory. A model of balances says what
 * each batch leaves: all accounts that it touched are compared, and in the end the root that the writes of all batches
 * led to with that of a trie which is made anew of the model. Says what each part took.
 */
const USAGE =
  'npm run memory -- [--accounts count = 300000] [--budget MB = 16] [--size transactions of a batch = 65536] [--seed n = 1]'
const WEALTH = 10n ** 18n
const GAS = 21_000
const HIGH = 2 ** 32
/** Lines about batches. */
const LINES = 10

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('memory', USAGE)
const given = options.parse({ accounts: TEXT, budget: TEXT, size: TEXT, seed: TEXT })
const count = options.whole('accounts', given.accounts ?? '300000', 1)
const budget = 2 ** 20 * options.whole('budget', given.budget ?? '16', 1)
const size = Math.min(count, options.whole('size', given.size ?? '65536', 1))
const seed = options.whole('seed', given.seed ?? '1', 1)

/** What the accounts have gained or lost since the beginning, in wei: below 2^53. */
class Model {
  readonly gains = new Float64Array(count)
  readonly hasPaid = new Uint8Array(count)
  coinbase = 0n

  pay(from: number, to: number, wei: number, tip: number): void {
    this.gains[from]! -= wei + GAS * (BASE_FEE + tip)
    this.gains[to]! += wei
    this.hasPaid[from] = 1
    this.coinbase += BigInt(GAS * tip)
  }

  /** The balance as two limbs, at `at`. */
  writeBalance(to: Uint32Array, at: number, account: number): void {
    const low = WEALTH_LOW + this.gains[account]!
    const carry = Math.floor(low / HIGH)
    to[at] = low - carry * HIGH
    to[at + 1] = WEALTH_HIGH + carry
  }

  /** Writes that make the state of nothing. */
  writes(addresses: Uint32Array): StateWrites {
    const hasCoinbase = this.coinbase > 0n
    const writes = newWrites(hasCoinbase ? count + 1 : count, 0)
    const { balance, nonce, codeHash } = writes.accounts
    writes.accountAddresses.set(addresses)
    for (let n = 0; n < count; n++) {
      this.writeBalance(balance, 8 * n, n)
      nonce[2 * n] = this.hasPaid[n]!
    }
    wordFromHex(codeHash, 0, EMPTY_CODE_HASH)
    for (let filled = 8; filled < codeHash.length; filled *= 2) codeHash.copyWithin(filled, 0, filled)
    if (hasCoinbase) {
      addressFromHex(writes.accountAddresses, 5 * count, COINBASE)
      wordFromBigInt(balance, 8 * count, this.coinbase)
    }
    return writes
  }
}

const WEALTH_LOW = Number(WEALTH % BigInt(HIGH))
const WEALTH_HIGH = Number(WEALTH / BigInt(HIGH))

class Clock {
  cpuMs = 0
  wallMs = 0

  async time<Result>(work: () => Promise<Result> | Result): Promise<Result> {
    const startedMs = performance.now()
    const started = process.cpuUsage()
    const result = await work()
    this.cpuMs += process.cpuUsage(started).user / 1000
    this.wallMs += performance.now() - startedMs
    return result
  }

  get text(): string {
    return `${(this.cpuMs / 1000).toFixed(1)} s of CPU time, ${(this.wallMs / 1000).toFixed(1)} s of wall time`
  }
}

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)

/** Compares what a batch touched with the model. */
const check = (state: MemoryState, model: Model, addresses: Uint32Array, touched: Uint32Array): void => {
  const asked = new Uint32Array(5 * touched.length)
  for (let n = 0; n < touched.length; n++)
    for (let limb = 0; limb < 5; limb++) asked[5 * n + limb] = addresses[5 * touched[n]! + limb]!
  const { nonce, balance } = state.readAccounts(asked, touched.length)
  const expected = new Uint32Array(8)
  for (const [n, account] of touched.entries()) {
    model.writeBalance(expected, 0, account)
    const isSame = expected.every((limb, k) => balance[8 * n + k] === limb) && nonce[2 * n] === model.hasPaid[account]
    if (isSame) continue
    const has = `nonce ${quantityToBigInt(nonce, 2 * n)}, balance ${wordToBigInt(balance, 8 * n)}`
    throw new Error(`account ${account}: ${has}; expected ${model.hasPaid[account]}, ${wordToBigInt(expected, 0)}`)
  }
  const coinbase = state.account(COINBASE)?.balance
  if (coinbase !== model.coinbase) throw new Error(`the coinbase has ${coinbase}, expected ${model.coinbase}`)
}

/** Every account pays once, in order, to an account anywhere. Gives the root that all writes led to. */
const run = async (model: Model, addresses: Uint32Array): Promise<string> => {
  const random = createRandom(seed, 'payments')
  const [preparing, executing, hashing] = [new Clock(), new Clock(), new Clock()]
  const state = new MemoryState()
  const trie = new ArenaTrie({ historyBytes: 0 })
  await preparing.time(() => {
    const genesis = model.writes(addresses)
    state.commit(genesis)
    trie.build(genesis)
  })
  console.log(`${count.toLocaleString('en')} accounts in a state and its trie: ${preparing.text}`)
  const executor = createExecutor({ fork: 'osaka', chainId: WORKLOAD_CHAIN_ID, state, workers: 0, memory: budget })
  const batches = Math.ceil(count / size)
  let mostBytes = 0
  for (let batch = 0; batch < batches; batch++) {
    const first = batch * size
    const end = Math.min(count, first + size)
    const writer = new BatchWriter(end - first, 0, random)
    const touched = new Uint32Array(2 * (end - first))
    const values = new Uint32Array(end - first)
    for (let n = first; n < end; n++) {
      const to = random.below(count)
      writer.begin(addresses, 5 * n, addresses, 5 * to, 0, GAS)
      values[n - first] = 1 + random.below(1000)
      writer.value(values[n - first]!)
      touched[n - first] = n
      touched[end - first + n - first] = to
    }
    const request = { env: workloadEnvironment(seed, batch, writer), transactions: writer.finish() }
    const { maxPriorityFeePerGas: tips } = request.transactions
    for (let n = 0; n < values.length; n++)
      model.pay(touched[n]!, touched[values.length + n]!, values[n]!, tips[8 * n]!)
    const { writes } = await executing.time(() => executor.execute(request))
    mostBytes = Math.max(mostBytes, executor.memory.tables.bytes)
    check(state, model, addresses, touched)
    await hashing.time(() => trie.apply(writes))
    if ((batch + 1) % Math.ceil(batches / LINES) === 0)
      console.log(`batch ${batch + 1} of ${batches}: executing took ${executing.text}; roots ${hashing.text}`)
  }
  const { evictions, tables } = executor.memory
  executor.close()
  const perSecond = (ms: number): string => Math.round((1000 * count) / ms).toLocaleString('en')
  const { cpuMs, wallMs } = executing
  console.log(
    `${megabytes(budget)} MB: ${perSecond(cpuMs)} payments per second of CPU time, ${perSecond(wallMs)} of wall time; tables kept ${megabytes(mostBytes)} MB at most between batches, ${tables.accounts.toLocaleString('en')} accounts at the end; ${evictions} evictions; every account as the model has it after its batches`,
  )
  if (mostBytes > budget) throw new Error('the tables kept more than the budget')
  return trie.root
}

const model = new Model()
const addresses = createAddresses(count, createRandom(seed, 'memory'))
const root = await run(model, addresses)
const anew = new Clock()
const expected = await anew.time(() => {
  const trie = new ArenaTrie({ historyBytes: 0 })
  trie.build(model.writes(addresses))
  return trie.root
})
console.log(`the trie of the model, made anew: ${anew.text}`)
if (root !== expected) {
  console.error(`the writes of all batches lead to root ${root}, the model has ${expected}`)
  process.exitCode = 1
} else console.log(`the root of all writes is that of the model: ${root}`)
