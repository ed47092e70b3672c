import { wordFromBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import { selector } from '../contracts/abi.ts'
import { Deployment } from '../contracts/deployment.ts'
import { compiledContract } from '../contracts/solidity.ts'
import { createRandom } from '../random.ts'
import { BatchWriter } from './batch_writer.ts'
import { countedKeys, Genesis, repeatAddress, repeatWord, strangers } from './genesis.ts'
import { COINBASE, type Scenario, WEALTH, WORKLOAD_CHAIN_ID, type Workload, workloadEnvironment } from './workload.ts'

const TURN = selector('turn(uint256,uint256)')
const MULTIPLIER = 6364136223846793005n
const FIRST_VALUE = 1n

/** Share of transactions, in percent, that turn the shared cell. */
export const CONFLICT_RATES = [0, 10, 35, 50, 90] as const

/**
 * Each transaction turns one cell of Cells.sol: `rate` % of them, spread evenly, the shared cell 0, the others a
 * cell of their own. Only calls on cell 0 meet, and their results depend on their order. Measured by access sets, the
 * share of transactions that read what an earlier one wrote is therefore `rate` % less the first.
 */
const conflicts = (rate: number): Workload => ({
  name: `conflict-${rate}`,
  title: `${rate} % of the transactions update one shared slot, the others a slot of their own`,
  shares: rate === 0 ? 'nothing' : 'slots',
  build: async ({ fork, size, seed, people = strangers }): Promise<Scenario> => {
    const random = createRandom(seed, `conflict-${rate}`)
    const chain = await Deployment.create(fork, 'cells')
    const { creation, compiler } = compiledContract('Cells.sol', 'Cells')
    const program = await chain.program(await chain.deploy(creation), `bench/contracts/sources/Cells.sol (${compiler})`)
    const addresses = people(size, size, random)
    const cells = size + 1
    const expected = {
      count: cells,
      addresses: repeatAddress(program.address, cells),
      keys: countedKeys(0, cells, 0),
      values: repeatWord(FIRST_VALUE, cells),
    }
    const genesis = new Genesis()
    genesis.accounts(addresses, size, WEALTH)
    genesis.account(COINBASE, 10n ** 18n)
    genesis.program(program)
    genesis.slots(expected)

    const contract = repeatAddress(program.address, 1)
    let index = 0
    return {
      fork,
      chainId: WORKLOAD_CHAIN_ID,
      genesis: genesis.writes(),
      programs: [program.origin],
      notes: [],
      next: () => {
        const writer = new BatchWriter(size, 68, random)
        const shared = Math.round((size * rate) / 100)
        for (let i = 0; i < size; i++) {
          const cell = turnsShared(i, size, shared) ? 0 : i + 1
          const x = random.u32()
          writer.begin(addresses, 5 * i, contract, 0, index, 60_000)
          writer.selector(TURN)
          writer.number(cell)
          writer.number(x)
          const value = wordToBigInt(expected.values, 8 * cell) * MULTIPLIER + BigInt(x)
          wordFromBigInt(expected.values, 8 * cell, BigInt.asUintN(256, value))
        }
        const env = workloadEnvironment(seed, index++, writer)
        return { env, transactions: writer.finish(), expected }
      },
    }
  },
})

/** Spreads `shared` of `size` places evenly (Bresenham), so the rate holds in every stretch of the block. */
const turnsShared = (i: number, size: number, shared: number): boolean =>
  Math.floor(((i + 1) * shared) / size) !== Math.floor((i * shared) / size)

export const conflictWorkloads: readonly Workload[] = CONFLICT_RATES.map(conflicts)
