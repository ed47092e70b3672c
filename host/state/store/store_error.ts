/**
 * Why a store refuses. `folder`: it is none, cannot be written, or lies on a network; `inUse`: another process has it;
 * `schema`, `chain`: it was made by another version, for another chain; `empty`: it holds no chain; `damaged`: what it
 * holds cannot be; `write`: the disk refused; `depth`: a rewind goes beyond the undo records, or to no ancestor;
 * `memory`: blocks that are not on disk take their budget; `package`: the database is not installed; `closed`.
 *
 * Example: {@link StoreError}.
 */
export type StoreFault =
  | 'folder'
  | 'inUse'
  | 'schema'
  | 'chain'
  | 'empty'
  | 'damaged'
  | 'write'
  | 'depth'
  | 'memory'
  | 'package'
  | 'closed'

/**
 * A store cannot do what was asked: one line with the folder and the cause. Nothing of it was done.
 *
 * @example
 * import { openChain, StoreError } from 'wgevm'
 *
 * try {
 *   await openChain({ path: '/no/such/folder' })
 * } catch (error) {
 *   console.log(error instanceof StoreError && error.fault) // empty
 * }
 */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly folder: string
  readonly fault: StoreFault

  constructor(folder: string, fault: StoreFault, what: string, cause?: unknown) {
    super(`${folder}: ${what}`, cause === undefined ? {} : { cause })
    this.folder = folder
    this.fault = fault
  }
}

/** The message of anything that was thrown, on one line. */
export const lineOf = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : String(thrown)).replaceAll(/\s*\n\s*/g, ' ')

/** What LMDB threw while a store was read, which says that a page is damaged, as a StoreError; all else as it is. */
export const readFault = (folder: string, thrown: unknown): unknown => {
  const { code } = (thrown ?? {}) as { readonly code?: unknown }
  if (thrown instanceof StoreError || typeof code !== 'number' || code >= 0) return thrown
  return new StoreError(folder, 'damaged', `the store is damaged: ${lineOf(thrown)}`, thrown)
}
