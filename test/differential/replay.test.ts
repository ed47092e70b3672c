import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Replayer, type ReplayOptions } from '../../bench/replay.ts'
import { mergeableBlocks, mergeBlocks, replayMerged } from '../../bench/replay_merge.ts'
import { type ReplaySessionOptions, runReplay } from '../../bench/replay_session.ts'
import { silentProgress } from '../../bench/report/progress.ts'
import { ofAllTiers } from '../../bench/report/replay_schema.ts'
import { type BlockFixture, readBlockFixture } from '../../conformance/block_fixture.ts'
import { FixtureError } from '../../conformance/json_field.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import type { AllocatedAccount } from '../../host/state/memory_state.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FILE = fileURLToPath(new URL('../file/blocks/made_up.json', import.meta.url))
/** Real blocks with their pre-state, outside the project; its README names the format. */
const BLOCKS = fileURLToPath(new URL('../../../shared/data/blocks/', import.meta.url))
/** Small ones: of the first fork, of the fork that clears accounts, one of Cancun with calls, and an empty one. */
const SMALL = ['mainnet-46147', 'mainnet-2688148', 'mainnet-19426587', 'mainnet-19910734']

/** Blocks with calls, for each way to switch the tiers of the device. */
const SWITCHED = ['mainnet-19426587', 'mainnet-17034869']
const TIERS = ['laneVm', 'pathProgram', 'pathKernel', 'pathHost'] as const
const SWITCHES: Readonly<
  Record<
    string,
    {
      readonly switches: NonNullable<ReplayOptions['tiers']>
      readonly uses: readonly (typeof TIERS)[number][] | 'both'
    }
  >
> = {
  'with the lane VM alone': { switches: { paths: 'never', laneVm: 'always' }, uses: ['laneVm'] },
  'with paths alone': { switches: { laneVm: 'never' }, uses: ['pathProgram', 'pathKernel', 'pathHost'] },
  'with the lane VM before paths': { switches: { laneVm: 'always' }, uses: 'both' },
}

const HASH_KEEPER = '0x000000000000000000000000000000000000bbbb'
const COUNTER = '0x000000000000000000000000000000000000aaaa'
const OPTIONS = { samples: 1, serial: true, workers: 0 } as const

/** The block of the made-up chain after the fixture's, as one that never saw it. */
const nextBlock = (fixture: BlockFixture, change: Partial<AllocatedAccount>): BlockFixture => ({
  ...fixture,
  name: 'next',
  env: { ...fixture.env, number: 101n, timestamp: fixture.env.timestamp + 12n, baseFeePerGas: 900_000_000n },
  blockHashes: new Map([...fixture.blockHashes, [100n, `0x${'88'.repeat(32)}`]]),
  pre: { ...fixture.pre, [COUNTER]: { ...fixture.pre[COUNTER]!, ...change } },
  expected: {},
})

