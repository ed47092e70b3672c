/**
 * How threads share a stretch of work, cut into pieces: words of shared memory.
 *
 * TURN   counts the stretches that were offered; threads sleep on it
 * LEFT   pieces that are not claimed. A claim is a subtraction that meets a number above 0; it is below where more
 *        threads asked
 * DONE   pieces that are done
 * then   the stretch, in the order of STRETCH_FIELDS
 *
 * Nothing of it is written while a claimed piece is not done, so a thread with a claim reads the stretch that it
 * claimed. What a thread wrote before its piece was done is seen by each that claims one of a later stretch.
 */
const TURN = 0
const LEFT = 1
const DONE = 2
const FIELDS = 3
const STRETCH_FIELDS = ['arrays', 'kind', 'first', 'end'] as const
export const CONTROL_WORDS = FIELDS + STRETCH_FIELDS.length
/** Nodes of a piece. */
export const PIECE = 128

/** Nodes of one kind by their places in the list of ids, in the arrays of this number. */
export type Stretch = Readonly<Record<(typeof STRETCH_FIELDS)[number], number>>

export type HashStretch = (stretch: Stretch, first: number, end: number) => void

const piecesOf = ({ first, end }: Stretch): number => Math.ceil((end - first) / PIECE)

/** Offers a stretch to the threads that sleep. The one before is done. */
export const offerStretch = (control: Int32Array, stretch: Stretch): void => {
  for (const [n, field] of STRETCH_FIELDS.entries()) control[FIELDS + n] = stretch[field]
  Atomics.store(control, DONE, 0)
  Atomics.store(control, LEFT, piecesOf(stretch))
  Atomics.add(control, TURN, 1)
  Atomics.notify(control, TURN)
}

/** Does pieces of the stretch that is offered until there are none to claim. */
export const takePieces = (control: Int32Array, hash: HashStretch): void => {
  for (;;) {
    const left = Atomics.sub(control, LEFT, 1)
    if (left <= 0) return
    const [arrays, kind, first, end] = control.subarray(FIELDS) as unknown as [number, number, number, number]
    const from = first + PIECE * (left - 1)
    hash({ arrays, kind, first, end }, from, Math.min(end, from + PIECE))
    Atomics.add(control, DONE, 1)
    Atomics.notify(control, DONE)
  }
}

/** Whether all pieces are done; waits while others go on with theirs, but not for one that hangs. */
export const waitForPieces = (control: Int32Array, stretch: Stretch, patienceMs: number): boolean => {
  const pieces = piecesOf(stretch)
  for (;;) {
    const done = Atomics.load(control, DONE)
    if (done === pieces) return true
    if (Atomics.wait(control, DONE, done, patienceMs) === 'timed-out') return Atomics.load(control, DONE) === pieces
  }
}

/** A worker's life. */
export const takePiecesForever = (control: Int32Array, hash: HashStretch): never => {
  for (;;) {
    const turn = Atomics.load(control, TURN)
    takePieces(control, hash)
    Atomics.wait(control, TURN, turn)
  }
}
