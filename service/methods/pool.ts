import { address, data, toQuantity } from '../json_rpc/codec.ts'
import { gathered, type Json, type Method, method } from '../json_rpc/method.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import type { TransactionView } from '../node/views.ts'
import { checksumAddress } from './checksum_address.ts'
import { jsonOfTransaction } from './encode.ts'

/** Transactions by nonce, in decimal. */
const byNonce = (views: readonly TransactionView[], json: (view: TransactionView) => Json = jsonOfTransaction): Json =>
  Object.fromEntries(views.map((view) => [`${view.transaction.nonce}`, json(view)]))

const bySender = (
  views: readonly TransactionView[],
  json: (view: TransactionView) => Json = jsonOfTransaction,
): Json => {
  const senders = [...new Set(views.map(({ transaction }) => transaction.from))]
  return Object.fromEntries(
    senders.map((sender) => [
      checksumAddress(sender),
      byNonce(
        views.filter(({ transaction }) => transaction.from === sender),
        json,
      ),
    ]),
  )
}

/** A transaction in a line, as go-ethereum writes it. */
const summaryOf = ({ transaction, gasPrice }: TransactionView): string => {
  const { to, value = 0n, gasLimit } = transaction
  const target = to === undefined ? 'contract creation' : checksumAddress(to)
  return `${target}: ${value} wei + ${gasLimit} gas × ${gasPrice} wei`
}

/** What goes into the pool, and what is there. */
export const poolMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_sendRawTransaction: gathered(method([data()], async (node: NodeCalls, bytes) => node.pool.add(bytes))),
  txpool_status: method([], async (node: NodeCalls) => {
    const { pending, queued } = await node.pool.status()
    return { pending: toQuantity(pending), queued: toQuantity(queued) }
  }),
  txpool_content: method([], async (node: NodeCalls) => {
    const { pending, queued } = await node.pool.content(undefined)
    return { pending: bySender(pending), queued: bySender(queued) }
  }),
  txpool_inspect: method([], async (node: NodeCalls) => {
    const { pending, queued } = await node.pool.content(undefined)
    return { pending: bySender(pending, summaryOf), queued: bySender(queued, summaryOf) }
  }),
  // Those of accounts that the node holds the keys of, which are none.
  eth_pendingTransactions: method([], async () => []),
  txpool_contentFrom: method([address], async (node: NodeCalls, sender) => {
    const { pending, queued } = await node.pool.content(sender)
    return { pending: byNonce(pending), queued: byNonce(queued) }
  }),
}
