import { expect, test } from 'vitest'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { selectTransactions } from '../../host/chain/select_batch.ts'
import { batchState, randomBatch, stranger, word } from '../fixtures/batch_world.ts'

test('a selection of a batch is the batch of the selected transactions', () => {
  const accessList = (n: number) =>
    Array.from({ length: n }, (_, e) => ({
      address: stranger(e),
      storageKeys: Array.from({ length: (n + e) % 3 }, (_, k) => word(BigInt(10 * e + k))),
    }))
  for (let seed = 1; seed <= 20; seed++) {
    const transactions = randomBatch(seed, batchState(), { fork: 'osaka', most: 40 }).map((transaction, n) =>
      transaction.type === 0 ? transaction : { ...transaction, accessList: accessList(n % 4) },
    )
    const indices = transactions.map((_, n) => n).filter((n) => (n * seed) % 3 !== 0)
    const selected = selectTransactions(encodeBatch(transactions), indices)
    expect(selected).toEqual(encodeBatch(indices.map((n) => transactions[n]!)))
  }
})
