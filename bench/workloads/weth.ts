import { addressFromHex } from '../../host/primitives/word.ts'
import { selector } from '../contracts/abi.ts'
import { weth9 } from '../contracts/tokens.ts'
import { createRandom } from '../random.ts'
import { BatchWriter } from './batch_writer.ts'
import { Genesis, repeatAddress, strangers } from './genesis.ts'
import { TokenLedger } from './token_ledger.ts'
import { independentTraffic } from './traffic.ts'
import { COINBASE, type Scenario, WEALTH, WORKLOAD_CHAIN_ID, type Workload, workloadEnvironment } from './workload.ts'

const TRANSFER = selector('transfer(address,uint256)')
const DEPOSIT = selector('deposit()')
const WITHDRAW = selector('withdraw(uint256)')

/**
 * Of ten transactions six transfer, three deposit and one withdraws; a withdrawal pays ether from inside the contract.
 */
export const weth: Workload = {
  name: 'weth',
  title: 'WETH9: 60 % transfers, 30 % deposits, 10 % withdrawals, independent',
  shares: 'account',
  build: async ({ fork, size, seed, blocks, people = strangers }): Promise<Scenario> => {
    const random = createRandom(seed, 'weth')
    const token = await weth9(fork)
    const traffic = independentTraffic(size, blocks, random)
    const addresses = people(traffic.people, traffic.senders, random)
    const ledger = new TokenLedger(token, addresses, traffic.funded)
    const genesis = new Genesis()
    genesis.accounts(addresses, traffic.senders, WEALTH)
    genesis.account(COINBASE, 10n ** 18n)
    for (const program of token.programs) genesis.program(program, BigInt(traffic.funded) * token.initialBalance)
    ledger.install(genesis)

    const contract = repeatAddress(token.address, 1)
    const from = new Uint32Array(size)
    const to = new Uint32Array(size)
    let index = 0
    return {
      fork,
      chainId: WORKLOAD_CHAIN_ID,
      genesis: genesis.writes(),
      programs: token.programs.map((program) => program.origin),
      notes: [],
      next: () => {
        traffic.pairs(from, to)
        const writer = new BatchWriter(size, 68, random)
        const withdrawals: number[] = []
        const amounts: bigint[] = []
        for (let i = 0; i < size; i++) {
          const holder = from[i]!
          const amount = 1 + random.below(1_000_000)
          const kind = random.below(10)
          writer.begin(addresses, 5 * holder, contract, 0, index, token.transferGasLimit)
          if (kind < 6) {
            writer.selector(TRANSFER)
            writer.address(addresses, 5 * to[i]!)
            writer.number(amount)
            ledger.credit(to[i]!, amount)
          } else if (kind < 9) {
            writer.value(amount)
            writer.selector(DEPOSIT)
            ledger.credit(holder, amount)
            continue
          } else {
            writer.selector(WITHDRAW)
            writer.number(amount)
            withdrawals.push(holder)
            amounts.push(BigInt(amount))
          }
          ledger.debit(holder, amount)
        }
        const internal = new Uint32Array(10 * withdrawals.length)
        withdrawals.forEach((holder, i) => {
          addressFromHex(internal, 10 * i, token.address)
          internal.set(addresses.subarray(5 * holder, 5 * holder + 5), 10 * i + 5)
        })
        const env = workloadEnvironment(seed, index++, writer)
        const internalTransfers = { addresses: internal, amounts }
        return { env, transactions: writer.finish(), expected: ledger.expected, internalTransfers }
      },
    }
  },
}
