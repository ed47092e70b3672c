import Table from 'cli-table3'
import colors from 'picocolors'
import type { CommandModule } from 'yargs'
import { type DeviceCosts, SOFTWARE_COSTS } from '../../host/batch/cost.ts'
import { type AdapterReport, adapterRequest, listAdapters, NoAdapterError } from '../../host/device/adapter.ts'
import { type Advice, adviceFor, systemFacts } from '../../host/device/advice.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import { measureRates, type Rate } from '../../host/device/rate.ts'
import { machineWidth, type VectorWidth } from '../../host/device/vector_width.ts'
import { knownCosts, measureAndKeep } from '../../host/flows/device_costs.ts'
import { measureSenders, type SendersReport } from '../../host/senders/senders_report.ts'

interface DoctorArguments {
  adapter: string | undefined
  json: boolean
  'measure-costs': boolean
}

/** Limits that bound a batch. */
const SHOWN_LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const

interface Diagnosis {
  /** Undefined where no adapter works. */
  readonly chosen: AdapterReport | undefined
  readonly software: boolean
  /** Of lavapipe, where it is chosen. */
  readonly vectors?: VectorWidth
  readonly adapters: readonly AdapterReport[]
  readonly limits: Readonly<Record<string, number>>
  readonly features: readonly string[]
  readonly rates: readonly Rate[]
  /** Microseconds that decide which tier runs what; those of software devices where none were measured on this one. */
  readonly costs: DeviceCosts
  readonly costsAre: 'measured' | 'built in'
  /** Of a software device only where its costs are measured: kernels compile for some 30 s. */
  readonly senders: SendersReport
  readonly advice: readonly Advice[]
}

const diagnose = async (device: ComputeDevice, asked: string | undefined, measures: boolean): Promise<Diagnosis> => {
  const adapters = await listAdapters()
  const { kind, name, driver, vendor, software, limits, features } = device
  const reason = asked === undefined ? 'the best that answers' : `asked for: ${asked}`
  return {
    chosen: { kind, name, driver, vendor, accepted: true, reason },
    software,
    ...(kind === 'lavapipe' ? { vectors: machineWidth() } : {}),
    adapters,
    limits: Object.fromEntries(SHOWN_LIMITS.map((limit) => [limit, limits[limit]])),
    features: [...features].sort(),
    rates: await measureRates(device),
    ...(await costsOf(device, measures)),
    senders: await measureSenders(device.software && !measures ? undefined : device),
    advice: adviceFor(kind, adapters, systemFacts()),
  }
}

const costsOf = async (device: ComputeDevice, measures: boolean): Promise<Pick<Diagnosis, 'costs' | 'costsAre'>> => {
  const measured = measures ? await measureAndKeep(device) : knownCosts(device)
  return measured === undefined || (device.software && !measures)
    ? { costs: SOFTWARE_COSTS, costsAre: 'built in' }
    : { costs: measured, costsAre: 'measured' }
}

const diagnoseNone = async (adapters: readonly AdapterReport[]): Promise<Diagnosis> => ({
  chosen: undefined,
  software: false,
  adapters,
  limits: {},
  features: [],
  rates: [],
  costs: SOFTWARE_COSTS,
  costsAre: 'built in',
  senders: await measureSenders(undefined),
  advice: adviceFor(undefined, adapters, systemFacts()),
})

const perSecond = (rate: number): string =>
  rate >= 1e9
    ? `${(rate / 1e9).toFixed(2)} G/s`
    : rate >= 1e6
      ? `${(rate / 1e6).toFixed(2)} M/s`
      : `${(rate / 1e3).toFixed(1)} k/s`

const bytes = (count: number): string => (count >= 1 << 20 ? `${Math.round(count / (1 << 20))} MiB` : `${count}`)

const PLAIN_BORDERS = { style: { head: [], border: [] } }
/** Columns that every terminal has. */
const WIDTH = 80
/** Of the longest name of a limit. */
const LABEL_WIDTH = 35

/** Dawn writes them to stderr itself, in C++, whenever an adapter is looked at. */
const DAWN_NOTE = 'Lines "maxDynamic... artificially reduced" are of Dawn; no kernel here uses such.'

const vectorsText = ({ bits, reason }: VectorWidth): string =>
  `${bits === undefined ? 'as Mesa chooses' : `${bits} bits, ${bits / 32} lanes`}: ${reason}`