describe('a replay', () => {
  let device: ComputeDevice
  let replayer: Replayer
  const made = readBlockFixture(FILE)

  beforeAll(async () => {
    device = await openDevice()
    replayer = new Replayer({ ...OPTIONS, device })
  })
  afterAll(() => {
    replayer.close()
    device.destroy()
  })

  test('of the made-up block is exact, and tells tiers, gas and footprints of its transactions', async () => {
    const { replay, detail } = await replayer.block(made)
    expect(replay).toMatchObject({ block: 'made_up', verdict: 'exact', txCount: 5, gas: 194_300, postMerge: true })
    expect(replay.verification).toBe(
      'gasUsed, receiptsRoot, logsBloom of the header; every receipt and the whole state of serial @ethereumjs/vm',
    )
    expect(ofAllTiers(replay.tiers)).toBe(5)
    expect(ofAllTiers(replay.tierGas)).toBe(194_300)
    expect(replay.tierGas.transfer).toBe(21_000)
    expect(replay.samplesMs).toHaveLength(1)
    expect(replay.ratio).toBeCloseTo(replay.serialMedianMs / replay.medianMs, 10)
    expect(detail.explain.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4])
    expect(detail.changes[2]!.slots).toEqual([{ address: COUNTER, key: 0n, before: 8n, after: 9n }])
  })

  test.each([
    ['gasUsed', { gasUsed: 194_301n }, 'gasUsed is 194300, expected 194301'],
    ['receiptsRoot', { receiptsRoot: `0x${'0'.repeat(64)}` }, /^receiptsRoot is 0x[1-9a-f]/],
    ['logsBloom', { logsBloom: `0x${'0'.repeat(512)}` }, /^logsBloom is 0x0*[1-9a-f]/],
  ])('finds a header whose %s is another', async (_, wrong, message) => {
    const { replay } = await replayer.block({ ...made, expected: { ...made.expected, ...wrong } })
    expect(replay.verdict).toBe('different')
    expect(replay.verification).toMatch(message)
  })

  test('names the transaction that may not be in the block', async () => {
    const [first, ...others] = made.transactions
    const { replay } = await replayer.block({ ...made, transactions: [{ ...first!, nonce: 7n }, ...others] })
    expect(replay.verdict).toBe('different')
    expect(replay.verification).toBe('transaction 0 is rejected (nonce too high), expected included')
  })

  test('without header values and serial execution says that nothing was checked', async () => {
    const alone = new Replayer({ ...OPTIONS, serial: false, device: undefined })
    const { replay } = await alone.block({ ...made, expected: {} })
    alone.close()
    expect(replay).toMatchObject({ verdict: 'unchecked', verification: 'nothing to compare with', ratio: 0 })
  })

  test('refuses a block that asks for a block hash which its file lacks', async () => {
    const lacking = { ...made, blockHashes: new Map<bigint, string>() }
    await expect(replayer.block(lacking)).rejects.toThrow(FixtureError)
    await expect(replayer.block(lacking)).rejects.toThrow('made_up.json: blockHashes: expected the hash of block 99')
    // It is as if nothing had happened.
    expect((await replayer.block(made)).replay.verdict).toBe('exact')
  })

  test('of merged blocks equals serial execution of the same batch', async () => {
    const group = [made, nextBlock(made, { storage: { '0x0': 70n } })]
    const merged = await replayMerged(replayer, group)
    expect(merged).toMatchObject({ verdict: 'exact', txCount: 10, rejected: 0, blocks: ['made_up', 'next'] })
    // The hash keeper's slot is zero only once: its second store is cheaper than in its own block.
    expect(merged.asInOwnBlock).toBe(9)
  })

  test('of merged blocks says which block is wrong by itself', async () => {
    const wrong = { ...made, expected: { ...made.expected, gasUsed: 1n } }
    const merged = await replayMerged(replayer, [wrong, nextBlock(made, {})])
    expect(merged.verdict).toBe('different')
    expect(merged.verification).toBe('made_up by itself: gasUsed is 194300, expected 1')
  })

  test('of merged blocks runs one that is alone in its fork as it is', async () => {
    const merged = await replayMerged(replayer, [{ ...made, expected: { ...made.expected, gasUsed: 1n } }])
    expect(merged).toMatchObject({ verdict: 'different', verification: 'gasUsed is 194300, expected 1' })
    expect(merged).toMatchObject({ asInOwnBlock: 5, rejected: 0, blocks: ['made_up'] })
  })

  test('joins blocks as it says', () => {
    const next = nextBlock(made, { storage: { '0x0': 70n, '0x5': 1n }, nonce: 4n, balance: 3n })
    const { env, state, transactions } = mergeBlocks([made, next])
    expect(env).toMatchObject({ number: 101n, baseFeePerGas: 900_000_000n, gasLimit: 60_000_000n, maxBlobs: 12 })
    expect([state.storage(COUNTER, 0n), state.storage(COUNTER, 5n)]).toEqual([70n, 1n])
    expect(state.account(COUNTER)).toMatchObject({ nonce: 4n, balance: 3n })
    const sender = made.transactions[0]!.from
    expect(state.account(sender)!.balance).toBe(2n * 10n ** 18n)
    expect(transactions.filter(({ from }) => from === sender).map(({ nonce }) => nonce)).toEqual([0n, 1n, 2n, 3n])
    const other = { ...next, forkName: 'prague', fork: 'prague' } as const
    expect(mergeableBlocks([next, other, made]).map((blocks) => blocks.map(({ name }) => name))).toEqual([
      ['made_up', 'next'],
      ['next'],
    ])
  })

  describe.skipIf(!existsSync(BLOCKS))('of real blocks (skipped where ../shared/data/blocks is absent)', () => {
    test.each(SMALL)('%s is exact', async (name) => {
      const { replay } = await replayer.block(readBlockFixture(join(BLOCKS, `${name}.json.gz`)))
      expect(replay.verification).toMatch(/of the header; every receipt and the whole state/)
      expect(replay.verdict).toBe('exact')
      expect(replay.faults).toEqual([])
    })

    describe.each(Object.entries(SWITCHES))('%s', (_, { switches, uses }) => {
      let switched: Replayer
      beforeAll(() => {
        switched = new Replayer({ ...OPTIONS, device, tiers: switches })
      })
      afterAll(() => switched.close())

      test.each(SWITCHED)('%s is exact', async (name) => {
        const { replay } = await switched.block(readBlockFixture(join(BLOCKS, `${name}.json.gz`)))
        expect(replay.verdict).toBe('exact')
        expect(replay.faults).toEqual([])
        for (const tier of TIERS) {
          if (uses === 'both' || uses.includes(tier)) continue
          expect(replay.tiers[tier], tier).toBe(0)
        }
        if (uses !== 'both') expect(uses.reduce((sum, tier) => sum + replay.tiers[tier], 0)).toBeGreaterThan(0)
      })
    })
  })
})

