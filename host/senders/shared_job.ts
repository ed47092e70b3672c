import type { Signatures } from '../chain/signatures.ts'
import { emptySenders, type Library, recoverRow } from './rows.ts'
import type { RecoveredSenders } from './sender_recovery.ts'

/**
 * Rows that several threads recover together, in one piece of shared memory. A thread claims the next rows by adding to
 * `next`, and marks each one when its address is written. Nothing waits for a mark: a row that has none may be
 * recovered again, by any thread, to the same address.
 *
 * next       i32[1]     the first row that no thread has claimed
 * state      u8[n]      OPEN, ABSENT or FOUND
 */
export interface SharedJob extends Signatures {
  readonly next: Int32Array
  readonly addresses: Uint32Array
  readonly state: Uint8Array
}

const OPEN = 0
const ABSENT = 1
const FOUND = 2

/** Rows that are claimed at once: less than a millisecond of work, so that threads end at about the same time. */
const CHUNK = 8

/** The signatures in shared memory. 118 bytes a row. */
export const shareJob = ({ hash, rs, parity }: Signatures): SharedJob => {
  const count = parity.length
  const next = new Int32Array(new SharedArrayBuffer(4))
  const addresses = new Uint32Array(new SharedArrayBuffer(20 * count))
  const bytes = (from: Uint8Array): Uint8Array => {
    const to = new Uint8Array(new SharedArrayBuffer(from.length))
    to.set(from)
    return to
  }
  const state = new Uint8Array(new SharedArrayBuffer(count))
  return { hash: bytes(hash), rs: bytes(rs), parity: bytes(parity), next, addresses, state }
}

/** Claims the next rows and recovers them. False: every row is claimed. */
export const recoverChunk = (job: SharedJob, library: Library): boolean => {
  const count = job.parity.length
  const first = Atomics.add(job.next, 0, CHUNK)
  for (let i = first; i < Math.min(count, first + CHUNK); i++) recoverShared(job, i, library)
  return first + CHUNK < count
}

/** Recovers of the rows below `end` the last one that is not marked. Where it stands; -1: there is none. */
export const recoverOpen = (job: SharedJob, end: number, library: Library): number => {
  for (let i = end - 1; i >= 0; i--) {
    if (Atomics.load(job.state, i) !== OPEN) continue
    recoverShared(job, i, library)
    return i
  }
  return -1
}

const recoverShared = (job: SharedJob, i: number, library: Library): void => {
  const isFound = recoverRow(job, i, job.addresses, library)
  Atomics.store(job.state, i, isFound ? FOUND : ABSENT)
}

/** Nothing of it is claimed any more. */
export const endJob = ({ next, parity }: SharedJob): void => {
  Atomics.store(next, 0, parity.length)
}

/** Out of shared memory. Every row is marked. */
export const sendersOf = ({ addresses, state }: SharedJob): RecoveredSenders => {
  const senders = emptySenders(state.length)
  senders.addresses.set(addresses)
  for (let i = 0; i < state.length; i++) senders.found[i] = state[i] === FOUND ? 1 : 0
  return senders
}
