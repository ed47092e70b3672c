import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { openChain, parseGenesis } from '../../host/index.ts'
import { builtBranches } from '../fixtures/block_tree.ts'
import { buildingRounds } from '../fixtures/building_rounds.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'
import { crashRounds } from '../fixtures/crash_rounds.ts'

const ROUNDS = 3
const CHILD = fileURLToPath(new URL('../fixtures/full_disk_child.ts', import.meta.url))

let blocks: readonly Uint8Array[]
let branch: readonly Uint8Array[]
beforeAll(async () => {
  ;({ blocks, branch } = await builtBranches(10, 11))
})

test('a chain whose process is killed at any moment is whole when it is opened again, and goes on to the same end', async () => {
  const heads = await crashRounds({ genesis: builtGenesis(), blocks, branch, count: ROUNDS, seed: 2, mostChanges: 30 })
  expect(heads.length).toBe(ROUNDS)
  // Some were killed at work.
  expect(heads.some((head) => head > 0n)).toBe(true)
})

test('a chain whose process is killed while it builds ends at the root of the same chain in memory', async () => {
  const { heads, stateRoot } = await buildingRounds({ blocks: 16, kills: 2, seed: 5 })
  expect(heads.length).toBe(2)
  expect(stateRoot).toMatch(/^0x[0-9a-f]{64}$/)
})

test('a block that the disk has no room for is not there, is told, and comes in once there is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-full-'))
  try {
    const path = join(folder, 'data')
    const file = join(folder, 'chain.rlp')
    writeFileSync(file, Buffer.concat(blocks))
    await (await openChain({ path, genesis: parseGenesis(builtGenesis()) })).close()
    // A limit in blocks of 512 bytes, whose signal is ignored: writes beyond it fail. The address space, in KB, has
    // room for the threads and the memories of WebAssembly, and not for the map that is taken without a limit.
    const limited = [
      '-c',
      'trap "" XFSZ; ulimit -f 250; ulimit -v 300000000; exec "$@"',
      'sh',
      process.execPath,
      '--import',
      'tsx',
      CHILD,
    ]
    const { stdout, stderr } = spawnSync('sh', [...limited, path, file], { encoding: 'utf8' })
    expect(stderr).toBe('')
    const [first, second] = stdout.trim().split('\n')
    expect(first).toMatch(/^write: .*\/data: block \d+ was not written: .*; head \d+$/)
    // Nothing is written on what a failed commit has left.
    expect(second).toBe(first)
    const [, number, head] = /block (\d+) was .*; head (\d+)$/.exec(first!)!
    expect(Number(number)).toBe(Number(head) + 1)
    const chain = await openChain({ path, executor: { workers: 0 } })
    expect(chain.head.header.number).toBe(BigInt(head!))
    for (const block of blocks) await chain.import(block)
    expect(chain.head.header.number).toBe(10n)
    await chain.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
