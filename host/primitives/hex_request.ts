import { requestFields } from './column_request.ts'

/** Where the module of packed_hex.ts leaves the next place to read, the end of what it wrote, and how many items. */
export const HEX_REQUEST = requestFields(['next', 'to', 'count'])
/** Why it stopped: see kernels/columns/hex.as. */
export const HEX_STATES = { more: 0, ended: 1, other: 2, full: 3 } as const
