import type { SideCar } from '../node/side_car.ts'

/** What is computed of blobs (EIP-4844, EIP-7594). */
export interface KzgCalls {
  /** Whether all proofs of a side-car hold. */
  verify(sideCar: SideCar): Promise<boolean>
  /** 128 proofs for each blob. */
  cellProofs(blobs: readonly Uint8Array[]): Promise<readonly Uint8Array[]>
}
