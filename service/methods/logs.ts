import { z } from 'zod'
import { address, blockNumberOrTag, hash, LATEST } from '../json_rpc/codec.ts'
import { type Method, method } from '../json_rpc/method.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { jsonOfLog } from './encode.ts'

const MOST_ADDRESSES = 1000
const MOST_TOPICS = 4
const MOST_OF_TOPIC = 1000

const someAddresses = z.union([address.transform((one) => [one]), z.array(address).max(MOST_ADDRESSES)])
const someTopics = z.union([
  hash.transform((one) => [one]),
  z.array(hash).max(MOST_OF_TOPIC),
  z.null().transform(() => []),
])

const wanted = { address: someAddresses.nullish(), topics: z.array(someTopics).max(MOST_TOPICS).nullish() }

/** Which logs of the blocks to come. */
export const wantedLogs = z.object(wanted)

const filter = z
  .object({
    blockHash: hash.optional(),
    fromBlock: blockNumberOrTag.optional(),
    toBlock: blockNumberOrTag.optional(),
    ...wanted,
  })
  .refine(({ blockHash, fromBlock, toBlock }) => blockHash === undefined || (fromBlock ?? toBlock) === undefined, {
    error: 'cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other',
  })

export const logMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  eth_getLogs: method([filter], async (node: NodeCalls, given) => {
    const passing = { addresses: given.address ?? [], topics: given.topics ?? [] }
    const logs =
      given.blockHash === undefined
        ? await node.chain.logsOfRange(given.fromBlock ?? LATEST, given.toBlock ?? LATEST, passing)
        : await node.chain.logsOfBlock(given.blockHash, passing)
    return logs.map(jsonOfLog)
  }),
}
