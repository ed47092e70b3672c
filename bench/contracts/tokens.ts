import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { PROJECT_ROOT } from '../machine.ts'
import { abiWord } from './abi.ts'
import { Deployment, type Program } from './deployment.ts'
import { compiledContract, OPEN_ZEPPELIN_VERSION, publishedCreation } from './solidity.ts'

/** A fungible token with `transfer(address,uint256)`. */
export interface Token {
  /** The contract that users call. */
  readonly address: string
  /** Everything to be installed: the contract itself first, then what it delegates to. */
  readonly programs: readonly Program[]
  /** Slot of the mapping from holder to balance. */
  readonly balanceSlot: number
  /** What a wallet would set for a transfer to a new holder. */
  readonly transferGasLimit: number
  /** Balance of every holder at the start, in the token's smallest unit. */
  readonly initialBalance: bigint
}

/** Where mainnet's contracts lie, if they do: they are too large and too mixed in licence for this repository. */
const programFolder = (): string =>
  process.env['WGEVM_PROGRAMS'] ?? join(PROJECT_ROOT, '..', 'shared', 'data', 'programs')

interface ProgramFile {
  readonly pre: Record<string, { readonly code?: string; readonly storage?: Record<string, string> }>
}

/** A contract of mainnet from the data folder beside the project, or undefined where that folder is not there. */
const mainnetPrograms = (name: string, addresses: readonly string[]): Program[] | undefined => {
  const path = join(programFolder(), `real.${name}.json`)
  if (!existsSync(path)) return undefined
  const { pre } = JSON.parse(readFileSync(path, 'utf8')) as ProgramFile
  return addresses.map((address) => {
    const account = pre[address]
    if (account?.code === undefined) throw new Error(`${path}: no code at ${address}`)
    return {
      address,
      code: Uint8Array.from(Buffer.from(account.code.slice(2), 'hex')),
      storage: new Map(Object.entries(account.storage ?? {})),
      origin: `mainnet ${address}`,
    }
  })
}

const compiledOrigin = (name: string, compiler: string) => `${name} (${compiler})`

export const openZeppelinToken = async (fork: Fork): Promise<Token> => {
  const chain = await Deployment.create(fork, 'openzeppelin')
  const { creation, compiler } = compiledContract('Token.sol', 'Token')
  const address = await chain.deploy(creation)
  const origin = compiledOrigin(`OpenZeppelin ${OPEN_ZEPPELIN_VERSION} ERC-20`, compiler)
  return {
    address,
    programs: [await chain.program(address, origin)],
    balanceSlot: 0,
    transferGasLimit: 60_000,
    initialBalance: 10n ** 24n,
  }
}

const USDT = '0xdac17f958d2ee523a2206206994597c13d831ec7'

export const usdt = async (fork: Fork): Promise<Token> => {
  const token = { transferGasLimit: 90_000, initialBalance: 10n ** 12n }
  const programs = mainnetPrograms('usdt', [USDT])
  if (programs !== undefined) return { ...token, address: USDT, programs, balanceSlot: 2 }
  const chain = await Deployment.create(fork, 'usdt')
  const { creation, compiler } = compiledContract('TetherLike.sol', 'TetherLike')
  const address = await chain.deploy(creation)
  const program = await chain.program(address, compiledOrigin('stand-in for USDT', compiler))
  return { ...token, address, programs: [program], balanceSlot: 2 }
}

const USDC = '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48'
const USDC_IMPLEMENTATION = '0x43506849d7c04f9138d1a2050bbf3a0c054402dd'

export const usdcProxy = async (fork: Fork): Promise<Token> => {
  const token = { transferGasLimit: 100_000, initialBalance: 10n ** 12n, balanceSlot: 9 }
  const programs = mainnetPrograms('usdc_proxy', [USDC, USDC_IMPLEMENTATION])
  if (programs !== undefined) return { ...token, address: USDC, programs }
  const chain = await Deployment.create(fork, 'usdc')
  const implementation = compiledContract('FiatTokenLike.sol', 'FiatTokenLike')
  const implementationAddress = await chain.deploy(implementation.creation)
  const proxy = compiledContract('FiatTokenLike.sol', 'FiatTokenProxyLike')
  const address = await chain.deploy(proxy.creation + abiWord(implementationAddress))
  const origin = compiledOrigin('stand-in for USDC', proxy.compiler)
  return {
    ...token,
    address,
    programs: [await chain.program(address, origin), await chain.program(implementationAddress, origin)],
  }
}

const WETH = '0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2'

/** WETH9; both forms hold balances in mapping slot 3. */
export const weth9 = async (fork: Fork): Promise<Token> => {
  const token = { transferGasLimit: 60_000, initialBalance: 10n ** 20n, balanceSlot: 3 }
  const programs = mainnetPrograms('weth9', [WETH])
  if (programs !== undefined) return { ...token, address: WETH, programs }
  const chain = await Deployment.create(fork, 'weth')
  const address = await chain.deploy(publishedCreation('@uniswap/v2-periphery', 'WETH9'))
  return { ...token, address, programs: [await chain.program(address, 'WETH9 as published by Uniswap')] }
}
