import type { TransactionBatch } from '../../host/chain/batch.ts'
import { decodeTransaction } from '../../host/chain/encode_batch.ts'
import type { PeerResult } from '../report/schema.ts'
import { type AnvilChain, CALLS_PER_REQUEST, DIGITS_PER_REQUEST, hex, minedGas, withAnvil } from './anvil_node.ts'

export interface AnvilBlock extends AnvilChain {
  readonly transactions: TransactionBatch
}

/**
 * Native revm on one core: anvil takes the transactions into its pool from impersonated senders (no signatures to
 * check), then mines them as one block. Timed is the one `evm_mine` call: execution, trie roots and sealing.
 */
export const runAnvil = (binary: string, block: AnvilBlock): Promise<PeerResult> =>
  withAnvil(binary, block, { pinned: true, options: ['--auto-impersonate'] }, async ({ rpc, version, isPinned }) => {
    const { transactions } = block
    for (let i = 0; i < transactions.count; ) {
      const calls = []
      for (let digits = 0; i < transactions.count && calls.length < CALLS_PER_REQUEST; i++) {
        const transaction = rpcTransaction(transactions, i)
        digits += transaction.data.length
        if (digits > DIGITS_PER_REQUEST && calls.length > 0) break
        calls.push({ method: 'eth_sendTransaction', params: [transaction] })
      }
      await rpc.batch(calls)
    }
    const start = performance.now()
    await rpc.call('evm_mine')
    const elapsedMs = performance.now() - start
    const gas = await minedGas(rpc, transactions.count)
    return {
      name: `revm (anvil ${version})`,
      level: 'block with sealing',
      txCount: transactions.count,
      txPerSecond: (1000 * transactions.count) / elapsedMs,
      mgasPerSecond: gas / 1000 / elapsedMs,
      note: isPinned ? 'pinned to one core; impersonated senders' : 'not pinned (no taskset); impersonated senders',
    }
  })

const rpcTransaction = (batch: TransactionBatch, i: number) => {
  const transaction = decodeTransaction(batch, i)
  return {
    from: transaction.from,
    ...(transaction.to === undefined ? {} : { to: transaction.to }),
    nonce: hex(transaction.nonce),
    gas: hex(transaction.gasLimit),
    maxFeePerGas: hex(transaction.maxFeePerGas ?? 0n),
    maxPriorityFeePerGas: hex(transaction.maxPriorityFeePerGas ?? 0n),
    value: hex(transaction.value ?? 0n),
    data: transaction.data ?? '0x',
  }
}
