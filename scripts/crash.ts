import { builtBranches } from '../test/fixtures/block_tree.ts'
import { buildingRounds } from '../test/fixtures/building_rounds.ts'
import { builtGenesis } from '../test/fixtures/built_chain.ts'
import { crashRounds } from '../test/fixtures/crash_rounds.ts'
import { rpcCompat } from '../test/fixtures/rpc_compat.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Kills a process that imports a chain, goes over to a branch, and goes back, at random moments, many more times than a
 * test has time for. `--wide`: blocks that change more than 5,000 accounts each, whose rows are written in parts. Ends
 * with 1 where a folder was not whole after a kill, or the import does not end where it should.
 */
const USAGE = 'npm run crash -- [--count kills = 1000, of --build 100] [--seed first = time] [--build blocks] [--wide]'

const TEXT = { type: 'string' } as const
const MOST = 2 ** 31 - 1
/** Accounts that a wide block changes beside those of its transactions. */
const WITHDRAWALS = 5000
/** About what the import of a wide block takes, or a move over a few. */
const MOST_WIDE_DELAY_MS = 1500
const options = new ScriptOptions('crash', USAGE)
const values = options.parse({ count: TEXT, seed: TEXT, build: TEXT, wide: { type: 'boolean' } })
const built = values.build === undefined ? undefined : options.whole('build', values.build, 1, MOST)
const count = options.whole('count', values.count ?? (built === undefined ? '1000' : '100'), 0, MOST)
const seed = options.whole('seed', values.seed ?? String(Math.floor(Date.now() / 1000)), 0, MOST)

const crashBuilding = async (blocks: number): Promise<void> => {
  console.log(`${blocks} blocks that are built: ${count} kills, seed ${seed}`)
  try {
    const onKill = (kill: number, head: number): void => {
      if ((kill + 1) % 10 === 0) console.log(`  ${kill + 1} kills, the head is block ${head}`)
    }
    const { heads, stateRoot } = await buildingRounds({ blocks, kills: count, seed, onKill })
    const text = `after ${heads.length} kills, at ${new Set(heads).size} different heads`
    console.log(`  ${text}, the root of block ${blocks} is that of the chain in memory: ${stateRoot}`)
  } catch (thrown) {
    console.error(`crash: ${blocks} blocks, seed ${seed}: ${(thrown as Error).message}`)
    process.exit(1)
  }
}

const wideChain = async () => ({
  name: 'wide blocks',
  genesis: builtGenesis(),
  ...(await builtBranches(4, seed, WITHDRAWALS)),
  mostChanges: 5,
  mostDelayMs: MOST_WIDE_DELAY_MS,
  count,
})

const crashImports = async (): Promise<void> => {
  const compat = values.wide === true ? undefined : rpcCompat()
  const half = Math.ceil(count / 2)
  const chains = [
    values.wide === true
      ? await wideChain()
      : {
          name: 'built blocks',
          genesis: builtGenesis(),
          ...(await builtBranches(30, seed)),
          mostChanges: 120,
          count: compat === undefined ? count : half,
        },
    ...(compat === undefined
      ? []
      : [
          {
            name: 'the chain of execution-apis',
            genesis: compat.genesis,
            blocks: compat.blocks(),
            branch: [],
            mostChanges: 120,
            count: count - half,
          },
        ]),
  ]
  for (const { name, ...chain } of chains) {
    const tally = new Map<bigint, number>()
    console.log(`${name}: ${chain.count} kills, seed ${seed}`)
    try {
      await crashRounds({
        ...chain,
        seed,
        onRound: (round, head) => {
          tally.set(head, (tally.get(head) ?? 0) + 1)
          if ((round + 1) % (values.wide === true ? 5 : 25) === 0)
            console.log(`  ${round + 1} kills, at ${tally.size} different heads`)
        },
      })
    } catch (thrown) {
      console.error(`crash: ${name}, seed ${seed}: ${(thrown as Error).message}`)
      process.exit(1)
    }
    if (chain.count > 3 && tally.size < 2) {
      console.error(`crash: ${name}, seed ${seed}: no process was killed at work`)
      process.exit(1)
    }
    console.log(`  whole after each of ${chain.count} kills, at ${tally.size} different heads`)
  }
}

if (built === undefined) await crashImports()
else await crashBuilding(built)
