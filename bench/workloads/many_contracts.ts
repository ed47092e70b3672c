import { addressFromHex, wordFromBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import { selector } from '../contracts/abi.ts'
import { Deployment, type Program } from '../contracts/deployment.ts'
import { type CompiledContract, compiledContract } from '../contracts/solidity.ts'
import { VARIANTS as CONTRACTS, VARIANTS_FILE, variants } from '../contracts/variants.ts'
import { createRandom, permutation } from '../random.ts'
import { BatchWriter } from './batch_writer.ts'
import { Genesis, mappingKeys, repeatWord, strangers } from './genesis.ts'
import { COINBASE, type Scenario, WEALTH, WORKLOAD_CHAIN_ID, type Workload, workloadEnvironment } from './workload.ts'

const TURN = selector('turn(uint256)')
const FIRST_VALUE = 1n
const GAS_LIMIT = 120_000

type Order = (contracts: Uint32Array, turn: Uint32Array) => Uint32Array

/**
 * Each sender calls one of 64 contracts of different code and length, as many senders each; all lanes of one block in
 * the order that `order` gives. Both orders have the same transactions.
 */
const calls = (name: string, title: string, order: Order): Workload => ({
  name,
  title,
  shares: 'nothing',
  build: async ({ fork, size, seed, people = strangers }): Promise<Scenario> => {
    const random = createRandom(seed, 'many-contracts')
    const contracts = variants().map((variant) => ({ ...variant, ...compiledContract(VARIANTS_FILE, variant.name) }))
    const programs = await deployed(fork, contracts)
    const senders = people(size, size, random)
    const contractOf = Uint32Array.from({ length: size }, (_, i) => i % CONTRACTS)
    const targets = new Uint32Array(5 * CONTRACTS)
    for (let n = 0; n < CONTRACTS; n++) addressFromHex(targets, 5 * n, programs[n]!.address)
    const cells = new Uint32Array(5 * size)
    for (let i = 0; i < size; i++) cells.set(targets.subarray(5 * contractOf[i]!, 5 * contractOf[i]! + 5), 5 * i)
    const expected = {
      count: size,
      addresses: cells,
      keys: mappingKeys(senders, size, 0),
      values: repeatWord(FIRST_VALUE, size),
    }
    const genesis = new Genesis()
    genesis.accounts(senders, size, WEALTH)
    genesis.account(COINBASE, 10n ** 18n)
    for (const program of programs) genesis.program(program)
    genesis.slots(expected)

    let index = 0
    return {
      fork,
      chainId: WORKLOAD_CHAIN_ID,
      genesis: genesis.writes(),
      programs: [`${CONTRACTS} contracts of different code (${contracts[0]!.compiler})`],
      notes: [],
      next: () => {
        const writer = new BatchWriter(size, 36, random)
        const arguments_ = Uint32Array.from({ length: size }, () => random.u32())
        for (const i of order(contractOf, permutation(size, random))) {
          const contract = contractOf[i]!
          const x = arguments_[i]!
          writer.begin(senders, 5 * i, targets, 5 * contract, index, GAS_LIMIT)
          writer.selector(TURN)
          writer.number(x)
          const value = contracts[contract]!.turn(wordToBigInt(expected.values, 8 * i), BigInt(x))
          wordFromBigInt(expected.values, 8 * i, value)
        }
        const env = workloadEnvironment(seed, index++, writer)
        return { env, transactions: writer.finish(), expected }
      },
    }
  },
})

const deployed = async (
  fork: Scenario['fork'],
  contracts: readonly CompiledContract[],
): Promise<readonly Program[]> => {
  const chain = await Deployment.create(fork, 'many-contracts')
  const programs: Program[] = []
  for (const [n, { creation }] of contracts.entries())
    programs.push(await chain.program(await chain.deploy(creation), `variant ${n}`))
  return programs
}

export const manyContracts = calls(
  'many-contracts',
  `calls of ${CONTRACTS} contracts of different code, in random order`,
  (_, drawn) => drawn,
)

export const manyContractsSorted = calls(
  'many-contracts-sorted',
  'the same calls, sorted by contract',
  (contracts, drawn) => drawn.slice().sort((a, b) => contracts[a]! - contracts[b]! || a - b),
)
