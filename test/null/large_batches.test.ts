import { expect, test } from 'vitest'
import type { TransactionObject } from '../../host/chain/batch.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { BATCH_ENV } from '../fixtures/batch_world.ts'

const COUNT = 300
const address = (n: number): string => `0x${(0xabc000 + n).toString(16).padStart(40, '0')}`

/** Payments of which every one of those that `isBad` names has a nonce too high; some carry calldata. */
const payments = (round: number, isBad: (n: number) => boolean): TransactionObject[] =>
  Array.from({ length: COUNT }, (_, n) => ({
    from: address(n),
    to: address(COUNT + n),
    nonce: isBad(n) ? 9n : 0n,
    gasLimit: 60_000n,
    gasPrice: 50n,
    value: BigInt(1 + n),
    data: `0x${'01'.repeat((n * round) % 7)}`,
  }))

test('receipts of a batch stay when the next batch takes its columns', async () => {
  const alone = () =>
    createExecutor({
      fork: 'osaka',
      chainId: 1n,
      state: MemoryState.from(
        Object.fromEntries(Array.from({ length: COUNT }, (_, n) => [address(n), { balance: 10n ** 18n }])),
      ),
    })
  const first = payments(1, (n) => n % 3 === 0)
  const second = payments(2, (n) => n % 3 !== 0)
  const env = { ...BATCH_ENV, gasLimit: 10n ** 9n, baseFeePerGas: 7n }
  const executor = alone()
  const other = alone()
  try {
    const kept = await executor.execute({ env, transactions: first, explain: true })
    await executor.execute({ env, transactions: second, explain: true })
    const fresh = await other.execute({ env, transactions: first, explain: true })
    const told = ({ receipts, rejected, exits, explain, tiers }: typeof kept) => ({
      ...{ rejected, exits, explain, tiers },
      each: first.map((_, i) => [receipts.get(i), receipts.rejection(i), receipts.callOutcome(i)]),
      status: [...receipts.status],
      gasUsed: [...receipts.gasUsed],
    })
    expect(told(kept)).toEqual(told(fresh))
    expect(kept.rejected).toHaveLength(COUNT / 3)
  } finally {
    executor.close()
    other.close()
  }
})
