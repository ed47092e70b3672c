import type { Fork } from '../../transpiler/spec/forks.ts'
import { selector } from '../contracts/abi.ts'
import { openZeppelinToken, type Token, usdcProxy, usdt } from '../contracts/tokens.ts'
import { createRandom } from '../random.ts'
import { BatchWriter } from './batch_writer.ts'
import { Genesis, repeatAddress, strangers } from './genesis.ts'
import { TokenLedger } from './token_ledger.ts'
import {
  hotRecipientTraffic,
  hotSenderTraffic,
  independentTraffic,
  type TrafficPattern,
  zipfTraffic,
} from './traffic.ts'
import {
  COINBASE,
  type Scenario,
  type Sharing,
  WEALTH,
  WORKLOAD_CHAIN_ID,
  type Workload,
  workloadEnvironment,
} from './workload.ts'

const TRANSFER = selector('transfer(address,uint256)')

interface TokenPayments {
  readonly name: string
  readonly title: string
  readonly token: (fork: Fork) => Promise<Token>
  readonly pattern: TrafficPattern
  readonly shares: Sharing
  readonly kernels?: 'never'
}

/** Calls of `transfer` on one token, paid between the people of a traffic pattern. */
const tokenPayments = ({ name, title, token: load, pattern, shares, kernels }: TokenPayments): Workload => ({
  name,
  title,
  shares,
  ...(kernels === undefined ? {} : { kernels }),
  build: async ({ fork, size, seed, blocks, people = strangers }): Promise<Scenario> => {
    const random = createRandom(seed, name)
    const token = await load(fork)
    const traffic = pattern(size, blocks, random)
    const addresses = people(traffic.people, traffic.senders, random)
    const ledger = new TokenLedger(token, addresses, traffic.funded)
    const genesis = new Genesis()
    genesis.accounts(addresses, traffic.senders, WEALTH)
    genesis.account(COINBASE, 10n ** 18n)
    for (const program of token.programs) genesis.program(program)
    ledger.install(genesis)

    const contract = repeatAddress(token.address, 1)
    const nonces = new Uint32Array(traffic.senders)
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
        for (let i = 0; i < size; i++) {
          const payer = from[i]!
          const payee = to[i]!
          const amount = 1 + random.below(1_000_000)
          writer.begin(addresses, 5 * payer, contract, 0, nonces[payer]!++, token.transferGasLimit)
          writer.selector(TRANSFER)
          writer.address(addresses, 5 * payee)
          writer.number(amount)
          ledger.debit(payer, amount)
          ledger.credit(payee, amount)
        }
        const env = workloadEnvironment(seed, index++, writer)
        return { env, transactions: writer.finish(), expected: ledger.expected }
      },
    }
  },
})

export const erc20 = tokenPayments({
  name: 'erc20',
  title: 'ERC-20 transfers (OpenZeppelin 5), independent; a tenth reach a new holder',
  token: openZeppelinToken,
  pattern: independentTraffic,
  shares: 'nothing',
})

export const erc20Program = tokenPayments({
  name: 'erc20-program',
  title: 'the same as a path program, without a kernel of their own',
  token: openZeppelinToken,
  pattern: independentTraffic,
  shares: 'nothing',
  kernels: 'never',
})

export const erc20HotSender = tokenPayments({
  name: 'erc20-hot-sender',
  title: 'ERC-20 transfers, all from one holder (an airdrop)',
  token: openZeppelinToken,
  pattern: hotSenderTraffic,
  shares: 'slots',
})

export const erc20HotRecipient = tokenPayments({
  name: 'erc20-hot-recipient',
  title: 'ERC-20 transfers, all to one holder (deposits to an exchange)',
  token: openZeppelinToken,
  pattern: hotRecipientTraffic,
  shares: 'slots',
})

export const erc20Zipf = tokenPayments({
  name: 'erc20-zipf',
  title: "ERC-20 transfers, payers and payees by Zipf's law",
  token: openZeppelinToken,
  pattern: zipfTraffic,
  shares: 'slots',
})

export const usdtTransfers = tokenPayments({
  name: 'usdt',
  title: 'transfers of USDT, independent',
  token: usdt,
  pattern: independentTraffic,
  shares: 'nothing',
})

export const usdcTransfers = tokenPayments({
  name: 'usdc-proxy',
  title: 'transfers of USDC through its delegating proxy, independent',
  token: usdcProxy,
  pattern: independentTraffic,
  shares: 'nothing',
})
