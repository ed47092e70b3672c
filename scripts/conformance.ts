import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commitOfCheckout } from '../bench/machine.ts'
import { type ConformanceReport, summarise, type TestOutcome } from '../bench/report/conformance_schema.ts'
import { openDevice } from '../host/device/device.ts'

/**
 * Counts the results of `wgevm statetest --tier lane-vm --json FILE` into the file that docs/conformance.md is made
 * from. The adapter is the one that opens here: run it where the tests ran.
 */
const REPORT = fileURLToPath(new URL('../bench/results/conformance/lane-vm.json', import.meta.url))

const file = process.argv[2]
if (file === undefined || process.argv.length > 3) {
  console.error('usage: tsx scripts/conformance.ts RESULTS.json')
  process.exit(2)
}
const outcomes = JSON.parse(readFileSync(file, 'utf8')) as readonly TestOutcome[]
const device = await openDevice()
const { kind, name, driver } = device
device.destroy()
const report: ConformanceReport = {
  schema: 'wgevm-conformance/1',
  commit: commitOfCheckout(),
  date: new Date().toISOString(),
  adapter: { kind, name, driver },
  ...summarise(outcomes),
}
mkdirSync(dirname(REPORT), { recursive: true })
writeFileSync(REPORT, `${JSON.stringify(report, null, 1)}\n`)
console.log(`wrote ${REPORT}; npm run generate writes docs/conformance.md from it`)
