import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openChain, parseGenesis } from '../../host/index.ts'
import { buildTo, mixedGenesis } from '../fixtures/mixed_chain.ts'

const CHILD = fileURLToPath(new URL('../fixtures/flipped_child.ts', import.meta.url))
const BLOCKS = 3
const FLIPS = 80
const SEED = 3

test('a data file with a flipped bit is refused, ends the process, or is whole: the head is never another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-flipped-'))
  try {
    const path = join(folder, 'data')
    const whole = join(folder, 'whole.mdb')
    const chain = await openChain({ path, genesis: parseGenesis(mixedGenesis(BLOCKS)), executor: { workers: 0 } })
    await buildTo(chain, BLOCKS, SEED)
    const { hash } = chain.head
    await chain.close()
    copyFileSync(join(path, 'data.mdb'), whole)
    const seen = { whole: 0, refused: 0, ended: 0 }
    for (let first = 0; first < FLIPS; first++) {
      const argv = ['--import', 'tsx', CHILD, path, whole, `${SEED}`, `${first}`, `${FLIPS - 1}`]
      const { stdout, stderr, status, signal } = spawnSync(process.execPath, argv, {
        encoding: 'utf8',
        timeout: 60_000,
      })
      const lines = stdout.split('\n').filter((line) => line !== '')
      for (const line of lines) {
        const [time, at, ...said] = line.split(' ')
        first = Number(time)
        const what = said.join(' ').trim()
        if (what === '') {
          // Only LMDB ends a process without a word of ours.
          expect(signal, `byte ${at}: ${status}, ${stderr}`).toMatch(/^SIG(SEGV|BUS|ABRT|FPE)$/)
          seen.ended++
        } else if (what === `whole ${hash}`) seen.whole++
        else {
          expect(what, `byte ${at}`).toMatch(/^(damaged|schema|empty|chain|folder)$/)
          seen.refused++
        }
      }
      if (lines.length === 0) throw new Error(`the process did not begin: ${signal ?? status}, ${stderr}`)
    }
    expect(seen.whole + seen.refused + seen.ended).toBe(FLIPS)
    expect(seen.refused).toBeGreaterThan(10)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
