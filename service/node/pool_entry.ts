import type { TransactionObject } from '../../host/index.ts'
import type { InclusionTerms } from './inclusion_terms.ts'
import type { SideCar } from './side_car.ts'

/** A transaction of the pool. */
export interface PoolEntry {
  readonly hash: string
  readonly bytes: Uint8Array
  readonly transaction: TransactionObject
  /** Wei that it may take from its sender by gas and value, and blobs. */
  readonly cost: bigint
  /** Of a blob transaction. */
  readonly sideCar: SideCar | undefined
  /** Of one that is not for every block. */
  readonly terms?: InclusionTerms | undefined
}
