import { z } from 'zod'
import { data, quantity, toData } from '../json_rpc/codec.ts'
import { type Method, method } from '../json_rpc/method.ts'
import type { NodeCalls } from '../node/node_calls.ts'

const MOST_EXTRA_BYTES = 32

/** Bytes as 0x-hex, or text as go-ethereum takes it. */
const extraData = z
  .string()
  .transform((text) => (text.startsWith('0x') ? text : `0x${Buffer.from(text).toString('hex')}`))
  .pipe(data(MOST_EXTRA_BYTES))
  .transform(toData)

/** Methods `miner_`: what a builder beside a sequencer is told. Each answers true. */
export const minerMethods: Readonly<Record<string, Method<NodeCalls>>> = {
  miner_setExtra: method([extraData], async (node: NodeCalls, extra) => {
    await node.miner.setExtra(extra)
    return true
  }),
  miner_setGasPrice: method([quantity()], async (node: NodeCalls, wei) => {
    await node.miner.setGasPrice(wei)
    return true
  }),
  miner_setGasLimit: method([quantity(63)], async (node: NodeCalls, gas) => {
    await node.miner.setGasLimit(gas)
    return true
  }),
  miner_setMaxDASize: method([quantity(64), quantity(64)], async (node: NodeCalls, transactionBytes, blockBytes) => {
    await node.miner.setMaxDaSize(transactionBytes, blockBytes)
    return true
  }),
}
