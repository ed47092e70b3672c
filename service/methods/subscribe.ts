import { z } from 'zod'
import { type Method, readParams } from '../json_rpc/method.ts'
import type { FeedTopic, Session } from '../json_rpc/session.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { wantedLogs } from './logs.ts'

const sessionOf = (session: Session | undefined): Session => {
  if (session === undefined) throw new RpcError(RPC_CODE.methodNotFound, 'notifications not supported')
  return session
}

const NO_TERMS = z.unknown().nullish()

const topicOf = (params: unknown): FeedTopic => {
  const [name] = readParams([z.string(), NO_TERMS], params)
  if (name === 'newHeads') return { kind: 'newHeads' }
  if (name === 'newPendingTransactions') {
    const [, isFull] = readParams([z.string(), z.boolean().nullish()], params)
    return { kind: 'pendingTransactions', isFull: isFull === true }
  }
  if (name !== 'logs')
    throw new RpcError(RPC_CODE.invalidParams, `no "${name.slice(0, 80)}" subscription in eth namespace`)
  const [, wanted] = readParams([z.string(), wantedLogs.nullish()], params)
  return { kind: 'logs', filter: { addresses: wanted?.address ?? [], topics: wanted?.topics ?? [] } }
}

/** What only a connection that stays open can ask for. */
export const subscribeMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_subscribe: async (_, params, session) => sessionOf(session).subscribe(topicOf(params)),
  eth_unsubscribe: async (_, params, session) => {
    const [id] = readParams([z.string()], params)
    if (!sessionOf(session).unsubscribe(id)) throw new RpcError(RPC_CODE.server, 'subscription not found')
    return true
  },
}
