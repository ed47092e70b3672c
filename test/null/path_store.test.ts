import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodePath, encodePath, pathKeyHash } from '../../host/tiers/path/store/file.ts'
import { openPathStore, type PathStore } from '../../host/tiers/path/store/store.ts'
import { transpilerVersion } from '../../host/tiers/path/store/version.ts'
import type { PathKernel } from '../../transpiler/path_kernel.ts'
import { transpilePath } from '../../transpiler/transpile.ts'
import { assemble } from '../fixtures/assembler.ts'
import { abi, recordState, transaction, worldOf } from '../fixtures/world.ts'

const VERSION = '0123456789abcdef'
const OTHER_VERSION = 'fedcba9876543210'

/**
 * A path with constants, a store, a log and guards; even and odd `n` give two, of the same key for equal `selector`.
 */
const path = async (n: number, selector = 1): Promise<PathKernel> => {
  const source =
    'PUSH 4 CALLDATALOAD DUP1 PUSH 36 CALLDATALOAD PUSH @go JUMPI STOP go: PUSH 3 SSTORE CALLER PUSH 0 MSTORE PUSH 7 PUSH 32 PUSH 0 LOG1 STOP'
  const data = abi(selector, 5n, n % 2 === 0 ? 1n : 0n)
  const result = await transpilePath(transaction({ data }), recordState(worldOf(assemble(source))))
  if (result.kind !== 'kernel') throw new Error(result.reason)
  return result.kernel
}

let folder: string
let warnings: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wgevm-path-store-'))
  warnings = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = (options: { version?: string; maxBytes?: number; folder?: string } = {}): PathStore =>
  openPathStore({ folder, version: VERSION, warn: (text) => warnings.push(text), ...options })

const files = (version = VERSION): string[] => {
  const within = join(folder, version)
  return existsSync(within) ? readdirSync(within).map((name) => join(within, name)) : []
}

const plain = (kernel: PathKernel): PathKernel => ({ ...kernel })

describe('a path as bytes', () => {
  test('comes back field by field, bigints and programs included', async () => {
    const kernel = {
      ...(await path(0)),
      output: { bytes: 32, words: [{ kind: 'constant', value: (1n << 256n) - 1n } as const] },
    }
    const decoded = decodePath(encodePath(kernel, VERSION), VERSION)
    expect(plain(decoded)).toEqual(plain(kernel))
    expect(decoded.program?.code).toBeInstanceOf(Uint32Array)
  })

  test('is refused with any one byte changed', async () => {
    const bytes = encodePath(await path(0), VERSION)
    for (let at = 0; at < bytes.length; at += 1 + Math.floor(bytes.length / 97)) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      expect(() => decodePath(changed, VERSION), `byte ${at}`).toThrow(/is damaged|is not a recorded path/)
    }
  })

  test('is refused cut short anywhere', async () => {
    const bytes = encodePath(await path(0), VERSION)
    for (const length of [0, 7, 8, 40, 43, 44, 100, bytes.length - 1])
      expect(() => decodePath(bytes.subarray(0, length), VERSION), `${length} bytes`).toThrow()
  })

  test('is refused where its program reads what is not its own', async () => {
    const kernel = await path(0)
    const code = kernel.program!.code.slice()
    code[1] = 0x3fff
    const bytes = encodePath({ ...kernel, program: { ...kernel.program!, code } }, VERSION)
    expect(() => decodePath(bytes, VERSION)).toThrow('has no sound program: instruction 0: a register is read')
  })

  test('is refused when another version wrote it', async () => {
    const bytes = encodePath(await path(0), OTHER_VERSION)
    expect(() => decodePath(bytes, VERSION)).toThrow('another version')
  })

  test('has a key hash that depends on every field, not on their order', async () => {
    const { key } = await path(0)
    const reversed = Object.fromEntries(Object.entries(key).reverse()) as typeof key
    expect(pathKeyHash(reversed)).toBe(pathKeyHash(key))
    const others = [
      { ...key, selector: key.selector + 1 },
      { ...key, calldataBytes: key.calldataBytes + 1 },
      { ...key, valueIsZero: !key.valueIsZero },
      { ...key, fork: 'cancun' as const },
      { ...key, skeleton: `${key.skeleton}x` },
    ]
    expect(new Set([key, ...others].map(pathKeyHash)).size).toBe(1 + others.length)
  })
})