const sendersRows = ({ library, forms, choices, faults }: SendersReport, isMeasured: boolean): string[][] => {
  const chosen = choices.map(({ from, form }, n) => (n === 0 ? form : `${form} from ${from} on`))
  return [
    ...forms.map(({ form, fixedUs, rowUs }) => {
      const own = form === 'device' ? '' : ` (${library})`
      const fixed = fixedUs < 1 ? '' : `, after ${Number((fixedUs / 1000).toPrecision(2))} ms`
      return [`senders: ${form}${own}`, `${perSecond(1e6 / rowUs)}${fixed}`]
    }),
    ...(isMeasured ? [] : [['senders: device', 'not measured (--measure-costs)']]),
    ['senders: choice', chosen.join(', ')],
    ...faults.map((fault) => ['senders: fault', fault]),
  ]
}

const factsTable = (diagnosis: Diagnosis): string => {
  const { chosen, software, vectors, limits, features, rates, costs, costsAre, senders } = diagnosis
  const facts = new Table({ ...PLAIN_BORDERS, colWidths: [LABEL_WIDTH, WIDTH - LABEL_WIDTH - 3], wordWrap: true })
  const isMeasured =
    chosen === undefined || senders.faults.length > 0 || senders.forms.some(({ form }) => form === 'device')
  if (chosen === undefined) {
    facts.push(...sendersRows(senders, isMeasured))
    return `No adapter works here: everything runs on the CPU.\n\n${facts.toString()}`
  }
  facts.push(
    ['adapter', `${colors.bold(chosen.kind)} ${chosen.name}${software ? ' (software)' : ''}`],
    ['why', chosen.reason],
    ['driver', chosen.driver],
    ...(vectors === undefined ? [] : [['vectors', vectorsText(vectors)]]),
    ...rates.map(({ name, perSecond: rate, compileMs, verifiedLanes }) => [
      name,
      `${perSecond(rate)}  (compiled in ${(compileMs / 1000).toFixed(2)} s; ${verifiedLanes} lanes verified)`,
    ]),
    ...sendersRows(senders, isMeasured),
    ...Object.entries(costs).map(([name, us], n) => [
      name,
      `${Number(us.toPrecision(3))}${n === 0 ? `  (${costsAre})` : ''}`,
    ]),
    ...Object.entries(limits).map(([limit, value]) => [limit, limit.endsWith('Size') ? bytes(value) : String(value)]),
    ['features', features.filter((feature) => /timestamp|subgroup|f16/.test(feature)).join(' ') || 'none that we use'],
  )
  return facts.toString()
}

const text = (diagnosis: Diagnosis): string => {
  const { adapters, advice } = diagnosis
  const nameWidth = Math.min(LABEL_WIDTH, 2 + Math.max(0, ...adapters.map(({ name }) => name.length)))
  const drivers = new Table({
    ...PLAIN_BORDERS,
    head: ['driver', 'kind', '', 'reason'],
    colWidths: [nameWidth, 13, 9, WIDTH - nameWidth - 27],
    wordWrap: true,
  })
  for (const { name, kind, accepted, reason } of adapters) {
    drivers.push([name, kind, accepted ? colors.green('works') : colors.red('refused'), reason])
  }
  const faster = advice.map(
    ({ text: why, commands }) => `  ${why}\n${commands.map((line) => `    ${line}\n`).join('')}`,
  )
  const advised = faster.length === 0 ? 'Nothing to install would be faster here.' : `Faster:\n${faster.join('')}`
  return `${factsTable(diagnosis)}\n\n${drivers.toString()}\n\n${advised.trimEnd()}\n\n${DAWN_NOTE}\n`
}

export const doctorCommand: CommandModule<object, DoctorArguments> = {
  command: 'doctor',
  describe: 'Show the chosen adapter, what it can do, what was refused, and what would be faster',
  builder: (parser) =>
    parser
      .option('adapter', {
        type: 'string',
        default: undefined,
        describe: 'gpu, lavapipe, swiftshader, or a part of a name',
      })
      .option('json', { type: 'boolean', default: false, describe: 'print JSON' })
      .option('measure-costs', {
        type: 'boolean',
        default: false,
        describe: 'measure what waves cost on this device and keep it; compiles ten kernels',
      }),
  handler: async ({ adapter, json, 'measure-costs': measures }) => {
    const print = (diagnosis: Diagnosis) =>
      process.stdout.write(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : text(diagnosis))
    const asked = adapterRequest(adapter)
    let device: ComputeDevice
    try {
      device = await openDevice(asked === undefined ? {} : { adapter: asked })
    } catch (thrown) {
      if (thrown instanceof NoAdapterError && asked === undefined) print(await diagnoseNone(thrown.reports))
      throw thrown
    }
    try {
      print(await diagnose(device, asked, measures))
    } finally {
      device.destroy()
    }
  },
}
