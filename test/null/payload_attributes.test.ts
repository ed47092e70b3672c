import { describe, expect, it } from 'vitest'
import type { PayloadAttributes } from '../../service/node/engine_types.ts'
import { checkAttributes } from '../../service/node/versions.ts'

const HASH = `0x${'00'.repeat(32)}`
const PARENT_TIME = 100n
const V1: PayloadAttributes = {
  timestamp: PARENT_TIME + 1n,
  prevRandao: HASH,
  suggestedFeeRecipient: `0x${'00'.repeat(20)}`,
}
const V2: PayloadAttributes = { ...V1, withdrawals: [] }
const V3: PayloadAttributes = { ...V2, parentBeaconBlockRoot: HASH }
const late = (attributes: PayloadAttributes): PayloadAttributes => ({ ...attributes, timestamp: PARENT_TIME })

/** execution-apis src/engine/cancun.md, engine_forkchoiceUpdatedV3: the checks have an order. */
describe('payload attributes are checked for their shape, then the fork, then the time', () => {
  it.each([
    ['no withdrawals, another fork, too early', 3, 'shanghai', late(V1), -38003],
    ['another fork, too early', 3, 'shanghai', late(V3), -38005],
    ['another fork, too early', 2, 'cancun', late(V2), -38005],
    ['another fork, too early', 1, 'shanghai', late(V1), -38005],
    ['too early', 3, 'osaka', late(V3), -38003],
    ['too early', 2, 'shanghai', late(V2), -38003],
    ['too early', 1, 'paris', late(V1), -38003],
  ] as const)('%s (V%i at %s)', (_, version, fork, attributes, code) => {
    expect(() => checkAttributes(version, fork, attributes, PARENT_TIME)).toThrow(expect.objectContaining({ code }))
  })
})
