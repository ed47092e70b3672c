import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fittingTogether } from '../../service/node/built_size.ts'
import type { PoolEntry } from '../../service/node/pool_entry.ts'

/** Bytes that do not compress. */
const noise = (length: number): Uint8Array => {
  const parts = Array.from({ length: Math.ceil(length / 32) }, (_, n) => createHash('sha256').update(`${n}`).digest())
  return Uint8Array.from(Buffer.concat(parts).subarray(0, length))
}

const entry = (hash: string, from: string, length: number): PoolEntry =>
  ({ hash, bytes: noise(length), transaction: { from } }) as unknown as PoolEntry

describe('transactions that fit together in a block', () => {
  it('are none after one of their sender that does not: those of others have the room', () => {
    // What is small counts for 100 bytes, the least.
    const entries = [
      entry('a0', 'a', 20),
      entry('b0', 'b', 2000),
      entry('b1', 'b', 20),
      entry('a1', 'a', 20),
      entry('c0', 'c', 20),
      entry('a2', 'a', 20),
    ]
    const taken = (block: bigint) => fittingTogether(entries, { transaction: 0n, block }).map(({ hash }) => hash)
    expect(taken(300n)).toStrictEqual(['a0', 'a1', 'c0'])
    expect(taken(299n)).toStrictEqual(['a0', 'a1'])
    expect(taken(0n)).toStrictEqual(entries.map(({ hash }) => hash))
  })
})
