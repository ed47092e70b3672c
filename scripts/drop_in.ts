import { writeFileSync } from 'node:fs'
import { dropInRows, measureDropIn } from '../bench/drop_in.ts'
import { rounded } from '../bench/report/text.ts'
import { adapterRequest } from '../host/device/adapter.ts'
import { ScriptOptions } from './script_options.ts'

/** Measures `runBlock` of @ethereumjs/vm with createGpuEvm in place of createEVM. */
const USAGE = 'npm run drop-in -- [--transactions of a block = 5000] [--blocks 3] [--adapter name] [--json file]'

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('drop-in', USAGE)
const {
  transactions = '5000',
  blocks = '3',
  adapter,
  json,
} = options.parse({
  transactions: TEXT,
  blocks: TEXT,
  adapter: TEXT,
  json: TEXT,
})
const asked = adapterRequest(adapter)
const report = await measureDropIn({
  transactions: options.whole('transactions', transactions, 1),
  blocks: options.whole('blocks', blocks, 1),
  ...(asked === undefined ? {} : { adapter: asked }),
  onSample: (side, block, ms) => console.error(`block ${block}: ${rounded(ms)} ms, ${side}`),
})
for (const row of dropInRows(report)) console.log(row.join('  '))
if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`)
