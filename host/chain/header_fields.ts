import type { Fork } from '../../transpiler/spec/forks.ts'
import type { BlockHeader } from './header.ts'

interface HeaderField {
  /** Bytes of a field of fixed length. */
  readonly bytes?: number
  /** The first fork whose headers have the field; every header where absent. */
  readonly since?: Fork
}

/**
 * The fields of a header in the order of their RLP. `blockAccessListHash` belongs to no fork known here: it may be
 * there or not.
 */
export const headerFields: Readonly<Record<keyof BlockHeader, HeaderField>> = {
  parentHash: { bytes: 32 },
  uncleHash: { bytes: 32 },
  coinbase: { bytes: 20 },
  stateRoot: { bytes: 32 },
  transactionsRoot: { bytes: 32 },
  receiptsRoot: { bytes: 32 },
  logsBloom: { bytes: 256 },
  difficulty: {},
  number: {},
  gasLimit: {},
  gasUsed: {},
  timestamp: {},
  extraData: {},
  mixHash: { bytes: 32 },
  nonce: { bytes: 8 },
  baseFeePerGas: { since: 'london' },
  withdrawalsRoot: { bytes: 32, since: 'shanghai' },
  blobGasUsed: { since: 'cancun' },
  excessBlobGas: { since: 'cancun' },
  parentBeaconBlockRoot: { bytes: 32, since: 'cancun' },
  requestsHash: { bytes: 32, since: 'prague' },
  blockAccessListHash: { bytes: 32 },
}
