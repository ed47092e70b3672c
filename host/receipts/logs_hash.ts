import type { Log } from '../chain/log.ts'
import { keccak256Hex } from '../primitives/keccak.ts'
import { rlpHex, rlpList } from '../primitives/rlp.ts'

/** keccak-256 of the RLP of all logs, 0x-hex, as state tests and transition tools tell it. */
export const logsHash = (logs: readonly Log[]): string =>
  keccak256Hex(
    rlpList(
      logs.map(({ address, topics, data }) => rlpList([rlpHex(address), rlpList(topics.map(rlpHex)), rlpHex(data)])),
    ),
  )
