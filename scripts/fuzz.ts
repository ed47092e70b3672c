import { parseArgs } from 'node:util'
import { openDevice } from '../host/device/device.ts'
import { newVmTally, vmTallyText } from '../test/fixtures/vm_check.ts'
import { fuzzLaneVm } from '../test/fixtures/vm_fuzz.ts'

/**
 * Random programs on the lane VM against the CPU tier, many more than a test has time for. Ends with 1 at the first difference, which it
 * shrinks and keeps as a file that test/fuzz/lane_vm.test.ts replays from then on.
 */
const USAGE =
  'npm run fuzz -- [--count programs = 2000000] [--seed first = time] [--batch programs = 1000] [--form superblocks | first] [--adapter name]'

/** Seeds have six bytes in the addresses of a case. */
const MOST_SEEDS = 2 ** 40

const whole = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  console.error(`fuzz: --${name} takes a whole number from ${least} to ${most}, got '${text}'\n${USAGE}`)
  process.exit(2)
}

const options = (): { readonly [name in 'count' | 'seed' | 'batch' | 'form' | 'adapter']?: string } => {
  const text = { type: 'string' } as const
  try {
    return parseArgs({ options: { count: text, seed: text, batch: text, form: text, adapter: text } }).values
  } catch (thrown) {
    console.error(`fuzz: ${(thrown as Error).message}\n${USAGE}`)
    process.exit(2)
  }
}

const { count: countText = '2000000', seed, batch = '1000', form = 'superblocks', adapter } = options()
if (form !== 'superblocks' && form !== 'first') {
  console.error(`fuzz: --form takes superblocks or first, got '${form}'\n${USAGE}`)
  process.exit(2)
}
const count = whole('count', countText, 1, MOST_SEEDS)
const firstSeed = whole('seed', seed ?? String(Math.floor(Date.now() / 1000)), 0, MOST_SEEDS)
const batchSize = whole('batch', batch, 1, 65_536)

const device = await openDevice(adapter === undefined ? {} : { adapter })
const tally = newVmTally()
const startedMs = performance.now()
let interrupted = false
process.once('SIGINT', () => {
  interrupted = true
})
const progress = (done: number): boolean => {
  const perSecond = Math.round((1000 * done) / (performance.now() - startedMs))
  const line = `${done} of ${count} programs, ${perSecond} a second, seeds from ${firstSeed}; ${vmTallyText(tally)}`
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line.slice(0, (process.stderr.columns ?? 120) - 1)}`)
  else if (Math.floor(done / 100_000) > Math.floor((done - batchSize) / 100_000)) console.error(line)
  return interrupted
}
const failure = await fuzzLaneVm({ device, form, firstSeed, count, batchSize, tally, onBatch: progress })
device.destroy()
if (process.stderr.isTTY) process.stderr.write('\n')
console.log(`${tally.program.total + tally.mutated.total + tally.random.total} programs; ${vmTallyText(tally)}`)
if (failure !== undefined) {
  console.error(
    `${failure.fork}, the batch from seed ${failure.firstSeed}: ${failure.difference}\nkept in ${failure.file}`,
  )
  process.exitCode = 1
}
