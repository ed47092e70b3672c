import { keccak256 } from '../../host/primitives/keccak.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { abiWord } from './abi.ts'
import { Deployment, type Program } from './deployment.ts'
import { compiledContract, OPEN_ZEPPELIN_VERSION, publishedCreation } from './solidity.ts'

/** What a Uniswap V2 market is made of. All tokens share one code; all pools share one code. */
export interface UniswapV2 {
  readonly weth: Program
  readonly factory: Program
  readonly router: Program
  /** The OpenZeppelin token; balances are mapping slot 0, allowances slot 1. */
  readonly token: Program
  /** One pool with liquidity, made by the factory and the router. */
  readonly pool: Program
  /** Tokens of `pool` in its own order. */
  readonly poolTokens: readonly [Program, Program]
  /** Liquidity given by `provider` to `pool`, for both tokens. */
  readonly reserve: bigint
  readonly provider: string
  /** keccak-256 of the pool's creation code: pool addresses follow from it. */
  readonly initCodeHash: Uint8Array
}

const RESERVE = 10n ** 22n
const INFINITE = 2n ** 256n - 1n

const hexBytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/^0x/, ''), 'hex'))

/**
 * CREATE2 address of the pool of two tokens (EIP-1014 with the factory's salt keccak256(token0 . token1)); sorts the
 * tokens.
 */
export const poolAddress = (factory: string, initCodeHash: Uint8Array, tokenA: string, tokenB: string): string => {
  const [token0, token1] = tokenA.toLowerCase() < tokenB.toLowerCase() ? [tokenA, tokenB] : [tokenB, tokenA]
  const salt = keccak256(hexBytes(token0 + token1.slice(2)))
  const preimage = new Uint8Array(85)
  preimage[0] = 0xff
  preimage.set(hexBytes(factory), 1)
  preimage.set(salt, 21)
  preimage.set(initCodeHash, 53)
  return `0x${Buffer.from(keccak256(preimage).subarray(12)).toString('hex')}`
}

/**
 * Deploys WETH9, the factory and Router02 from the bytecode that Uniswap published, two tokens, and one pool with
 * liquidity through the router.
 */
export const deployUniswapV2 = async (fork: Fork): Promise<UniswapV2> => {
  const chain = await Deployment.create(fork, 'uniswap')
  const published = (file: string) => `Uniswap's published ${file}`
  const wethAddress = await chain.deploy(publishedCreation('@uniswap/v2-periphery', 'WETH9'))
  const factoryAddress = await chain.deploy(
    publishedCreation('@uniswap/v2-core', 'UniswapV2Factory') + abiWord(chain.deployer),
  )
  const routerAddress = await chain.deploy(
    publishedCreation('@uniswap/v2-periphery', 'UniswapV2Router02') + abiWord(factoryAddress) + abiWord(wethAddress),
  )
  const compiled = compiledContract('Token.sol', 'Token')
  const tokens = [await chain.deploy(compiled.creation), await chain.deploy(compiled.creation)].sort()
  const [token0, token1] = tokens as [string, string]
  for (const token of tokens) await chain.call(token, `0x095ea7b3${abiWord(routerAddress)}${abiWord(INFINITE)}`)
  const liquidity = [token0, token1, RESERVE, RESERVE, 0n, 0n, chain.deployer, 2n ** 64n]
  await chain.call(routerAddress, `0xe8e33700${liquidity.map(abiWord).join('')}`)

  const initCodeHash = keccak256(hexBytes(publishedCreation('@uniswap/v2-core', 'UniswapV2Pair')))
  const tokenOrigin = `OpenZeppelin ${OPEN_ZEPPELIN_VERSION} ERC-20 (${compiled.compiler})`
  const pool = await chain.program(
    poolAddress(factoryAddress, initCodeHash, token0, token1),
    published('UniswapV2Pair'),
  )
  const programs = [await chain.program(token0, tokenOrigin), await chain.program(token1, tokenOrigin)] as const
  return {
    weth: await chain.program(wethAddress, published('WETH9')),
    factory: await chain.program(factoryAddress, published('UniswapV2Factory')),
    router: await chain.program(routerAddress, published('UniswapV2Router02')),
    token: programs[0],
    pool,
    poolTokens: [programs[0], programs[1]],
    reserve: RESERVE,
    provider: chain.deployer,
    initCodeHash,
  }
}
