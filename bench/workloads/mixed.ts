import { createHash } from 'node:crypto'
import { wordFromBytes } from '../../host/primitives/word.ts'
import { selector } from '../contracts/abi.ts'
import { Deployment } from '../contracts/deployment.ts'
import { compiledContract } from '../contracts/solidity.ts'
import { openZeppelinToken } from '../contracts/tokens.ts'
import { deployUniswapV2 } from '../contracts/uniswap_v2.ts'
import { createRandom, permutation } from '../random.ts'
import { BatchWriter } from './batch_writer.ts'
import { Genesis, joinColumns, mappingKeys, repeatAddress, strangers } from './genesis.ts'
import { SwapMarket } from './swap_market.ts'
import { TokenLedger } from './token_ledger.ts'
import { independentTraffic } from './traffic.ts'
import { SMALLEST_SWAP } from './uniswap.ts'
import {
  COINBASE,
  FIRST_TIMESTAMP,
  type Scenario,
  WEALTH,
  WORKLOAD_CHAIN_ID,
  type Workload,
  workloadEnvironment,
} from './workload.ts'

const TRANSFER = selector('transfer(address,uint256)')
const SPAWN = selector('spawn(uint256)')
const DIGEST = selector('digest(uint256)')

/** Creates a contract whose code is one STOP. */
const SMALL_CONTRACT = Uint8Array.from(Buffer.from('6001600c60003960016000f300', 'hex'))

const KINDS = ['transfer', 'token', 'swap', 'serial'] as const

/** How many of `size` transactions are of each kind; what rounding leaves over are transfers. */
const shares = (size: number) => {
  const token = Math.round(size * 0.3)
  const swap = Math.round(size * 0.05)
  const serial = Math.round(size * 0.05)
  return { transfer: size - token - swap - serial, token, swap, serial }
}

/** The number of the kind of each transaction, before they are mixed. */
const kindsByPlace = (share: Readonly<Record<(typeof KINDS)[number], number>>, size: number): Uint8Array => {
  const kinds = new Uint8Array(size)
  KINDS.reduce((at, kind, number) => {
    kinds.fill(number, at, at + share[kind])
    return at + share[kind]
  }, 0)
  return kinds
}

/** The slots in which a contract keeps a digest for each of `count` callers. */
const emptyDigests = (contract: Parameters<typeof repeatAddress>[0], callers: Uint32Array, count: number) => ({
  count,
  addresses: repeatAddress(contract, count),
  keys: mappingKeys(callers, count, 0),
  values: new Uint32Array(8 * count),
})

/** A rollup's block: payments first of all, some trade, and a little of what only the serial tier can do. */
export const mixed: Workload = {
  name: 'mixed',
  title: '60 % transfers, 30 % ERC-20, 5 % Uniswap V2 swaps, 5 % creations and precompiles (serial tier)',
  shares: 'account',
  build: async ({ fork, size, seed, blocks, people = strangers }): Promise<Scenario> => {
    const random = createRandom(seed, 'mixed')
    const share = shares(size)
    const ether = independentTraffic(share.transfer, blocks, random)
    const payers = people(ether.people, ether.senders, random)
    const token = await openZeppelinToken(fork)
    const tokens = independentTraffic(share.token, blocks, random)
    const holders = people(tokens.people, tokens.senders, random)
    const ledger = new TokenLedger(token, holders, tokens.funded)
    const traders = people(share.swap, share.swap, random)
    const market = new SwapMarket(await deployUniswapV2(fork), traders, Math.max(1, share.swap), random)
    const chain = await Deployment.create(fork, 'creator')
    const { creation, compiler } = compiledContract('Creator.sol', 'Creator')
    const origin = `bench/contracts/sources/Creator.sol (${compiler})`
    const creator = await chain.program(await chain.deploy(creation), origin)
    const builders = people(share.serial, share.serial, random)
    const digests = emptyDigests(creator.address, builders, share.serial)

    const genesis = new Genesis()
    genesis.accounts(payers, ether.funded, WEALTH)
    genesis.accounts(holders, tokens.senders, WEALTH)
    genesis.accounts(traders, share.swap, WEALTH)
    genesis.accounts(builders, share.serial, WEALTH)
    genesis.account(COINBASE, 10n ** 18n)
    for (const program of [...token.programs, creator]) genesis.program(program)
    ledger.install(genesis)
    market.install(genesis)

    const tokenAddress = repeatAddress(token.address, 1)
    const creatorAddress = repeatAddress(creator.address, 1)
    const etherFrom = new Uint32Array(share.transfer)
    const etherTo = new Uint32Array(share.transfer)
    const tokenFrom = new Uint32Array(share.token)
    const tokenTo = new Uint32Array(share.token)
    const kinds = kindsByPlace(share, size)

    const writeTransfer = (writer: BatchWriter, i: number, nonce: number) => {
      writer.begin(payers, 5 * etherFrom[i]!, payers, 5 * etherTo[i]!, nonce, 21_000)
      writer.value(1 + random.below(1_000_000_000))
    }
    const writeToken = (writer: BatchWriter, i: number, nonce: number) => {
      const amount = 1 + random.below(1_000_000)
      writer.begin(holders, 5 * tokenFrom[i]!, tokenAddress, 0, nonce, token.transferGasLimit)
      writer.selector(TRANSFER)
      writer.address(holders, 5 * tokenTo[i]!)
      writer.number(amount)
      ledger.debit(tokenFrom[i]!, amount)
      ledger.credit(tokenTo[i]!, amount)
    }
    const writeSerial = (writer: BatchWriter, i: number, nonce: number) => {
      if (i % 3 === 0) {
        writer.begin(builders, 5 * i, undefined, 0, nonce, 100_000)
        writer.bytes(SMALL_CONTRACT)
        return
      }
      const x = random.u32()
      writer.begin(builders, 5 * i, creatorAddress, 0, nonce, i % 3 === 1 ? 300_000 : 80_000)
      writer.selector(i % 3 === 1 ? SPAWN : DIGEST)
      writer.number(x)
      if (i % 3 === 2) wordFromBytes(digests.values, 8 * i, sha256OfNumber(x), 0)
    }

    let index = 0
    return {
      fork,
      chainId: WORKLOAD_CHAIN_ID,
      genesis: genesis.writes(),
      programs: [...token.programs, ...market.programs, creator].map((program) => program.origin),
      notes: [`${market.poolCount} pools; serial tier: a third each of creations, CREATE2 inside a call, SHA-256`],
      next: () => {
        ether.pairs(etherFrom, etherTo)
        tokens.pairs(tokenFrom, tokenTo)
        const writer = new BatchWriter(size, 80, random)
        const timestamp = Number(FIRST_TIMESTAMP) + 12 * index
        const written = [0, 0, 0, 0]
        for (const place of permutation(size, random)) {
          const kind = kinds[place]!
          const i = written[kind]!++
          if (kind === 0) writeTransfer(writer, i, index)
          else if (kind === 1) writeToken(writer, i, index)
          else if (kind === 2) market.swap(writer, i, index, timestamp, SMALLEST_SWAP, random)
          else writeSerial(writer, i, index)
        }
        const env = workloadEnvironment(seed, index++, writer)
        const expected = joinColumns([ledger.expected, market.expected, digests])
        return { env, transactions: writer.finish(), expected }
      },
    }
  },
}

const sha256OfNumber = (x: number): Uint8Array => {
  const word = new Uint8Array(32)
  new DataView(word.buffer).setUint32(28, x)
  return createHash('sha256').update(word).digest()
}
