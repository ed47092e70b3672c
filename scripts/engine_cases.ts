import { writeFileSync } from 'node:fs'
import { openAdapter } from '../cli/open_adapter.ts'
import { type EngineCase, gasOfCase } from '../test/fixtures/engine_case.ts'
import { ENGINE_SOURCES, type EngineSource, engineCaseFiles, hasSource } from '../test/fixtures/engine_case_files.ts'
import { EngineCasesNode } from '../test/fixtures/engine_cases_node.ts'
import { serialMs } from '../test/fixtures/serial_engine_case.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Sends payloads to the service over HTTP, each file's cases on chains of their own: every one must be VALID or
 * INVALID as its test says, with the latest valid hash, and the state on disk that of the test. Tells the rate of each
 * file, beside runBlock of @ethereumjs/vm with `--serial`. Ends with 1 where a case is not as it should be.
 */
const USAGE = `npm run engine-cases -- --source ${Object.keys(ENGINE_SOURCES).join('|')} [--match REGEX] [--every 1] \
[--most-mgas 150] [--minutes N] [--serial] [--adapter NAME] [--json FILE]`

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('engine-cases', USAGE)
const values = options.parse({
  source: TEXT,
  match: TEXT,
  every: TEXT,
  'most-mgas': TEXT,
  minutes: TEXT,
  serial: { type: 'boolean' },
  adapter: TEXT,
  json: TEXT,
})
const MGAS = 1e6
const MOST = 1_000_000
const given = values.source ?? options.fail('--source is missing')
const source =
  Object.keys(ENGINE_SOURCES).find((name): name is EngineSource => name === given) ??
  options.fail(`there is no source '${given}'`)
if (!hasSource(source)) options.fail(`${ENGINE_SOURCES[source]} is absent`)
if (values.serial && source !== 'payloads') options.fail('--serial takes the payloads alone')
const every = options.whole('every', values.every ?? '1', 1, MOST)
const mostGas = options.whole('most-mgas', values['most-mgas'] ?? '150', 1, MOST) * MGAS
const minutes = options.whole('minutes', values.minutes ?? `${MOST}`, 1, MOST)
const match = new RegExp(values.match ?? '')

/** What the cases of a file came to. */
interface Row {
  readonly file: string
  cases: number
  payloads: number
  invalid: number
  /** Of the invalid ones: no block comes of them, so that they are refused before they are executed. */
  malformed: number
  gas: number
  milliseconds: number
  serialMilliseconds: number
}

const rate = (gas: number, milliseconds: number): number => gas / MGAS / (milliseconds / 1000)
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

const textOf = ({ file, cases, payloads, invalid, gas, milliseconds, serialMilliseconds }: Row): string => {
  const ours = rate(gas, milliseconds)
  const counts = `${cases} cases, ${payloads} payloads, ${invalid} invalid`
  const serial = serialMilliseconds === 0 ? '' : `, serial ${rate(gas, serialMilliseconds).toFixed(1)}`
  return `${file}: ${counts}, ${(gas / MGAS).toFixed(0)} Mgas, ${ours.toFixed(1)} Mgas/s${serial}`
}

const failures: string[] = []

const runCase = async (node: EngineCasesNode, one: EngineCase, row: Row): Promise<void> => {
  const { error, payloadMs } = await node.run(one)
  if (error !== undefined) {
    failures.push(`${row.file} ${one.name}: ${error}`)
    console.log(`FAILED ${failures.at(-1)}`)
  }
  row.cases++
  row.payloads += one.payloads.length
  row.invalid += one.payloads.filter(({ exception }) => exception !== undefined).length
  row.malformed += one.payloads.filter(({ isMalformed }) => isMalformed).length
  row.gas += gasOfCase(one)
  row.milliseconds += sum(payloadMs)
  if (values.serial) row.serialMilliseconds += sum(await serialMs(one))
}

const device = source === 'payloads' ? await openAdapter(values.adapter) : undefined
const node = await EngineCasesNode.start(device === undefined ? { workers: 0 } : { device })
const rows: Row[] = []
const begun = performance.now()
let isCut = false
for (const { path, read } of engineCaseFiles(source).filter(({ path }, n) => n % every === 0 && match.test(path))) {
  const row = {
    file: path,
    cases: 0,
    payloads: 0,
    invalid: 0,
    malformed: 0,
    gas: 0,
    milliseconds: 0,
    serialMilliseconds: 0,
  }
  for (const one of await read()) {
    isCut = performance.now() - begun > minutes * 60_000
    if (isCut) break
    if (gasOfCase(one) <= mostGas) await runCase(node, one, row)
  }
  if (row.cases > 0) rows.push(row)
  if (row.cases > 0 && source === 'payloads') console.log(textOf(row))
  if (isCut) break
}
await node.close()
device?.destroy()
const total = (name: 'cases' | 'payloads' | 'invalid' | 'malformed'): number => sum(rows.map((row) => row[name]))
const invalid = `${total('invalid')} invalid (${total('malformed')} before execution)`
const counts = `${total('cases')} cases of ${rows.length} files, ${total('payloads')} payloads, ${invalid}`
console.log(`${counts}: ${failures.length} failures${isCut ? `; ended after ${minutes} minutes` : ''}`)
if (values.json !== undefined) {
  const result = { schema: 'wgevm-engine-cases/1', source, adapter: device?.name ?? 'none', isCut, failures, rows }
  writeFileSync(values.json, `${JSON.stringify(result, undefined, 1)}\n`)
}
if (failures.length > 0 || rows.length === 0) process.exitCode = 1
