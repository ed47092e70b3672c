import { type ChildProcess, fork as forkProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { openDevice } from '../host/device/device.ts'
import {
  addVmTally,
  newVmTally,
  type PlainVmTally,
  plainVmTally,
  type VmForm,
  vmTallyText,
} from '../test/fixtures/vm_check.ts'
import { fuzzLaneVm } from '../test/fixtures/vm_fuzz.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Random programs on the lane VM against the CPU tier, many more than a test has time for. Ends with 1 at the first
 * difference, which it shrinks and keeps as a file that test/fuzz/lane_vm.test.ts replays from then on.
 */
const USAGE =
  'npm run fuzz -- [--count programs = 2000000] [--seed first = time] [--batch programs = 1000] [--form superblocks | first] [--jobs processes = cores] [--adapter name]'

/** Seeds have six bytes in the addresses of a case. */
const MOST_SEEDS = 2 ** 40
const MOST_JOBS = 64
/** Programs between two lines of progress where there is no terminal. */
const LINE_EVERY = 20_000
/**
 * The young generation of a process, in megabytes: with the small one of Node a sixth of the time goes into collecting
 * it.
 */
const YOUNG_MB = 64

const options: ScriptOptions = new ScriptOptions('fuzz', USAGE)

interface Part {
  readonly firstSeed: number
  readonly count: number
  readonly batchSize: number
  readonly form: VmForm
  readonly adapter: string | undefined
}

/** What a process tells of its part. */
type Told = { readonly done: number; readonly tally: PlainVmTally } | { readonly failure: string }

/** Runs a part in this process, and tells the one that asked for it. */
const runPart = async ({ firstSeed, count, batchSize, form, adapter }: Part): Promise<void> => {
  const device = await openDevice(adapter === undefined ? {} : { adapter })
  const tally = newVmTally()
  let interrupted = false
  process.on('SIGINT', () => {
    interrupted = true
  })
  const abandoned = (): void => process.exit(1)
  process.once('disconnect', abandoned)
  const tell = (told: Told): void => void process.send!(told)
  const onBatch = (done: number): boolean => {
    tell({ done, tally: plainVmTally(tally) })
    return interrupted
  }
  const failure = await fuzzLaneVm({ device, form, firstSeed, count, batchSize, tally, onBatch })
  device.destroy()
  if (failure !== undefined) {
    const { fork, firstSeed: first, difference, file } = failure
    tell({ failure: `${fork}, the batch from seed ${first}: ${difference}\nkept in ${file}` })
  }
  process.off('disconnect', abandoned)
  process.disconnect()
}

/** Cuts the seeds into a part for each process; true where all of them ran without a difference. */
const runAll = async (all: Part, jobs: number): Promise<boolean> => {
  const { firstSeed, count } = all
  const tallies: PlainVmTally[] = []
  const dones: number[] = []
  const failures: string[] = []
  const children: ChildProcess[] = []
  const startedMs = performance.now()
  const sum = () => {
    const tally = newVmTally()
    for (const one of tallies) if (one !== undefined) addVmTally(tally, one)
    return { done: dones.reduce((a, b) => a + (b ?? 0), 0), tally }
  }
  let lines = 0
  const show = (): void => {
    const { done, tally } = sum()
    const perSecond = Math.round((1000 * done) / (performance.now() - startedMs))
    const line = `${done} of ${count} programs, ${perSecond} a second, seeds from ${firstSeed}; ${vmTallyText(tally)}`
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line.slice(0, (process.stderr.columns ?? 120) - 1)}`)
    else if (Math.floor(done / LINE_EVERY) > lines) {
      lines = Math.floor(done / LINE_EVERY)
      console.error(line)
    }
  }
  process.on('SIGINT', () => undefined)
  const ended = Array.from({ length: jobs }, (_, n) => {
    const [first, end] = [n, n + 1].map((k) => Math.floor((k * count) / jobs)) as [number, number]
    const part: Part = { ...all, firstSeed: firstSeed + first, count: end - first }
    const execArgv = [...process.execArgv, `--max-semi-space-size=${YOUNG_MB}`]
    const child = forkProcess(fileURLToPath(import.meta.url), [PART, JSON.stringify(part)], { execArgv })
    children.push(child)
    child.on('message', (told: Told) => {
      if ('failure' in told) {
        failures.push(told.failure)
        for (const other of children) if (other !== child) other.kill('SIGINT')
        return
      }
      dones[n] = told.done
      tallies[n] = told.tally
      show()
    })
    return new Promise<boolean>((resolve) => child.once('exit', (code) => resolve(code === 0)))
  })
  const isWell = (await Promise.all(ended)).every(Boolean)
  if (process.stderr.isTTY) process.stderr.write('\n')
  const { done, tally } = sum()
  console.log(`${done} programs; ${vmTallyText(tally)}`)
  for (const failure of failures) console.error(failure)
  return isWell && failures.length === 0
}

const PART = '--part'

if (process.argv[2] === PART) await runPart(JSON.parse(process.argv[3]!) as Part)
else {
  const text = { type: 'string' } as const
  const given = options.parse({ count: text, seed: text, batch: text, form: text, jobs: text, adapter: text })
  const { count: countText = '2000000', seed, batch = '1000', form = 'superblocks', jobs, adapter } = given
  if (form !== 'superblocks' && form !== 'first') options.fail(`--form takes superblocks or first, got '${form}'`)
  const count = options.whole('count', countText, 1, MOST_SEEDS)
  const all: Part = {
    count,
    firstSeed: options.whole('seed', seed ?? String(Math.floor(Date.now() / 1000)), 0, MOST_SEEDS),
    batchSize: options.whole('batch', batch, 1, 65_536),
    form,
    adapter,
  }
  const most = options.whole('jobs', jobs ?? String(Math.min(MOST_JOBS, availableParallelism())), 1, MOST_JOBS)
  // A process takes a batch at least.
  if (!(await runAll(all, Math.min(most, Math.ceil(count / all.batchSize))))) process.exitCode = 1
}
