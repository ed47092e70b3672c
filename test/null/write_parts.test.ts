import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Environment, openEnvironment, type Table } from '../../host/state/store/environment.ts'
import { WriteParts } from '../../host/state/store/write_parts.ts'

const below = mkdtempSync(join(tmpdir(), 'wgevm-parts-'))
afterAll(() => rmSync(below, { recursive: true, force: true }))

const ROWS = 5000
const keyOf = (row: number): Uint8Array => Buffer.from(row.toString(16).padStart(8, '0'), 'hex')
const bytesOf = (row: number, of: number): Uint8Array => Uint8Array.of(of, row, row >> 8)

const contents = (table: Table): string[] =>
  [...table.getRange({})].map(
    ({ key, value }) => `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`,
  )

const expected = (of: number): string[] =>
  Array.from(
    { length: ROWS },
    (_, row) => `${Buffer.from(keyOf(row)).toString('hex')} ${Buffer.from(bytesOf(row, of)).toString('hex')}`,
  )

/** Writes rows of two tables as one transaction, the second from `fail` on not. */
const write = ({ root, tables }: Environment, of: number, fail = ROWS): void =>
  root.transactionSync(() => {
    const parts = new WriteParts(root)
    parts.run(tables.accounts, ROWS, (row) => tables.accounts.putSync(keyOf(row), bytesOf(row, of)))
    parts.run(tables.nodes, ROWS, (row) => {
      if (row === fail) throw new Error('no more')
      tables.nodes.putSync(keyOf(row), bytesOf(row, of))
    })
  })

describe('rows that are written in parts', () => {
  test('are all there after their transaction, in a new folder and over others, also where it is opened again', async () => {
    const path = join(below, 'all')
    const environment = await openEnvironment(path, { create: true })
    for (const of of [1, 2]) {
      write(environment, of)
      for (const table of [environment.tables.accounts, environment.tables.nodes])
        expect(contents(table)).toEqual(expected(of))
    }
    await environment.close()
    const again = await openEnvironment(path, { create: false })
    expect(contents(again.tables.nodes)).toEqual(expected(2))
    await again.close()
  })

  test('are none of them there where one throws, however many parts were written before it', async () => {
    const environment = await openEnvironment(join(below, 'none'), { create: true })
    write(environment, 1)
    for (const fail of [0, 2047, 2048, 4999]) expect(() => write(environment, 2, fail)).toThrow('no more')
    for (const table of [environment.tables.accounts, environment.tables.nodes])
      expect(contents(table)).toEqual(expected(1))
    write(environment, 2)
    expect(contents(environment.tables.nodes)).toEqual(expected(2))
    await environment.close()
  })
})

describe('children of a transaction', () => {
  /** Counts children; the one of this number fails. */
  const rootWith = (failing = -1) => {
    const root = {
      children: 0,
      transactionSync: <Result>(work: () => Result): Result => {
        const result = work()
        if (root.children++ === failing) throw Object.assign(new Error('disk'), { code: 28 })
        return result
      },
    }
    return root
  }
  const tableOf = (treeLeafPageCount: number) => ({
    getStats: () => ({ treeLeafPageCount, overflowPages: 0, entryCount: 30 * treeLeafPageCount }),
  })
  const rowsOf = (root: ReturnType<typeof rootWith>, leaves: number, count: number): number[] => {
    const rows: number[] = []
    new WriteParts(root).run(tableOf(leaves), count, (row) => rows.push(row))
    return rows
  }
  const all = (count: number): number[] => Array.from({ length: count }, (_, row) => row)

  test('are none for few rows, one for every 2,048 of many', () => {
    for (const [count, children] of [
      [2048, 0],
      [2049, 2],
      [6144, 3],
    ] as const) {
      const root = rootWith()
      expect(rowsOf(root, 100, count)).toEqual(all(count))
      expect(root.children).toBe(children)
    }
  })

  test('end where most pages of a transaction may be changed, over all tables', () => {
    const root = rootWith()
    const parts = new WriteParts(root)
    const leaves = 1_000_000
    let rows = 0
    for (let n = 0; n < 4; n++) parts.run(tableOf(leaves), 40_960, () => rows++)
    expect(rows).toBe(4 * 40_960)
    expect(root.children).toBeGreaterThan(40)
    expect(2048 * root.children).toBeLessThan(110_000)
  })

  test('end sooner in an empty table, and where rows take pages of their own', () => {
    for (const stats of [
      { treeLeafPageCount: 0, overflowPages: 0, entryCount: 0 },
      { treeLeafPageCount: 10, overflowPages: 0, entryCount: 1000 },
      { treeLeafPageCount: 10_000, overflowPages: 1_000_000, entryCount: 1_000_000 },
    ]) {
      const root = rootWith()
      let rows = 0
      new WriteParts(root).run({ getStats: () => stats }, 140_000, () => rows++)
      expect(rows).toBe(140_000)
      expect(root.children).toBeGreaterThan(40)
      expect(2048 * root.children).toBeLessThan(115_000)
    }
  })

  test('that fail fail the whole', () => {
    for (const failing of [0, 2]) expect(() => rowsOf(rootWith(failing), 100, 8192)).toThrow('disk')
  })
})
