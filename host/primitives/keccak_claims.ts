import type { KeccakChunk } from './keccak_memory.ts'

/**
 * How threads share a chunk of messages: words at byte 512 of the memory that they hash in.
 *
 * TURN   counts the chunks that were offered; threads sleep on it
 * LEFT   pieces that are not claimed. A claim is a subtraction that meets a number above 0; it is below where more
 *        threads asked
 * DONE   pieces that are hashed
 * then   the chunk, in the order of CHUNK_FIELDS
 *
 * Nothing of it is written while a claimed piece is not done, so a thread with a claim reads the chunk that it claimed.
 */
const CONTROL_BYTES = 512
const TURN = 0
const LEFT = 1
const DONE = 2
const FIELDS = 3
const CHUNK_FIELDS = ['count', 'at', 'lengths', 'holeStart', 'holeAt', 'holeOf', 'own'] as const
/** Messages of a piece. */
export const PIECE = 32

export type HashMessages = (chunk: KeccakChunk, first: number, end: number) => void

export const controlOf = (memory: SharedArrayBuffer): Int32Array =>
  new Int32Array(memory, CONTROL_BYTES, FIELDS + CHUNK_FIELDS.length)

/** Offers a chunk to the threads that sleep. The one before is done. */
export const offerChunk = (control: Int32Array, chunk: KeccakChunk): void => {
  for (const [n, field] of CHUNK_FIELDS.entries()) control[FIELDS + n] = chunk[field]
  Atomics.store(control, DONE, 0)
  Atomics.store(control, LEFT, Math.ceil(chunk.count / PIECE))
  Atomics.add(control, TURN, 1)
  Atomics.notify(control, TURN)
}

/** Hashes pieces of the chunk that is offered until there are none to claim. */
export const takePart = (control: Int32Array, hash: HashMessages): void => {
  for (;;) {
    const left = Atomics.sub(control, LEFT, 1)
    if (left <= 0) return
    const chunk = chunkOf(control)
    const first = PIECE * (left - 1)
    hash(chunk, first, Math.min(chunk.count, first + PIECE))
    Atomics.add(control, DONE, 1)
    Atomics.notify(control, DONE)
  }
}

const chunkOf = (control: Int32Array): KeccakChunk => {
  const [count, at, lengths, holeStart, holeAt, holeOf, own] = control.subarray(FIELDS)
  return {
    count: count!,
    at: at!,
    lengths: lengths!,
    holeStart: holeStart!,
    holeAt: holeAt!,
    holeOf: holeOf!,
    own: own!,
  }
}

/** Whether all pieces of the chunk are done; waits while others go on with theirs, but not for one that hangs. */
export const waitForDone = (control: Int32Array, { count }: KeccakChunk, patienceMs: number): boolean => {
  const pieces = Math.ceil(count / PIECE)
  for (;;) {
    const done = Atomics.load(control, DONE)
    if (done === pieces) return true
    if (Atomics.wait(control, DONE, done, patienceMs) === 'timed-out') return Atomics.load(control, DONE) === pieces
  }
}

/** Pieces of the chunk that no thread has hashed yet. */
export const piecesLeft = (control: Int32Array, { count }: KeccakChunk): number =>
  Math.ceil(count / PIECE) - Atomics.load(control, DONE)

/** A worker's life. */
export const takePartForever = (control: Int32Array, hash: HashMessages): never => {
  for (;;) {
    const turn = Atomics.load(control, TURN)
    takePart(control, hash)
    Atomics.wait(control, TURN, turn)
  }
}
