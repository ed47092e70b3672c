import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { ThreadsHasher } from '../../host/primitives/threads_hasher.ts'
import { nobleDigests, PLANS, randomPlan } from '../fixtures/hash_plans.ts'

const workerAt = (name: string): URL => new URL(`../fixtures/workers/${name}`, import.meta.url)
/** More than a chunk, in levels that threads share and in small ones. */
const LARGE = randomPlan(41, { levels: [5000, 700, 70, 3, 1], longest: 500, mostHoles: 9 })
/** The same with leaves that no plan is begun apart for. */
const MEDIUM = randomPlan(43, { levels: [4000, 700, 70, 3, 1], longest: 600, mostHoles: 9 })
const SMALL = randomPlan(42, { levels: [100, 1], longest: 60, mostHoles: 1 })
const EXPECTED = nobleDigests(LARGE)

describe('threads that hash', () => {
  let hasher: ThreadsHasher | undefined
  afterEach(() => hasher?.close())

  it('give the digests of @noble/hashes, whether they take part or not', async () => {
    hasher = new ThreadsHasher({ workers: 3, patienceMs: 60_000 })
    hasher.start()
    for (const [name, plan] of PLANS) expect([name, await hasher.hash(plan)]).toEqual([name, nobleDigests(plan)])
    // The workers come up in the middle of this.
    for (let n = 0; n < 25; n++) expect(Buffer.compare(await hasher.hash(LARGE), EXPECTED)).toBe(0)
    expect(Buffer.compare(await hasher.hash(MEDIUM), nobleDigests(MEDIUM))).toBe(0)
    expect(hasher.faults).toEqual([])
  })

  it('hash the leaves of a large plan without this thread, and no other plan meanwhile', async () => {
    hasher = new ThreadsHasher({ workers: 1, patienceMs: 60_000 })
    expect(hasher.piecesLeft).toBeUndefined()
    const first = hasher.hash(LARGE)
    expect(hasher.piecesLeft).toBeDefined()
    // The worker starts in this time: nothing that it needs is this thread's.
    for (const until = performance.now() + 60_000; hasher.piecesLeft! > 0 && performance.now() < until; );
    expect(hasher.piecesLeft).toBe(0)
    const others = [LARGE, MEDIUM, LARGE].map((plan) => hasher!.hash(plan))
    const digests = await Promise.all([first, ...others])
    for (const n of [0, 1, 3]) expect(Buffer.compare(digests[n]!, EXPECTED)).toBe(0)
    expect(Buffer.compare(digests[2]!, nobleDigests(MEDIUM))).toBe(0)
    expect(hasher.piecesLeft).toBeUndefined()
    expect(hasher.faults).toEqual([])
  })

  it('end a plan that is under way when they are closed', async () => {
    hasher = new ThreadsHasher({ workers: 1, patienceMs: 60_000 })
    const digests = hasher.hash(LARGE)
    hasher.close()
    expect(Buffer.compare(await digests, EXPECTED)).toBe(0)
    expect(hasher.faults).toEqual([])
  })

  it('are not needed', async () => {
    hasher = new ThreadsHasher({ workers: 0 })
    expect(hasher.threads).toBe(1)
    expect(Buffer.compare(await hasher.hash(LARGE), EXPECTED)).toBe(0)
    hasher.close()
    expect(Buffer.compare(await hasher.hash(LARGE), EXPECTED)).toBe(0)
  })

  const untilFault = async (): Promise<void> => {
    for (let n = 0; n < 2000 && hasher!.faults.length === 0; n++) {
      expect(Buffer.compare(await hasher!.hash(LARGE), EXPECTED)).toBe(0)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  it('cost patience and no digest where they hang or end with what they claimed', async () => {
    for (const workers of [1, 2]) {
      hasher = new ThreadsHasher({ workers, entry: workerAt('hash_claims.mjs'), patienceMs: 50 })
      await untilFault()
      expect(hasher.faults[0]).toMatch(/^worker that hashes: (no sign of life in 50 ms|exit code 3)$/)
      expect(Buffer.compare(await hasher.hash(LARGE), EXPECTED)).toBe(0)
      hasher.close()
    }
  })

  it('are given up after a number of them that cannot be loaded', async () => {
    hasher = new ThreadsHasher({ workers: 1, entry: workerAt('no_such_module.mjs') })
    while (hasher.faults.length < 9) {
      expect(await hasher.hash(SMALL)).toEqual(nobleDigests(SMALL))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(hasher.faults[0]).toContain('no_such_module.mjs')
    for (let n = 0; n < 5; n++) await hasher.hash(SMALL)
    expect(hasher.faults.length).toBe(9)
  })

  it('do not keep the process alive', () => {
    const url = new URL('../../host/primitives/threads_hasher.ts', import.meta.url)
    const program = `import('${url}').then(({ ThreadsHasher }) => new ThreadsHasher({ workers: 1 }).start())`
    const { status, signal } = spawnSync(process.execPath, ['--import', 'tsx', '-e', program], { timeout: 60_000 })
    expect([status, signal]).toEqual([0, null])
  })
})
