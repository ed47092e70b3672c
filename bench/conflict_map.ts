import { EXACT_IN_F32, matrixProduct } from './conflict_matrix.ts'

/** What one transaction accessed: names of slots. A slot that it changed may stand in both. */
export interface Footprint {
  /** The called contract; undefined for a plain transfer or a creation. */
  readonly contract: string | undefined
  readonly reads: readonly string[]
  readonly writes: readonly string[]
}

/**
 * Which contracts' transactions conflict with which, by storage slots.
 *
 * counts   row-major n x n over `contracts`: counts[a n + b] is the number of (transaction that calls a, other
 *          transaction that calls b, slot) in one block, where the first accesses the slot and the second changes it
 */
export interface ConflictMap {
  readonly contracts: readonly string[]
  /** Transactions that call each contract. */
  readonly transactions: readonly number[]
  readonly counts: readonly number[]
  /** Contracts that were called and are left out, and how many transactions call them. */
  readonly leftOut: { readonly contracts: number; readonly transactions: number }
  readonly blocks: number
}

/** Contracts on the map: a page has room for so many. */
const MAP_SIZE = 16

/**
 * The map of several blocks; slots of different blocks never meet. Each block is one product of f32 matrices (contracts
 * x slots, accesses by transposed writes), exact because every sum stays below 2^24, which is checked.
 */
export const conflictMap = async (
  blocks: readonly (readonly Footprint[])[],
  size: number = MAP_SIZE,
): Promise<ConflictMap> => {
  const { contracts, transactions, leftOut } = chooseContracts(blocks, size)
  const counts = new Array<number>(contracts.length ** 2).fill(0)
  for (const block of blocks) {
    const { accesses, writes, own, slotCount } = incidence(block, contracts)
    if (contracts.length === 0 || slotCount === 0) continue
    const product = await matrixProduct(accesses, writes, slotCount)
    for (let at = 0; at < counts.length; at++) counts[at]! += product[at]!
    // A transaction is no conflict with itself.
    for (let a = 0; a < contracts.length; a++) counts[a * contracts.length + a]! -= own[a]!
  }
  return { contracts, transactions, counts, leftOut, blocks: blocks.length }
}

/** The same by counting pairs of transactions in integers: what the product is tested against. */
export const countedMap = (blocks: readonly (readonly Footprint[])[], size: number = MAP_SIZE): ConflictMap => {
  const { contracts, transactions, leftOut } = chooseContracts(blocks, size)
  const counts = new Array<number>(contracts.length ** 2).fill(0)
  for (const block of blocks) {
    for (const [i, one] of block.entries()) {
      for (const [j, other] of block.entries()) {
        const a = contracts.indexOf(one.contract ?? '')
        const b = contracts.indexOf(other.contract ?? '')
        if (i === j || a < 0 || b < 0) continue
        const accessed = new Set([...one.reads, ...one.writes])
        for (const slot of new Set(other.writes)) if (accessed.has(slot)) counts[a * contracts.length + b]!++
      }
    }
  }
  return { contracts, transactions, counts, leftOut, blocks: blocks.length }
}

/** The contracts that most transactions call, those first; ties by name. */
const chooseContracts = (blocks: readonly (readonly Footprint[])[], size: number) => {
  const calls = new Map<string, number>()
  for (const block of blocks) {
    for (const { contract } of block) if (contract !== undefined) calls.set(contract, (calls.get(contract) ?? 0) + 1)
  }
  const sorted = [...calls].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
  const rest = sorted.slice(size)
  return {
    contracts: sorted.slice(0, size).map(([contract]) => contract),
    transactions: sorted.slice(0, size).map(([, count]) => count),
    leftOut: { contracts: rest.length, transactions: rest.reduce((sum, [, count]) => sum + count, 0) },
  }
}

/**
 * contracts x slots: how many of the contract's transactions access, and change, each slot; and per contract the
 * (transaction, slot) pairs where a transaction changes the slot, which meet themselves in the product.
 */
const incidence = (block: readonly Footprint[], contracts: readonly string[]) => {
  const slots = new Map<string, number>()
  const numbered = block.flatMap(({ contract, reads, writes }) => {
    const row = contracts.indexOf(contract ?? '')
    if (row < 0) return []
    const number = (name: string): number => {
      const known = slots.get(name) ?? slots.size
      slots.set(name, known)
      return known
    }
    return [{ row, accessed: new Set([...reads, ...writes].map(number)), written: new Set(writes.map(number)) }]
  })
  const rows = () => contracts.map(() => new Float32Array(Math.max(1, slots.size)))
  const accesses = rows()
  const writes = rows()
  const own = contracts.map(() => 0)
  for (const { row, accessed, written } of numbered) {
    for (const slot of accessed) accesses[row]![slot]!++
    for (const slot of written) writes[row]![slot]!++
    own[row]! += written.size
  }
  // No sum can pass the product of the largest row sums.
  const most = Math.max(0, ...accesses.map(rowSum)) * Math.max(0, ...writes.map(largest))
  if (most >= EXACT_IN_F32) throw new RangeError(`a sum of up to ${most}: above 2^24 it is not exact in f32`)
  return { accesses, writes, own, slotCount: slots.size }
}

const rowSum = (row: Float32Array): number => row.reduce((sum, value) => sum + value, 0)
const largest = (row: Float32Array): number => row.reduce((most, value) => Math.max(most, value), 0)
