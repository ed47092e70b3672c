import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { readTar } from '../host/device/tar.ts'
import { runStateTestCase, stateTestCases } from '../test/fixtures/t8n_state_test.ts'

/**
 * Every entry of an archive of state tests as a case of `evm t8n`: the state root, the hash of the logs, and whether
 * the transaction is included. Exit code 1 where one differs. `--every N` takes each Nth file.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { every: { type: 'string', default: '1' } },
})
const archive = positionals[0] ?? '../shared/data/state-tests/state-tests.tar.gz'
const every = Number(values.every)

const files = readTar(gunzipSync(readFileSync(archive)))
  .filter(({ path }) => path.endsWith('.json') && !/(^|\/)index\.json$/i.test(path))
  .filter((_, n) => n % every === 0)
let count = 0
let failed = 0
for (const [n, { path, bytes }] of files.entries()) {
  for (const one of stateTestCases(path, new TextDecoder().decode(bytes))) {
    const fault = await runStateTestCase(one)
    count++
    if (fault === undefined) continue
    failed++
    console.log(`FAIL ${one.title}: ${fault}`)
  }
  if (n % 200 === 0) console.error(`${n} of ${files.length} files, ${count} entries`)
}
console.log(`${count - failed} of ${count} entries of ${files.length} files are as expected`)
if (failed > 0 || count === 0) process.exitCode = 1
