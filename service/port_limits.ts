import type { PortOptions } from './listener/ports.ts'

const MIB = 1 << 20

/** A consensus client sends whole blocks, and is one. */
export const AUTH_LIMITS: PortOptions['limits'] = {
  bodyBytes: 128 * MIB,
  batch: 2000,
  connections: 256,
  headMs: 10_000,
  requestMs: 60_000,
}

/** Of the port that any program may call. */
export const PUBLIC_LIMITS: PortOptions['limits'] = {
  bodyBytes: 5 * MIB,
  batch: 1000,
  connections: 2048,
  headMs: 10_000,
  requestMs: 30_000,
}
