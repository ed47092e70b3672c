import { SimpleStateManager } from '@ethereumjs/statemanager'
import { Address, hexToBytes } from '@ethereumjs/util'
import { expect, test } from 'vitest'
import { ManagedState } from '../../host/adapters/ethereumjs/managed_state.ts'
import { createGpuEvm } from '../../host/index.ts'
import { commonOf } from '../../host/precompiles/common.ts'
import { assemble } from '../fixtures/assembler.ts'

const NUMBERS = [1000n, 2n ** 32n + 3n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 64n + 7n]
const hashOf = (number: bigint): string => `0x${(number * 31n).toString(16).padStart(64, '0')}`

/** A chain that knows the hash of every block, and notes what it was asked by. */
const chainOf = (asked: (number | bigint)[]) => ({
  getBlock: async (number: number | bigint) => {
    asked.push(number)
    return { hash: () => hexToBytes(hashOf(BigInt(number)) as `0x${string}`) }
  },
  putBlock: async () => undefined,
  shallowCopy() {
    return this
  },
})

test('a chain is asked for its blocks by doubles while they hold the number, and by bigints from there on', async () => {
  const asked: (number | bigint)[] = []
  const common = commonOf('osaka', 1n)
  const stateManager = new SimpleStateManager({ common })
  const evm = await createGpuEvm({ common, stateManager, blockchain: chainOf(asked), device: 'none' })
  const code = assemble('PUSH 0 CALLDATALOAD BLOCKHASH PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN')
  const state = new ManagedState(stateManager, chainOf(asked), () => false)
  for (const number of NUMBERS) {
    const data = hexToBytes(`0x${number.toString(16).padStart(64, '0')}`)
    const header = { number: number + 256n, getBlobGasPrice: () => 1n }
    const block = { header } as NonNullable<Parameters<typeof evm.runCall>[0]['block']>
    const { execResult } = await evm.runCall({
      to: new Address(new Uint8Array(20)),
      code,
      data,
      block,
      gasLimit: 100_000n,
    })
    expect(`0x${Buffer.from(execResult.returnValue).toString('hex')}`).toBe(hashOf(number))
    expect(await state.blockHash(number)).toBe(hashOf(number))
  }
  const expected = NUMBERS.map((number) => (number < 2n ** 53n ? Number(number) : number))
  expect(asked).toEqual(expected.flatMap((number) => [number, number]))
  await evm.close()
})
