import { keccak256 } from '../../host/primitives/keccak.ts'
import { addressFromHex, addressToHex, wordFromBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import { selector } from '../contracts/abi.ts'
import type { Program } from '../contracts/deployment.ts'
import { poolAddress, type UniswapV2 } from '../contracts/uniswap_v2.ts'
import type { Random } from '../random.ts'
import type { BatchWriter } from './batch_writer.ts'
import { allowanceKeys, createAddresses, type Genesis, mappingKeys, repeatWord } from './genesis.ts'
import { FIRST_TIMESTAMP, type SlotColumns, WORKLOAD_CHAIN_ID } from './workload.ts'

const SWAP = selector('swapExactTokensForTokens(uint256,uint256,address[],address,uint256)')
const INFINITE = 2n ** 256n - 1n
const UINT112 = 2n ** 112n
const UINT32 = 2n ** 32n
const SWAP_GAS_LIMIT = 200_000
const TRADER_BALANCE = 10n ** 24n
const TWENTY_MINUTES = 1200

/** Storage slots of UniswapV2Pair. */
const DOMAIN_SEPARATOR_SLOT = 3n
const TOKEN0_SLOT = 6n
const TOKEN1_SLOT = 7n
const RESERVES_SLOT = 8n
const PRICE0_SLOT = 9n
const PRICE1_SLOT = 10n

const slotHex = (slot: bigint) => `0x${slot.toString(16).padStart(64, '0')}`

/**
 * Model slots of each pool, then of each trader: both token balances; for pools also reserves and price accumulators.
 */
const POOL_SLOTS = 5
const TRADER_SLOTS = 2

/**
 * Uniswap V2 pools in a pre-state, traders at them, and the exact arithmetic of their swaps.
 *
 * Any two of its tokens make a pool. Pools and tokens are copies of the deployed ones at other addresses: same code,
 * and the storage their constructors and first liquidity leave behind, with price accumulators as after earlier trades.
 * Trader i trades at pool i mod `poolCount`, with an unlimited allowance for the router.
 */
export class SwapMarket {
  readonly poolCount: number
  readonly programs: readonly Program[]
  readonly #uniswap: UniswapV2
  readonly #traders: Uint32Array
  readonly #traderCount: number
  readonly #router = new Uint32Array(5)
  readonly #tokens: readonly string[]
  /** Token numbers of pool p: token0 at 2 p, token1 at 2 p + 1. */
  readonly #poolTokens: Uint32Array
  readonly #tokenAddresses: Uint32Array
  readonly #pools: readonly string[]
  readonly #tradedAt: Float64Array
  readonly #model: SlotColumns

  constructor(uniswap: UniswapV2, traders: Uint32Array, poolCount: number, random: Random) {
    this.#uniswap = uniswap
    this.#traders = traders
    this.#traderCount = traders.length / 5
    this.poolCount = poolCount
    this.programs = [uniswap.router, uniswap.factory, uniswap.weth, uniswap.pool, uniswap.token]
    addressFromHex(this.#router, 0, uniswap.router.address)
    const tokenCount = Math.ceil((1 + Math.sqrt(1 + 8 * poolCount)) / 2)
    const unsorted = createAddresses(tokenCount, random)
    this.#tokens = Array.from({ length: tokenCount }, (_, i) => addressToHex(unsorted, 5 * i)).sort()
    this.#tokenAddresses = new Uint32Array(5 * tokenCount)
    this.#tokens.forEach((token, i) => {
      addressFromHex(this.#tokenAddresses, 5 * i, token)
    })
    this.#poolTokens = new Uint32Array(2 * poolCount)
    const pools: string[] = []
    for (let high = 1; high < tokenCount; high++) {
      for (let low = 0; low < high && pools.length < poolCount; low++) {
        this.#poolTokens.set([low, high], 2 * pools.length)
        pools.push(poolAddress(uniswap.factory.address, uniswap.initCodeHash, this.#tokens[low]!, this.#tokens[high]!))
      }
    }
    this.#pools = pools
    this.#tradedAt = new Float64Array(poolCount).fill(Number(FIRST_TIMESTAMP) - 12)
    this.#model = this.#createModel()
  }

  /** What the market's slots must hold after the swaps so far. */
  get expected(): SlotColumns {
    return this.#model
  }

  install(genesis: Genesis): void {
    const { router, factory, weth, pool, token, reserve } = this.#uniswap
    for (const program of [router, factory, weth]) genesis.program(program)
    // Holders of the copies are the traders and pools below; what the deployed token's first owner held is not copied.
    const tokenStorage = new Map(
      [2n, 3n, 4n].map((slot) => [slotHex(slot), token.storage.get(slotHex(slot)) ?? '0x00']),
    )
    for (const address of this.#tokens) genesis.program({ ...token, address, storage: tokenStorage })
    const inModel = new Set([RESERVES_SLOT, PRICE0_SLOT, PRICE1_SLOT].map(slotHex))
    const kept = [...pool.storage].filter(([key]) => !inModel.has(key))
    this.#pools.forEach((address, p) => {
      const storage = new Map(kept)
      storage.set(slotHex(DOMAIN_SEPARATOR_SLOT), domainSeparator(address))
      storage.set(slotHex(TOKEN0_SLOT), this.#tokens[this.#poolTokens[2 * p]!]!)
      storage.set(slotHex(TOKEN1_SLOT), this.#tokens[this.#poolTokens[2 * p + 1]!]!)
      genesis.program({ ...pool, address, storage })
    })
    genesis.slots(this.#model)
    genesis.slots(this.#allowances())
    if (reserve >= UINT112) throw new RangeError('a reserve is a uint112')
  }

  /** Writes one swap of `trader` at its pool, `amountIn` below 2^53, and books it in the model. */
  swap(writer: BatchWriter, trader: number, nonce: number, timestamp: number, amountIn: number, random: Random): void {
    const pool = trader % this.poolCount
    const sellsToken0 = random.below(2) === 0
    const tokenIn = this.#poolTokens[2 * pool + (sellsToken0 ? 0 : 1)]!
    const tokenOut = this.#poolTokens[2 * pool + (sellsToken0 ? 1 : 0)]!
    writer.begin(this.#traders, 5 * trader, this.#router, 0, nonce, SWAP_GAS_LIMIT)
    writer.selector(SWAP)
    writer.number(amountIn)
    writer.number(1)
    writer.number(0xa0)
    writer.address(this.#traders, 5 * trader)
    writer.number(timestamp + TWENTY_MINUTES)
    writer.number(2)
    writer.address(this.#tokenAddresses, 5 * tokenIn)
    writer.address(this.#tokenAddresses, 5 * tokenOut)
    this.#book(pool, trader, sellsToken0, BigInt(amountIn), timestamp)
  }

  /** UniswapV2Library.getAmountOut (fee 0.3 %) and UniswapV2Pair._update. */
  #book(pool: number, trader: number, sellsToken0: boolean, amountIn: bigint, timestamp: number): void {
    const { values } = this.#model
    const poolAt = 8 * POOL_SLOTS * pool
    const traderAt = 8 * (POOL_SLOTS * this.poolCount + TRADER_SLOTS * trader)
    const reserves = [wordToBigInt(values, poolAt), wordToBigInt(values, poolAt + 8)] as [bigint, bigint]
    const [before0, before1] = reserves
    const into = sellsToken0 ? 0 : 1
    const out = 1 - into
    const withFee = amountIn * 997n
    const amountOut = (withFee * reserves[out]!) / (reserves[into]! * 1000n + withFee)
    reserves[into]! += amountIn
    reserves[out]! -= amountOut
    const elapsed = BigInt(timestamp - this.#tradedAt[pool]!)
    this.#tradedAt[pool] = timestamp
    wordFromBigInt(values, poolAt, reserves[0])
    wordFromBigInt(values, poolAt + 8, reserves[1])
    wordFromBigInt(values, poolAt + 16, packReserves(reserves[0], reserves[1], timestamp))
    addTo(values, poolAt + 24, ((before1 * UINT112) / before0) * elapsed)
    addTo(values, poolAt + 32, ((before0 * UINT112) / before1) * elapsed)
    addTo(values, traderAt + 8 * into, -amountIn)
    addTo(values, traderAt + 8 * out, amountOut)
  }

  #createModel(): SlotColumns {
    const { poolCount } = this
    const count = POOL_SLOTS * poolCount + TRADER_SLOTS * this.#traderCount
    const columns = {
      count,
      addresses: new Uint32Array(5 * count),
      keys: new Uint32Array(8 * count),
      values: new Uint32Array(8 * count),
    }
    const poolAddresses = new Uint32Array(5 * poolCount)
    this.#pools.forEach((pool, p) => {
      addressFromHex(poolAddresses, 5 * p, pool)
    })
    const poolKeys = mappingKeys(poolAddresses, poolCount, 0)
    const { reserve } = this.#uniswap
    let at = 0
    const put = (addresses: Uint32Array, address: number, keys: Uint32Array, key: number, value: bigint) => {
      columns.addresses.set(addresses.subarray(5 * address, 5 * address + 5), 5 * at)
      columns.keys.set(keys.subarray(8 * key, 8 * key + 8), 8 * at)
      wordFromBigInt(columns.values, 8 * at++, value)
    }
    const [reservesKey, price0Key, price1Key] = [RESERVES_SLOT, PRICE0_SLOT, PRICE1_SLOT].map((s) => repeatWord(s, 1))
    for (let p = 0; p < poolCount; p++) {
      put(this.#tokenAddresses, this.#poolTokens[2 * p]!, poolKeys, p, reserve)
      put(this.#tokenAddresses, this.#poolTokens[2 * p + 1]!, poolKeys, p, reserve)
      put(poolAddresses, p, reservesKey!, 0, packReserves(reserve, reserve, this.#tradedAt[p]!))
      put(poolAddresses, p, price0Key!, 0, 3600n * UINT112)
      put(poolAddresses, p, price1Key!, 0, 3600n * UINT112)
    }
    const traderKeys = mappingKeys(this.#traders, this.#traderCount, 0)
    for (let trader = 0; trader < this.#traderCount; trader++) {
      const p = trader % poolCount
      put(this.#tokenAddresses, this.#poolTokens[2 * p]!, traderKeys, trader, TRADER_BALANCE)
      put(this.#tokenAddresses, this.#poolTokens[2 * p + 1]!, traderKeys, trader, TRADER_BALANCE)
    }
    return columns
  }

  #allowances(): SlotColumns {
    const count = 2 * this.#traderCount
    const single = allowanceKeys(this.#traders, this.#traderCount, this.#uniswap.router.address, 1)
    const keys = new Uint32Array(8 * count)
    const addresses = new Uint32Array(5 * count)
    for (let i = 0; i < count; i++) {
      const token = this.#poolTokens[2 * ((i >> 1) % this.poolCount) + (i & 1)]!
      addresses.set(this.#tokenAddresses.subarray(5 * token, 5 * token + 5), 5 * i)
      keys.set(single.subarray(8 * (i >> 1), 8 * (i >> 1) + 8), 8 * i)
    }
    return { count, addresses, keys, values: repeatWord(INFINITE, count) }
  }
}

const addTo = (words: Uint32Array, at: number, amount: bigint): void =>
  wordFromBigInt(words, at, BigInt.asUintN(256, wordToBigInt(words, at) + amount))

const packReserves = (reserve0: bigint, reserve1: bigint, timestamp: number): bigint =>
  reserve0 | (reserve1 << 112n) | ((BigInt(timestamp) % UINT32) << 224n)

const text = (value: string) => keccak256(new TextEncoder().encode(value))

/** EIP-712 domain of the pool's LP token, as its constructor stores it. */
export const domainSeparator = (pool: string): string => {
  const encoded = new Uint8Array(160)
  encoded.set(text('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'), 0)
  encoded.set(text('Uniswap V2'), 32)
  encoded.set(text('1'), 64)
  new DataView(encoded.buffer).setBigUint64(120, WORKLOAD_CHAIN_ID)
  encoded.set(Buffer.from(pool.slice(2), 'hex'), 140)
  return `0x${Buffer.from(keccak256(encoded)).toString('hex')}`
}