describe('a replay session', () => {
  const session = (options: Partial<ReplaySessionOptions>) =>
    runReplay({
      ...OPTIONS,
      files: [FILE],
      adapter: 'none',
      keepPaths: false,
      merged: false,
      conflicts: false,
      progress: silentProgress,
      onBlock: () => {},
      onMerged: () => {},
      ...options,
    })

  test('runs the other blocks where one file lacks what its block asks for', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-replay-'))
    const lacking = join(folder, 'lacking.json')
    writeFileSync(lacking, JSON.stringify({ ...JSON.parse(readFileSync(FILE, 'utf8')), blockHashes: {} }))
    const report = await session({ files: [lacking, FILE] })
    expect(report.blocks.map(({ block, verdict }) => [block, verdict])).toEqual([['made_up', 'exact']])
    expect(report.notRun).toEqual([
      {
        block: 'lacking',
        cause: 'file',
        reason: `${lacking}: blockHashes: expected the hash of block 99, which BLOCKHASH asks for`,
      },
    ])
  })

  test('runs nothing where a file is malformed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-replay-'))
    const bad = join(folder, 'bad.json')
    writeFileSync(bad, '{}')
    let done = 0
    const running = session({ files: [FILE, bad], onBlock: () => done++ })
    await expect(running).rejects.toThrow("bad.json: schema: expected 'evm-block-fixture/1', got nothing")
    expect(done).toBe(0)
  })

  test('maps the contracts of its blocks', async () => {
    const { conflicts } = await session({ conflicts: true })
    expect(conflicts).toEqual({
      contracts: [COUNTER, HASH_KEEPER],
      transactions: [2, 1],
      // Each of the two counter calls reads and changes the slot that the other one changes.
      counts: [2, 0, 0, 0],
      leftOut: { contracts: 0, transactions: 0 },
      blocks: 1,
    })
  })
})

describe('wgevm replay', () => {
  const LOADER = join(ROOT, 'node_modules/tsx/dist/loader.mjs')
  const REPLAY = ['--import', LOADER, join(ROOT, 'cli/main.ts'), 'replay']

  const wgevm = async (...options: string[]): Promise<{ code: number; out: string; err: string }> => {
    const command = [...REPLAY, ...options]
    try {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, command, { cwd: ROOT })
      return { code: 0, out: stdout, err: stderr }
    } catch (thrown) {
      const { code, stdout, stderr } = thrown as { code: number; stdout: string; stderr: string }
      return { code, out: stdout, err: stderr }
    }
  }

  test('ends with 1 where a block differs, and still writes what was measured', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-replay-'))
    const json = JSON.parse(readFileSync(FILE, 'utf8'))
    json.expected.gasUsed = '0x1'
    writeFileSync(join(folder, 'wrong.json'), JSON.stringify(json))
    const result = join(folder, 'result')
    const { code, out } = await wgevm(
      folder,
      '--adapter',
      'none',
      '--samples',
      '1',
      '--no-paths',
      '--json',
      result,
      '--explain',
    )
    expect(code).toBe(1)
    expect(out).toContain('DIFFERENT wrong: gasUsed is 194300, expected 1')
    expect(out).toMatch(/wrong: tier, path, rounds.*\n +0 {2}transfer/)
    expect(JSON.parse(readFileSync(result, 'utf8')).blocks[0]).toMatchObject({ block: 'wrong', verdict: 'different' })
  })

  test('that is interrupted ends at once, with 130 for a shell, has said what was done, and writes nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-replay-'))
    for (let i = 0; i < 60; i++) writeFileSync(join(folder, `block-${i}.json`), readFileSync(FILE))
    const options = [folder, '--adapter', 'none', '--samples', '1', '--no-paths', '--json', join(folder, 'result')]
    // The terminal interrupts all that runs in it; this shell goes on.
    const shell = ['-c', 'trap : INT; "$@"; echo "code $?"', 'sh', process.execPath, ...REPLAY, ...options]
    const child = spawn('sh', shell, { cwd: ROOT, detached: true })
    let out = ''
    child.stdout.on('data', (text) => {
      if (out === '') process.kill(-child.pid!, 'SIGINT')
      out += text
    })
    await new Promise((resolve) => child.once('close', resolve))
    expect(out).toMatch(/\ncode 130\n$/)
    expect(out).toMatch(/^block-0: exact, .* times serial @ethereumjs\/vm$/m)
    expect(readdirSync(folder)).toHaveLength(60)
  }, 60_000)

  test('ends with 11 and one line where a file is malformed, and writes nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-replay-'))
    writeFileSync(join(folder, 'bad.json'), '{"schema":"evm-block-fixture/1"}')
    const { code, out, err } = await wgevm(folder, '--json', join(folder, 'r'), '--report', join(folder, 'r.html'))
    expect([code, out]).toEqual([11, ''])
    expect(err).toBe(`wgevm: ${join(folder, 'bad.json')}: chain: expected a string, got nothing\n`)
    expect(readdirSync(folder)).toEqual(['bad.json'])
  })

  test('ends with 2 where its options do not fit, before it reads a file', async () => {
    const { code, err } = await wgevm('/no/such/file', '--merged', '--no-serial')
    expect(code).toBe(2)
    expect(err).toBe('wgevm: --merged is checked against serial execution alone: leave out --no-serial\n')
  })
})
