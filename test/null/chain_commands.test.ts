import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { exitCodeOf, failureText } from '../../cli/fail.ts'
import { runCommand } from '../../cli/run_command.ts'
import { decodeBlock } from '../../host/index.ts'
import { builtBlocks, builtGenesis } from '../fixtures/built_chain.ts'
import { rpcCompat } from '../fixtures/rpc_compat.ts'

const COMPAT = rpcCompat()

const folder = mkdtempSync(join(tmpdir(), 'wgevm-chain-commands-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)

/** What a command prints, or its exit code and line. */
const run = async (...argv: string[]): Promise<string> => {
  const written: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0)
  try {
    await runCommand(argv)
    return written.join('')
  } catch (thrown) {
    return `${exitCodeOf(thrown)}: ${failureText(thrown, false).replaceAll(folder, 'F')}`
  } finally {
    spy.mockRestore()
  }
}

describe('the commands of a chain in a folder', () => {
  let blocks: readonly Uint8Array[]
  const data = ['--data', at('data')]
  beforeAll(async () => {
    blocks = await builtBlocks(4, 3)
    writeFileSync(at('genesis.json'), builtGenesis())
    writeFileSync(at('chain.rlp'), Buffer.concat(blocks))
  })

  test('begin it, import, show, verify and export it, and import again what is missing', async () => {
    expect(await run('import', at('chain.rlp'), ...data)).toMatch(/^2: wgevm: F\/data: there is no such folder$/)
    const begun = await run('init', '--genesis', at('genesis.json'), ...data)
    expect(begun).toMatch(/^chain {4}1\ngenesis {2}0x[0-9a-f]{64}\nroot {5}0x[0-9a-f]{64}\n$/)
    expect(await run('init', '--genesis', at('genesis.json'), ...data)).toBe(begun)
    writeFileSync(at('first.rlp'), Buffer.concat(blocks.slice(0, 2)))
    expect(await run('import', at('first.rlp'), ...data, '--adapter', 'none')).toMatch(/^imported 2 blocks, \d+ trans/)
    const imported = await run('import', at('chain.rlp'), ...data, '--adapter', 'none')
    expect(imported).toMatch(/^imported 2 blocks, \d+ transactions in [\d.]+ s, 2 were there\nhead {5}4 0x/)
    const { stateRoot, timestamp } = decodeBlock(blocks[3]!).header
    const shown = JSON.parse(await run('chain', '--json', ...data)) as Record<string, Record<string, unknown>>
    expect(shown['head']).toMatchObject({ number: '4', stateRoot, timestamp: `${timestamp}`, fork: 'osaka' })
    expect(shown['counts']).toMatchObject({ blocks: 5, undo: 4 })
    expect(await run('chain', ...data)).toContain(`root     ${stateRoot}\n`)
    expect(await run('verify-state', '--blocks', ...data)).toMatch(
      new RegExp(`^root {5}${stateRoot} of \\d+ accounts, \\d+ slots: that of block 4\nblocks {3}0 to 4: `),
    )
    expect(await run('export', at('out.rlp'), ...data)).toBe('exported 4 blocks, 1 to 4\n')
    expect(readFileSync(at('out.rlp')).equals(readFileSync(at('chain.rlp')))).toBe(true)
    // With block 0, as geth exports it.
    await run('export', at('all.rlp'), '--from', '0', ...data)
    expect(await run('import', at('all.rlp'), ...data, '--adapter', 'none')).toContain('0 transactions')
  })

  test.skipIf(COMPAT === undefined)(
    'import blocks with a seal only where it is said that it is taken as given',
    async () => {
      const old = ['--data', at('old')]
      writeFileSync(at('old.json'), COMPAT!.genesis)
      writeFileSync(at('old.rlp'), COMPAT!.blocks()[0]!)
      await run('init', '--genesis', at('old.json'), ...old)
      expect(await run('import', at('old.rlp'), ...old, '--adapter', 'none')).toMatch(
        /^1: wgevm: F\/old.rlp: block 1 has a seal of proof of work, which is not verified here: --no-verify-seal takes it/,
      )
      const taken = await run('import', at('old.rlp'), ...old, '--adapter', 'none', '--no-verify-seal')
      expect(taken).toMatch(/^imported 1 blocks/)
    },
  )

  test('show a time that is no date as its seconds', async () => {
    const late = ['--data', at('late')]
    for (const [timestamp, shown] of [
      [8_640_000_000_000n, '+275760-09-13T00:00:00.000Z'],
      [8_640_000_000_001n, '8640000000001'],
    ] as const) {
      writeFileSync(at('late.json'), builtGenesis().replace('0x65539100', `0x${timestamp.toString(16)}`))
      await run('init', '--genesis', at('late.json'), ...late)
      expect(await run('chain', ...late)).toContain(`time     ${shown}, osaka\n`)
      rmSync(at('late'), { recursive: true })
    }
  })

  test('say in one line what is wrong, with the exit code of its kind, and leave nothing half-written', async () => {
    const bad = ['--data', at('bad')]
    await run('init', '--genesis', at('genesis.json'), ...bad)
    const wrong = [...blocks]
    wrong[2] = Uint8Array.from(wrong[2]!)
    wrong[2]![400] = wrong[2]![400]! ^ 1
    writeFileSync(at('wrong.rlp'), Buffer.concat(wrong))
    writeFileSync(at('cut.rlp'), Buffer.concat(blocks).subarray(0, -3))
    writeFileSync(at('text.rlp'), 'no blocks')
    writeFileSync(at('list.rlp'), Uint8Array.of(0xc1, 0x80))
    writeFileSync(at('wrong.json'), '{"config": {"chainId": 1, "shanghaiTime": 0}}')
    writeFileSync(at('text.json'), 'no JSON')
    mkdirSync(at('empty'))
    const rows: readonly (readonly [string[], RegExp])[] = [
      [
        ['import', at('wrong.rlp'), ...bad, '--adapter', 'none'],
        /^1: wgevm: F\/wrong.rlp: block 3: .*; the head is block 2$/,
      ],
      [
        ['import', at('cut.rlp'), ...bad, '--adapter', 'none'],
        /^11: wgevm: F\/cut.rlp: byte \d+: the file ends within a block/,
      ],
      [['import', at('text.rlp'), ...bad, '--adapter', 'none'], /^11: wgevm: F\/text.rlp: byte 0: no RLP of a block/],
      [
        ['import', at('list.rlp'), ...bad, '--adapter', 'none'],
        /^1: wgevm: F\/list.rlp: block 4: block: 1 parts, expected/,
      ],
      [['import', at('none.rlp'), ...bad], /^11: wgevm: F\/none.rlp: cannot be read \(ENOENT\)$/],
      [['import', folder, ...bad], /^11: wgevm: F: is no file$/],
      [['import', at('chain.rlp'), ...bad, '--undo', '-1'], /^2: wgevm: --undo takes a whole number from 0 to/],
      [['import', at('chain.rlp')], /^2: wgevm: Missing required argument: data/],
      [['import', at('chain.rlp'), '--data', at('empty')], /^2: wgevm: F\/empty: holds no chain yet/],
      [['init', '--genesis', at('none.json'), ...bad], /^11: wgevm: F\/none.json: cannot be read \(ENOENT\)$/],
      [['init', '--genesis', at('text.json'), ...bad], /^11: wgevm: F\/text.json: genesis is not JSON/],
      [
        ['init', '--genesis', at('wrong.json'), ...bad],
        /^11: wgevm: F\/wrong.json: config.terminalTotalDifficulty must be/,
      ],
      [
        ['init', '--genesis', at('genesis.json'), '--data', at('chain.rlp')],
        /^2: wgevm: F\/chain.rlp: is a file, expected/,
      ],
      [['export', at('none/out.rlp'), ...bad], /^2: wgevm: F\/none\/out.rlp: there is no folder F\/none$/],
      [['export', at('out2.rlp'), ...bad, '--from', '9'], /^2: wgevm: --from 9 is above the last block, 3$/],
      [['chain', '--data', at('none')], /^2: wgevm: F\/none: there is no such folder$/],
      [['verify-state', '--data', at('empty')], /^2: wgevm: F\/empty: holds no chain yet: begin one with wgevm init$/],
    ]
    for (const [argv, line] of rows) expect(await run(...argv), argv.join(' ')).toMatch(line)
    expect(await run('verify-state', '--blocks', ...bad)).toContain('that of block 3')
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})
