import type { Signatures } from '../chain/signatures.ts'
import { emptySenders, type Library, recoverRow } from './rows.ts'
import type { RecoveredSenders, RecoveryStop, SenderRecovery } from './sender_recovery.ts'

/** This thread is given back to others after so long. */
const SLICE_MS = 4

/** Recovery on this thread, row by row. */
export class ThreadRecovery implements SenderRecovery {
  readonly name = 'thread'
  readonly #library: Library

  constructor(library: Library = 'native') {
    this.#library = library
  }

  async recover(signatures: Signatures, stop?: RecoveryStop): Promise<RecoveredSenders> {
    const count = signatures.parity.length
    const senders = emptySenders(count)
    let sinceMs = performance.now()
    for (let i = 0; i < count; i++) {
      if (recoverRow(signatures, i, senders.addresses, this.#library)) senders.found[i] = 1
      if (performance.now() - sinceMs < SLICE_MS) continue
      await new Promise<void>((resolve) => setImmediate(resolve))
      stop?.check()
      sinceMs = performance.now()
    }
    return senders
  }

  close(): void {}
}
