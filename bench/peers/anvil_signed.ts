import { bytesToHex } from '../../host/primitives/hex.ts'
import type { PeerResult } from '../report/schema.ts'
import {
  type AnvilChain,
  AnvilError,
  CALLS_PER_REQUEST,
  DIGITS_PER_REQUEST,
  minedGas,
  type RpcCall,
  requestOf,
  withAnvil,
} from './anvil_node.ts'

export interface SignedAnvilBlock extends AnvilChain {
  readonly signed: readonly Uint8Array[]
  /** Gas that the block must use. */
  readonly gasUsed: bigint
}

/**
 * anvil with signed transactions, on all cores: `eth_sendRawTransaction` in batches, then one block. Timed from the
 * first request, whose text is made before, until the receipt of the last transaction is there: recovery of the
 * senders, pool, execution, roots and sealing, and the node's JSON-RPC.
 */
export const runSignedAnvil = (binary: string, block: SignedAnvilBlock): Promise<PeerResult> =>
  withAnvil(binary, block, { pinned: false }, async ({ rpc, version }) => {
    const count = block.signed.length
    const bodies = requestsOf(block.signed)
    const start = performance.now()
    let last: string | undefined
    for (const body of bodies) last = (await rpc.send<string>(body, 'eth_sendRawTransaction')).at(-1)
    await rpc.call('evm_mine')
    const receipt = await rpc.call<{ status: string } | null>('eth_getTransactionReceipt', [last])
    const elapsedMs = performance.now() - start
    if (receipt === null) throw new AnvilError('anvil has no receipt of the last transaction')
    const gas = await minedGas(rpc, count)
    if (BigInt(gas) !== block.gasUsed) throw new AnvilError(`anvil used ${gas} gas, expected ${block.gasUsed}`)
    return {
      name: `anvil ${version}`,
      level: 'from signed bytes',
      txCount: count,
      txPerSecond: (1000 * count) / elapsedMs,
      mgasPerSecond: gas / 1000 / elapsedMs,
      note: 'all cores; from the first eth_sendRawTransaction, 500 in a request, to the receipts of one mined block',
    }
  })

const requestsOf = (signed: readonly Uint8Array[]): string[] => {
  const bodies: string[] = []
  let calls: RpcCall[] = []
  let digits = 0
  for (const bytes of signed) {
    if (calls.length === CALLS_PER_REQUEST || (calls.length > 0 && digits + 2 * bytes.length > DIGITS_PER_REQUEST)) {
      bodies.push(requestOf(calls))
      calls = []
      digits = 0
    }
    calls.push({ method: 'eth_sendRawTransaction', params: [bytesToHex(bytes)] })
    digits += 2 * bytes.length
  }
  return [...bodies, requestOf(calls)]
}
