import { parseArgs } from 'node:util'
import { openDevice } from '../host/device/device.ts'
import { keepFailure } from '../test/fixtures/batch_failures.ts'
import { BatchFuzzer, FUZZ_RULES, type FuzzKind, newFuzzTally } from '../test/fixtures/batch_fuzz.ts'

/**
 * Random batches in every form against serial execution, many more than a test has time for. Ends with 1 at the first
 * difference, of which it keeps the fewest transactions as a file that test/fuzz/batches.test.ts runs from then on.
 */
const USAGE = 'npm run fuzz:batches -- [--count batches = 20000] [--seed first = time] [--fork name] [--adapter name]'

const MOST_SEEDS = 2 ** 31

const fail = (text: string): never => {
  console.error(`fuzz: ${text}\n${USAGE}`)
  process.exit(2)
}

const whole = (name: string, text: string): number => {
  const value = Number(text)
  return Number.isInteger(value) && value >= 0 && value <= MOST_SEEDS
    ? value
    : fail(`--${name} takes a whole number up to ${MOST_SEEDS}, got '${text}'`)
}

const options = (): { readonly [name in 'count' | 'seed' | 'fork' | 'adapter']?: string } => {
  const text = { type: 'string' } as const
  try {
    return parseArgs({ options: { count: text, seed: text, fork: text, adapter: text } }).values
  } catch (thrown) {
    return fail((thrown as Error).message)
  }
}

const { count: countText = '20000', seed: seedText, fork, adapter } = options()
const count = whole('count', countText)
const firstSeed = whole('seed', seedText ?? String(Math.floor(Date.now() / 1000) % MOST_SEEDS))
const rules = FUZZ_RULES.filter((rule) => fork === undefined || rule.fork === fork)
if (rules.length === 0)
  fail(`--fork takes ${[...new Set(FUZZ_RULES.map((rule) => rule.fork))].join(', ')}, got '${fork}'`)

/** Runs of one seed after another, before executors are opened anew: they keep the paths of all that they have met. */
const RENEWED_AFTER = 1000

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
let fuzzer = new BatchFuzzer(device, total)
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
  if ((seed - firstSeed + 1) % RENEWED_AFTER === 0) {
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
