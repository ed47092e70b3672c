import { openDevice } from '../host/device/device.ts'
import { keepFailure } from '../test/fixtures/batch_failures.ts'
import { BatchFuzzer, FUZZ_RULES, type FuzzKind, newFuzzTally } from '../test/fixtures/batch_fuzz.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Random batches in every form against serial execution, many more than a test has time for. Ends with 1 at the first
 * difference, of which it keeps the fewest transactions as a file that test/fuzz/batches.test.ts runs from then on.
 */
const USAGE =
  'npm run fuzz:batches -- [--count batches = 20000] [--seed first = time] [--fork name] [--adapter name] [--one-executor]'

const MOST_SEEDS = 2 ** 31

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('fuzz', USAGE)
const given = options.parse({ count: TEXT, seed: TEXT, fork: TEXT, adapter: TEXT, 'one-executor': { type: 'boolean' } })
const { count: countText = '20000', seed: seedText, fork, adapter, 'one-executor': isOne = false } = given
const count = options.whole('count', countText, 0, MOST_SEEDS)
const firstSeed = options.whole('seed', seedText ?? String(Math.floor(Date.now() / 1000) % MOST_SEEDS), 0, MOST_SEEDS)
const rules = FUZZ_RULES.filter((rule) => fork === undefined || rule.fork === fork)
if (rules.length === 0)
  options.fail(`--fork takes ${[...new Set(FUZZ_RULES.map((rule) => rule.fork))].join(', ')}, got '${fork}'`)

/** Runs of one seed after another, before executors are opened anew: they keep the paths of all that they have met. */
const RENEWED_AFTER = 1000

/**
 * `--one-executor`: executors of a form live to the end, on budgets that worlds soon fill. What they keep is told every
 * KEPT_EVERY seeds, and must not pass the budgets, but for the least arrays of tables and of the lane VM.
 */
const MEMORY = { tables: 2 ** 15, codes: 2 ** 15, paths: 2 ** 18 }
const LEAST_BYTES = 2 ** 18
const KEPT_EVERY = 100

/** The most that one of the executors keeps, by budget; what passes it. */
const keptText = (): { readonly text: string; readonly isOver: boolean } => {
  const kept = fuzzer.memory
  const parts = (['tables', 'codes', 'paths'] as const).map((name) => {
    const bytes = Math.max(0, ...kept.map((memory) => memory[name].bytes))
    return { text: `${name} ${(bytes / 1024).toFixed(0)} KB`, isOver: bytes > MEMORY[name] + LEAST_BYTES }
  })
  const evictions = kept.reduce((sum, memory) => sum + memory.evictions, 0)
  const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return {
    text: `seed ${seed}: of ${kept.length} executors the largest ${parts.map(({ text }) => text).join(', ')}; ${evictions} evictions; heap ${megabytes(heapUsed)} MB, arrays ${megabytes(arrayBuffers)} MB, process ${megabytes(rss)} MB`,
    isOver: parts.some(({ isOver }) => isOver),
  }
}

const device = await openDevice(adapter === undefined ? {} : { adapter })
const total = newFuzzTally()
const startedMs = performance.now()
let interrupted = false
process.once('SIGINT', () => {
  interrupted = true
})

const tallyText = (): string => {
  const perSecond = (1000 * total.batches) / (performance.now() - startedMs)
  const tiers = Object.entries(total.tiers).map(([tier, n]) => `${tier} ${n}`)
  return `${total.batches} batches, ${perSecond.toFixed(1)} a second, ${total.transactions} transactions (${tiers.join(', ')}), changes of ${total.compared} compared`
}

const turns: readonly Pick<FuzzKind, 'fork' | 'chainId'>[] = rules.flatMap((rule) =>
  Array.from({ length: rule.share }, () => rule),
)
let seed = firstSeed
let nextLine = 1000
const memory = isOne ? MEMORY : undefined
let fuzzer = new BatchFuzzer(device, total, memory)
for (; total.batches < count && !interrupted; seed++) {
  // Executors of one form meet all forks: a form's turn is given by the seed, the fork's by what is left of it.
  const rule = turns[Math.floor(seed / 14) % turns.length]!
  const failure = await fuzzer.run(seed, rule.fork, rule.chainId)
  if (failure !== undefined) {
    console.error(
      `seed ${seed} at ${rule.fork}, ${failure.onNew ? '' : 'not on new executors, '}${failure.difference}\nkept in ${keepFailure(failure)}`,
    )
    process.exitCode = 1
    break
  }
  if (isOne && (seed - firstSeed + 1) % KEPT_EVERY === 0) {
    const { text, isOver } = keptText()
    console.error(text)
    if (isOver) {
      console.error('more is kept than the budgets allow')
      process.exitCode = 1
      break
    }
  }
  if (!isOne && (seed - firstSeed + 1) % RENEWED_AFTER === 0) {
    fuzzer.close()
    fuzzer = new BatchFuzzer(device, total)
  }
  if (process.stderr.isTTY)
    process.stderr.write(`\r\u001b[K${tallyText().slice(0, (process.stderr.columns ?? 120) - 1)}`)
  else if (total.batches >= nextLine) {
    nextLine += 1000
    console.error(tallyText())
  }
}
fuzzer.close()
device.destroy()
if (process.stderr.isTTY) process.stderr.write('\n')
console.log(`${tallyText()}; seeds ${firstSeed} to ${seed}`)
