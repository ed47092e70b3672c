import { bloomIndicesOfHex } from '../../host/chain/bloom.ts'
import type { LogFilter } from './views.ts'

/** Whether a block with this bloom may have a log that passes (YP 4.3.1): false is certain. */
export const mayHold = (logsBloom: string, { addresses, topics }: LogFilter): boolean => {
  const bloom = Buffer.from(logsBloom.slice(2), 'hex')
  const has = (hex: string): boolean =>
    bloomIndicesOfHex(hex).every((index) => (bloom[bloom.length - 1 - (index >>> 3)]! & (1 << (index & 7))) !== 0)
  return [addresses, ...topics].every((any) => any.length === 0 || any.some(has))
}
