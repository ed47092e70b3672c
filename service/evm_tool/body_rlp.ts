import { checkItem, endAt, isListAt, payloadAt, RlpError } from '../../host/chain/rlp_items.ts'
import { rlpBytes, rlpList } from '../../host/primitives/rlp.ts'
import { ToolError } from './tool_error.ts'

/** A block's transactions: an RLP list in which a typed one is a byte string, and a legacy one a list. */

/** Each transaction of the list as it comes over the wire, whether it is one or not. Throws ToolError. */
export const splitBody = (body: Uint8Array): Uint8Array[] => {
  try {
    if (checkItem(body, 0, body.length, 0) !== body.length) throw new RlpError('unread bytes left')
  } catch (thrown) {
    if (!(thrown instanceof RlpError)) throw thrown
    throw new ToolError('rlp', `the transactions are no RLP: ${thrown.message}`)
  }
  if (!isListAt(body, 0)) throw new ToolError('rlp', 'the transactions are no RLP list')
  const transactions: Uint8Array[] = []
  for (let item = payloadAt(body, 0); item < body.length; ) {
    const end = endAt(body, item)
    transactions.push(body.subarray(isListAt(body, item) ? item : payloadAt(body, item), end))
    item = end
  }
  return transactions
}

export const joinBody = (transactions: readonly Uint8Array[]): Uint8Array =>
  rlpList(transactions.map((bytes) => ((bytes[0] ?? 0) >= 0xc0 ? bytes : rlpBytes(bytes))))
