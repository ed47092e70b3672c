import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { type Environment, openEnvironment, viewEnvironment } from '../../host/state/store/environment.ts'
import { Places } from '../../host/state/store/places.ts'
import { WriteParts } from '../../host/state/store/write_parts.ts'

const VOLUME = 10
const folders: string[] = []
const opened: Environment[] = []

afterEach(async () => {
  for (const environment of opened.splice(0).reverse()) await environment.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const openIn = async (folder: string): Promise<Environment> => {
  const environment = await openEnvironment(folder, { create: true })
  opened.push(environment)
  return environment
}

const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'places-'))
  folders.push(folder)
  return join(folder, 'store')
}

/** Volumes as they are on disk: first block and transactions of each. */
const volumesOf = ({ tables }: Environment): number[][] =>
  [...tables.volumes.getRange()].map(({ value }) => {
    const bytes = Buffer.from(value)
    return [Number(bytes.readBigUInt64BE()), bytes.readUInt32BE(8)]
  })

describe('places of transactions', () => {
  test('are those of the chain, whatever goes back and comes, and through which reader', async () => {
    const random = createRandom(11, 'places')
    const folder = newFolder()
    let environment = await openIn(folder)
    let places = new Places(environment, VOLUME)
    const view = await viewEnvironment(folder)
    opened.push(view)
    const viewed = new Places(view, VOLUME)
    /** By block: hashes of its transactions. */
    const chain: Uint8Array[] = []
    const gone: Uint8Array[] = []
    const hashes = (): Uint8Array => Uint8Array.from({ length: 32 * random.below(7) }, () => random.below(256))
    const write = (work: (parts: WriteParts) => void): void =>
      environment.root.transactionSync(() => work(new WriteParts(environment.root)))
    const each = (of: Uint8Array, take: (hash: Uint8Array, index: number) => void): void => {
      for (let index = 0; index < of.length / 32; index++) take(of.subarray(32 * index, 32 * index + 32), index)
    }
    let most = 0
    for (let round = 0; round < 120; round++) {
      const back = random.below(4) === 0 ? random.below(chain.length + 1) : 0
      const next = Array.from({ length: random.below(4) }, hashes)
      const fails = random.below(5) === 0
      const change = (): void =>
        write((parts) => {
          for (let n = 0; n < back; n++) places.remove(BigInt(chain.length - 1 - n), chain.at(-1 - n)!, parts)
          for (const [n, of] of next.entries()) places.put(BigInt(chain.length - back + n), of, parts)
          if (fails) throw new Error('stop')
        })
      if (fails) {
        expect(change).toThrow('stop')
        places.forget()
        gone.push(...next)
      } else {
        change()
        gone.push(...chain.splice(chain.length - back))
        chain.push(...next)
      }
      if (random.below(10) === 0) {
        await environment.close()
        opened.splice(opened.indexOf(environment), 1)
        environment = await openIn(folder)
        places = new Places(environment, VOLUME)
      }
      await new Promise((resolve) => setImmediate(resolve))
      view.root.resetReadTxn()
      for (const reader of [places, viewed]) {
        for (const [number, of] of chain.entries())
          each(of, (hash, index) => expect(reader.of(hash)).toEqual({ number: BigInt(number), index }))
        for (const of of gone.slice(-20)) each(of, (hash) => expect(reader.of(hash)).toBeUndefined())
      }
      const total = chain.reduce((sum, { length }) => sum + length / 32, 0)
      expect(environment.tables.places.getStats()).toMatchObject({ entryCount: total })
      expect(volumesOf(environment).reduce((sum, [, count]) => sum + count!, 0)).toBe(total)
      most = Math.max(most, volumesOf(environment).length)
    }
    expect(most).toBeGreaterThan(5)
  })

  test('begin another volume where the last one is full, and one for a block that is more than that', async () => {
    const environment = await openIn(newFolder())
    const places = new Places(environment, VOLUME)
    const sizes = [4, 6, 1, 25, 0, 9, 1, 1]
    for (const [number, size] of sizes.entries())
      environment.root.transactionSync(() =>
        places.put(
          BigInt(number),
          Uint8Array.from({ length: 32 * size }, (_, i) => (i % 32 === 0 ? number : i % 32 === 1 ? i / 32 : 7)),
          new WriteParts(environment.root),
        ),
      )
    expect(volumesOf(environment)).toEqual([
      [0, 10],
      [2, 1],
      [3, 25],
      [5, 10],
      [7, 1],
    ])
  })
})
