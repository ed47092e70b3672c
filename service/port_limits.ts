import type { FlashblockPortOptions } from './listener/flashblock_port.ts'
import type { PortOptions } from './listener/ports.ts'

const MIB = 1 << 20

/** Of one WebSocket. A whole payload may be among what waits for the consensus client. */
const AUTH_CONNECTION = { queueBytes: 256 * MIB, calls: 64, subscriptions: 100, pingMs: 30_000 }
const PUBLIC_CONNECTION = { queueBytes: 16 * MIB, calls: 32, subscriptions: 100, pingMs: 30_000 }

/** A consensus client sends whole blocks, and is one. */
export const AUTH_LIMITS: PortOptions['limits'] = {
  bodyBytes: 128 * MIB,
  batch: 2000,
  replyLength: 256 * MIB,
  connections: 256,
  ...AUTH_CONNECTION,
  headMs: 10_000,
  requestMs: 60_000,
}

/** Of the port that any program may call. */
export const PUBLIC_LIMITS: PortOptions['limits'] = {
  bodyBytes: 5 * MIB,
  batch: 1000,
  replyLength: 64 * MIB,
  connections: 2048,
  ...PUBLIC_CONNECTION,
  headMs: 10_000,
  requestMs: 30_000,
}

/** Of those that listen to sub-blocks. */
export const FLASHBLOCK_LIMITS: Omit<FlashblockPortOptions, 'host' | 'port'> = {
  connections: 256,
  queueBytes: 64 * MIB,
  pingMs: 30_000,
}