describe('the path store', () => {
  test('gives a second process what the first one recorded', async () => {
    const [kernel, other] = [await path(0), await path(1)]
    const first = open()
    first.save(kernel)
    first.save(other)
    first.save(kernel)
    await first.flush()
    expect(files()).toHaveLength(2)
    const second = open()
    const byId = (a: PathKernel, b: PathKernel) => (a.id < b.id ? -1 : 1)
    expect(second.load(kernel.key).map(plain).sort(byId)).toEqual([kernel, other].map(plain).sort(byId))
    expect(second.load({ ...kernel.key, calldataBytes: 3 })).toEqual([])
    expect(warnings).toEqual([])
  })

  test('gives at once what was saved in this process, written or not', async () => {
    const kernel = await path(0)
    const store = open({ folder: '/proc/no/such' })
    store.save(kernel)
    expect(store.load(kernel.key)).toEqual([kernel])
    await store.flush()
    expect(store.load(kernel.key)).toEqual([kernel])
    expect(warnings).toHaveLength(1)
  })

  test('ignores what is corrupt, cut short, foreign or misnamed, with one warning in all', async () => {
    const kernels = await Promise.all([0, 1, 2, 3].map((n) => path(n, n + 1)))
    const first = open()
    for (const kernel of kernels) first.save(kernel)
    await first.flush()
    const named = (kernel: PathKernel) => files().find((file) => file.includes(kernel.id))!
    writeFileSync(named(kernels[0]!), 'something else')
    truncateSync(named(kernels[1]!), 200)
    writeFileSync(named(kernels[2]!), readFileSync(named(kernels[3]!)))
    writeFileSync(join(folder, VERSION, 'notes.txt'), 'left here by somebody')
    const second = open()
    expect(kernels.map(({ key }) => second.load(key).length)).toEqual([0, 0, 0, 1])
    expect(warnings).toEqual([expect.stringContaining('is not a recorded path')])
  })

  test('replaces a damaged file when its path is recorded again', async () => {
    const kernel = await path(0)
    const first = open()
    first.save(kernel)
    await first.flush()
    truncateSync(files()[0]!, 10)
    const second = open()
    expect(second.load(kernel.key)).toEqual([])
    second.save(kernel)
    await second.flush()
    expect(open().load(kernel.key)).toHaveLength(1)
  })

  test('keeps versions apart, and keeps one other version only', async () => {
    const kernel = await path(0)
    const versions = ['a'.repeat(16), 'b'.repeat(16), OTHER_VERSION]
    for (const [n, version] of versions.entries()) {
      const store = open({ version })
      expect(store.load(kernel.key)).toEqual([])
      store.save(kernel)
      await store.flush()
      utimesSync(join(folder, version), n + 1, n + 1)
    }
    const store = open()
    expect(store.load(kernel.key)).toEqual([])
    store.save(kernel)
    await store.flush()
    expect(readdirSync(folder).sort()).toEqual([VERSION, OTHER_VERSION].sort())
  })

  test('stays below its bound: the oldest paths go first', async () => {
    const kernels = await Promise.all(Array.from({ length: 12 }, (_, n) => path(n, n + 1)))
    const size = encodePath(kernels[0]!, VERSION).length
    const store = open({ maxBytes: 6 * size })
    for (const [n, kernel] of kernels.entries()) {
      store.save(kernel)
      await store.flush()
      for (const file of files()) if (file.includes(kernel.id)) utimesSync(file, 1000 + n, 1000 + n)
    }
    const bytes = files().reduce((sum, file) => sum + statSync(file).size, 0)
    expect(bytes).toBeLessThanOrEqual(6 * size)
    const second = open()
    expect(second.load(kernels[0]!.key)).toEqual([])
    expect(second.load(kernels[11]!.key)).toHaveLength(1)
  })

  test('takes writers side by side: every path is whole, none is lost', async () => {
    const kernels = await Promise.all(Array.from({ length: 8 }, (_, n) => path(n, n + 1)))
    const stores = [open(), open(), open()]
    for (const kernel of kernels) for (const store of stores) store.save(kernel)
    await Promise.all(stores.map((store) => store.flush()))
    const reader = open()
    expect(kernels.map(({ key }) => reader.load(key).length)).toEqual(kernels.map(() => 1))
    expect(files()).toHaveLength(kernels.length)
    expect(warnings).toEqual([])
  })

  test('goes on when the folder is removed under it', async () => {
    const [kernel, other] = [await path(0, 1), await path(1, 2)]
    const store = open()
    store.save(kernel)
    await store.flush()
    rmSync(join(folder, VERSION), { recursive: true })
    store.save(other)
    await store.flush()
    expect(open().load(other.key)).toHaveLength(1)
    expect(warnings).toEqual([])
  })

  test('does not use a folder that others may write to', async () => {
    const kernel = await path(0)
    const first = open()
    first.save(kernel)
    await first.flush()
    chmodSync(join(folder, VERSION), 0o777)
    const second = open()
    expect(second.load(kernel.key)).toEqual([])
    expect(warnings).toEqual([expect.stringContaining('writable by other users')])
  })

  test('warns once and writes nothing where a file stands in the place of its folder', async () => {
    const place = join(folder, 'file')
    writeFileSync(place, 'not a folder')
    const store = open({ folder: place })
    for (const n of [0, 1, 2]) store.save(await path(n))
    await store.flush()
    expect(warnings).toHaveLength(1)
    expect(readFileSync(place, 'utf8')).toBe('not a folder')
  })

  test('removes what a killed process left half-written, when it is old', async () => {
    mkdirSync(join(folder, VERSION), { mode: 0o700 })
    const [old, fresh] = ['.old', '.fresh'].map((name) => join(folder, VERSION, name)) as [string, string]
    writeFileSync(old, 'half')
    writeFileSync(fresh, 'half')
    utimesSync(old, 1, 1)
    const store = open()
    store.save(await path(0))
    await store.flush()
    expect([existsSync(old), existsSync(fresh)]).toEqual([false, true])
  })
})

test('the transpiler names itself the same way each time', () => {
  expect(transpilerVersion()).toMatch(/^[0-9a-f]{16}$/)
  expect(transpilerVersion()).toBe(transpilerVersion())
})
