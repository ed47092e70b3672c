import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { blockTestDifference, fixtureDifference } from '../bench/stock_oracle.ts'
import { testFiles } from '../cli/state_test_source.ts'
import { readBlockFixture } from '../conformance/block_fixture.ts'
import { parseBlockTests } from '../conformance/block_test.ts'
import { FixtureError } from '../conformance/json_field.ts'
import { openDevice } from '../host/device/device.ts'

/**
 * Runs `@ethereumjs/vm` with its own cryptography over real blocks and block tests, and compares it with the oracle of
 * the tests, which shares hash, key recovery and KZG with the product, and with the product. Exit code 1 where they
 * differ.
 */
const USAGE = 'npx tsx scripts/stock_oracle.ts [--blocks folder] [--tests folder] [--every n = 1] [--device]'

const DATA = fileURLToPath(new URL('../../shared/data/', import.meta.url))

const options = () => {
  const text = { type: 'string' } as const
  try {
    return parseArgs({ options: { blocks: text, tests: text, every: text, device: { type: 'boolean' } } }).values
  } catch (thrown) {
    console.error(`stock-oracle: ${(thrown as Error).message}\n${USAGE}`)
    return process.exit(2)
  }
}

const { blocks = join(DATA, 'blocks'), tests = join(DATA, 'block-tests'), every = '1', device: withDevice } = options()
const step = Number(every)
if (!Number.isInteger(step) || step < 1 || !existsSync(blocks) || !existsSync(tests)) {
  console.error(
    `stock-oracle: no folder ${existsSync(blocks) ? tests : blocks}, or --every is no whole number\n${USAGE}`,
  )
  process.exit(2)
}

const device = withDevice === true ? await openDevice() : undefined
let compared = 0
let different = 0
const tell = (name: string, difference: string | undefined): void => {
  compared++
  if (difference === undefined) return
  different++
  console.error(`${name}: ${difference}`)
}

const files = readdirSync(blocks)
  .filter((name) => /^mainnet-.*\.json(\.gz)?$/.test(name))
  .sort()
for (const name of files.filter((_, n) => n % step === 0))
  tell(name, await fixtureDifference(readBlockFixture(join(blocks, name)), device))
console.log(`${compared} real blocks, ${different} different`)

let n = 0
for (const file of testFiles([tests])) {
  if (n++ % step !== 0) continue
  try {
    for (const test of parseBlockTests(file.name, file.read()))
      tell(`${file.name} ${test.name}`, await blockTestDifference(test, device))
  } catch (thrown) {
    // Forks that no tier knows.
    if (!(thrown instanceof FixtureError)) throw thrown
    console.error(`left out: ${thrown.message}`)
  }
}
console.log(`${compared} blocks and block tests, ${different} different`)
device?.destroy()
process.exitCode = different === 0 ? 0 : 1
