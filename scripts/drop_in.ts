import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { dropInRows, measureDropIn } from '../bench/drop_in.ts'
import { rounded } from '../bench/report/text.ts'
import { adapterRequest } from '../host/device/adapter.ts'

/** Measures `runBlock` of @ethereumjs/vm with createGpuEvm in place of createEVM. */
const USAGE = 'npm run drop-in -- [--transactions of a block = 5000] [--blocks 3] [--adapter name] [--json file]'

const fail = (message: string): never => {
  console.error(`drop-in: ${message}\n${USAGE}`)
  process.exit(2)
}

const whole = (name: string, text: string): number => {
  const value = Number(text)
  return Number.isInteger(value) && value > 0 ? value : fail(`--${name} takes a whole number from 1, got '${text}'`)
}

const options = () => {
  const text = { type: 'string' } as const
  try {
    return parseArgs({ options: { transactions: text, blocks: text, adapter: text, json: text } }).values
  } catch (thrown) {
    return fail((thrown as Error).message)
  }
}

const { transactions = '5000', blocks = '3', adapter, json } = options()
const asked = adapterRequest(adapter)
const report = await measureDropIn({
  transactions: whole('transactions', transactions),
  blocks: whole('blocks', blocks),
  ...(asked === undefined ? {} : { adapter: asked }),
  onSample: (side, block, ms) => console.error(`block ${block}: ${rounded(ms)} ms, ${side}`),
})
for (const row of dropInRows(report)) console.log(row.join('  '))
if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`)
