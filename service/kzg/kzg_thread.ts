import { type MessagePort, workerData } from 'node:worker_threads'
import { DasContextJs } from '@crate-crypto/node-eth-kzg'
import { serveCalls } from '../call_port.ts'
import type { KzgCalls } from './kzg_calls.ts'

/**
 * The thread of proofs of blobs: the context takes a second or two to make, a side-car of 6 blobs a tenth of one to
 * verify, and new proofs of a blob a third.
 */
const { port } = workerData as { readonly port: MessagePort }
const context = DasContextJs.create({ usePrecomp: false })
const CELLS = 128

/** What is no point, or no field element, proves nothing. */
const holds = (verify: () => boolean): boolean => {
  try {
    return verify()
  } catch {
    return false
  }
}

const kzg: KzgCalls = {
  verify: async ({ version, blobs, commitments, proofs }) =>
    holds(() => {
      if (version === 0) return context.verifyBlobKzgProofBatch([...blobs], [...commitments], [...proofs])
      const cells = blobs.flatMap((blob) => context.computeCells(blob))
      const ofCells = commitments.flatMap((commitment) => Array.from({ length: CELLS }, () => commitment))
      return context.verifyCellKzgProofBatch(
        ofCells,
        cells.map((_, i) => i % CELLS),
        cells,
        [...proofs],
      )
    }),
  cellProofs: async (blobs) => blobs.flatMap((blob) => context.computeCellsAndKzgProofs(blob).proofs),
}

serveCalls(port, { kzg }, () => undefined)
