import type { Log } from '../chain/log.ts'
import { rlpHex, rlpList } from '../primitives/rlp.ts'

/** The RLP of logs (YP 4.3.1), one after another, without the head of their list. */
export const encodeLogs = (logs: readonly Log[]): Uint8Array => new Uint8Array(Buffer.concat(logs.map(encodeLog)))

const encodeLog = ({ address, topics, data }: Log): Uint8Array =>
  rlpList([rlpHex(address), rlpList(topics.map(rlpHex)), rlpHex(data)])
