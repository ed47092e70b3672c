import { expect, test } from 'vitest'
import { createExecutor, type ExecutionResult, MemoryState, receiptsRoot } from '../../host/index.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BATCH_ENV, sender, stranger } from '../fixtures/batch_world.ts'

const CALLS = 6
const at = (n: number): string => stranger(90 + n)
/** Adds one to so many slots. */
const adder = (slots: number): Uint8Array =>
  assemble(`${Array.from({ length: slots }, (_, n) => `PUSH ${n} SLOAD PUSH 1 ADD PUSH ${n} SSTORE`).join(' ')} STOP`)

const world = (): MemoryState =>
  MemoryState.from(
    Object.fromEntries(
      Array.from({ length: CALLS }, (_, n) => [
        [sender(n), { balance: 10n ** 18n }],
        [at(n), { nonce: 1n, code: adder(4 + n) }],
      ]).flat(),
    ),
  )

const open = () => createExecutor({ fork: 'osaka', chainId: 1n, state: world(), workers: 0 })
const numbers = Array.from({ length: CALLS }, (_, n) => n)
const transactions = numbers.map((n) => ({
  from: sender(n),
  to: at(n),
  nonce: 0n,
  gasLimit: 500_000n,
  gasPrice: BATCH_ENV.baseFeePerGas,
}))
const rootOf = ({ receipts }: ExecutionResult): string => receiptsRoot(receipts)

test('access lists of a simulation wait their turn, beside each other and beside a batch', async () => {
  const executor = open()
  const calls = numbers.map((n) => ({ from: sender(n), to: at(n), gas: 500_000n }))
  const simulation = await executor.simulate({ at: BATCH_ENV, calls })
  const together = await Promise.all(numbers.map((n) => simulation.accessList(n)))
  expect(together.map((list) => list.map(({ storageKeys }) => storageKeys.length))).toEqual(numbers.map((n) => [4 + n]))

  const reference = open()
  const expected = rootOf(await reference.execute({ env: BATCH_ENV, transactions }))
  reference.close()
  const asked = simulation.accessList(0)
  const running = executor.execute({ env: BATCH_ENV, transactions })
  const late = numbers.map((n) => simulation.accessList(n).catch((thrown: Error) => thrown.message))
  expect(await asked).toEqual(together[0])
  expect(rootOf(await running)).toBe(expected)
  for (const said of await Promise.all(late)) expect(said).toMatch('the state has moved on')
  executor.close()
  await expect(simulation.accessList(0)).rejects.toThrow('closed')
})
