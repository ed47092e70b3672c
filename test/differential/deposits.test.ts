import { createCustomCommon, Mainnet } from '@ethereumjs/common'
import { createTx } from '@ethereumjs/tx'
import { hexToBytes, privateToAddress } from '@ethereumjs/util'
import { describe, expect, test } from 'vitest'
import { requestsHash } from '../../host/chain/requests.ts'
import { createExecutor, type ExecutorOptions } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { assemble } from '../fixtures/assembler.ts'
import { ATTRIBUTES, blockAllocation, blockWorld, runByVm } from '../fixtures/block_world.ts'

const MAINNET = '0x00000000219ab540356cbb839cbe05303d7705fa'
const SEPOLIA = '0x7f02c3e3c98b133055b8b348b2ac625669ed295d'
const HOLESKY = '0x4242424242424242424242424242424242424242'
const OWN = `0x${'d0'.repeat(20)}`
const CONTRACTS = [MAINNET, SEPOLIA, HOLESKY, OWN]

const key = new Uint8Array(32).fill(0x77)
const depositor = bytesToHex(privateToAddress(key))

/** Logs its calldata as the deposit contract logs a DepositEvent. */
const LOGGER = assemble(`CALLDATASIZE PUSH 0 PUSH 0 CALLDATACOPY
  PUSH32 0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5 CALLDATASIZE PUSH 0 LOG1 STOP`)

/** Data of a DepositEvent whose fields hold this byte. */
const depositEvent = (byte: number): Uint8Array => {
  const data = Buffer.alloc(576)
  for (const [n, [offset, length]] of [
    [160, 48],
    [256, 32],
    [320, 8],
    [384, 96],
    [512, 8],
  ].entries()) {
    data.writeUInt32BE(offset!, 32 * n + 28)
    data.writeUInt32BE(length!, offset! + 28)
    data.fill(byte, offset! + 32, offset! + 32 + length!)
  }
  return new Uint8Array(data)
}
const depositRequest = (byte: number): Uint8Array => new Uint8Array(192).fill(byte)

const world = () =>
  blockWorld('prague', {
    ...blockAllocation(),
    [depositor]: { balance: 10n ** 18n },
    ...Object.fromEntries(CONTRACTS.map((address) => [address, { nonce: 1n, code: LOGGER }])),
  })

/** One call of each contract in turn. */
const poolAt = (chainId: bigint): Uint8Array[] => {
  const common = createCustomCommon({ chainId: Number(chainId) }, Mainnet, { hardfork: 'prague' })
  return CONTRACTS.map((to, n) =>
    createTx(
      { to: to as `0x${string}`, nonce: BigInt(n), gasLimit: 200_000n, gasPrice: 20n, data: depositEvent(n + 1) },
      { common },
    )
      .sign(key)
      .serialize(),
  )
}

const build = async (options: Pick<ExecutorOptions, 'chainId' | 'depositContract'>) => {
  const before = world()
  const open = (state = before.state.clone()) => ({
    state,
    executor: createExecutor({ fork: 'prague', state, workers: 0, ...options }),
  })
  const maker = open()
  const built = await maker.executor.build({
    parent: before.parent,
    attributes: ATTRIBUTES,
    pool: poolAt(options.chainId),
    parentState: createStateTrie(before.state.dump()),
  })
  maker.executor.close()
  expect(built.order).toHaveLength(CONTRACTS.length)
  const taker = open()
  const { requests } = await taker.executor.executeBlock(built.block, { parent: before.parent })
  taker.executor.close()
  const { requestsHash: hash } = built.block.header
  expect(hash).toBe(requestsHash(requests!))
  return { before, built, deposits: requests!.deposits }
}

describe('deposit requests of a block', () => {
  test.each([
    ['mainnet', 1n, undefined, MAINNET],
    ['Sepolia', 11_155_111n, undefined, SEPOLIA],
    ['Holesky', 17_000n, undefined, HOLESKY],
    ['Hoodi', 560_048n, undefined, MAINNET],
    ['another chain that names its contract', 1337n, OWN.toUpperCase().replace('0X', '0x'), OWN],
    ['mainnet, where another contract is named', 1n, OWN, OWN],
  ] as const)('are the logs of the contract of %s', async (_, chainId, depositContract, contract) => {
    const { deposits } = await build({ chainId, ...(depositContract === undefined ? {} : { depositContract }) })
    expect(bytesToHex(deposits)).toBe(bytesToHex(depositRequest(1 + CONTRACTS.indexOf(contract))))
  })

  test('are none on a chain without such a contract', async () => {
    expect((await build({ chainId: 1337n })).deposits).toHaveLength(0)
  })

  test('are those that @ethereumjs/vm finds on mainnet', async () => {
    const { before, built } = await build({ chainId: 1n })
    const { requestsHash: hash } = await runByVm(before, built.block, false)
    expect(bytesToHex(hash!)).toBe(built.block.header.requestsHash)
    expect(hexToBytes(built.block.header.requestsHash as `0x${string}`)).toEqual(hash)
  })
})
