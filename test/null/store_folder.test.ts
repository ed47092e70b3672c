import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { afterAll, describe, expect, test } from 'vitest'
import { openChain, parseGenesis, StoreError } from '../../host/index.ts'
import { networkFileSystem } from '../../host/state/store/folder.ts'
import { readFault } from '../../host/state/store/store_error.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'

const root = mkdtempSync(join(tmpdir(), 'wgevm-folder-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const newFolder = (): string => join(root, `${folders++}`)

const genesis = parseGenesis(builtGenesis())

/** A folder with a chain at its genesis, closed. */
const begun = async (): Promise<string> => {
  const path = newFolder()
  await (await openChain({ path, genesis })).close()
  return path
}

const faultOf = async (path: string, withGenesis = true): Promise<string> => {
  try {
    await (await openChain(withGenesis ? { path, genesis } : { path })).close()
    return 'none'
  } catch (thrown) {
    if (!(thrown instanceof StoreError)) throw thrown
    expect(thrown.message).not.toContain('\n')
    expect(thrown.folder).toBe(path)
    return `${thrown.fault}: ${thrown.message.slice(path.length + 2)}`
  }
}

describe('a folder', () => {
  test('that is a file is refused, and one that is not there has no chain', async () => {
    const file = newFolder()
    writeFileSync(file, '')
    expect(await faultOf(file)).toBe('folder: is a file, expected a folder')
    expect(await faultOf(newFolder(), false)).toBe('empty: there is no such folder')
    expect(await faultOf(join(file, 'below'))).toMatch(/^folder: cannot be made: ENOTDIR/)
    const empty = newFolder()
    mkdirSync(empty)
    expect(await faultOf(empty, false)).toMatch(/^empty: holds no chain yet: begin one with a genesis/)
  })

  test('that may not be written is refused', async () => {
    const path = await begun()
    chmodSync(root, 0o755)
    chmodSync(path, 0o555)
    const isRoot = process.geteuid!() === 0
    // Nothing stops root: for a moment the process is another user.
    if (isRoot) process.seteuid!(65_534)
    try {
      expect(await faultOf(path)).toMatch(/^folder: .*(EACCES|denied)/)
    } finally {
      if (isRoot) process.seteuid!(0)
      chmodSync(path, 0o755)
    }
    expect(await faultOf(path)).toBe('none')
  })

  test('on a network is refused by the number of its file system', () => {
    expect(networkFileSystem(0x6969)).toBe('NFS')
    // As a signed number of 32 bits.
    expect(networkFileSystem(0xff53_4d42 | 0)).toBe('CIFS')
    expect(networkFileSystem(0x0102_1997)).toBe('9P')
    expect(networkFileSystem(0xef53)).toBeUndefined()
  })

  test('that this process has is refused, and is free when it is closed', async () => {
    const path = newFolder()
    const chain = await openChain({ path, genesis })
    expect(await faultOf(path)).toBe('inUse: is in use by this process')
    await chain.close()
    expect(await faultOf(path)).toBe('none')
  })

  test('that another process has is refused while that lives: not after a kill, a boot, or with its id given anew', async () => {
    const path = await begun()
    const file = join(path, 'owner')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    const owner = { pid: process.ppid, started, boot, host: hostname() }
    const own = async (change: object): Promise<string> => {
      writeFileSync(file, JSON.stringify({ ...owner, ...change }))
      return faultOf(path)
    }
    expect(await own({})).toBe(`inUse: is in use by process ${process.ppid}`)
    expect(await own({ host: 'elsewhere' })).toBe(
      `inUse: is in use by process ${process.ppid} on elsewhere; where that has ended, remove ${file}`,
    )
    expect(await own({ started: '1' })).toBe('none')
    expect(await own({ boot: 'another' })).toBe('none')
    expect(await own({ pid: 2 ** 30 })).toBe('none')
    writeFileSync(file, '')
    expect(await faultOf(path)).toBe('none')
  })

  test('with another schema, or the database of another program, is refused and left as it is', async () => {
    const path = await begun()
    const text = (value: string) => new TextEncoder().encode(value)
    const other = open({ path, noSubdir: false, encoding: 'binary', keyEncoding: 'binary' })
    await other.openDB({ name: 'meta', encoding: 'binary', keyEncoding: 'binary' }).put(text('schema'), text('6'))
    await other.close()
    expect(await faultOf(path)).toBe('schema: has schema 6, this version reads schemas 1, 2, 3, 4 and 5, and writes 5')
    const foreign = newFolder()
    const program = open({ path: foreign, noSubdir: false })
    await program.openDB({ name: 'things' }).put('a', 1)
    await program.close()
    const before = readFileSync(join(foreign, 'data.mdb'))
    expect(await faultOf(foreign)).toBe('schema: holds a database of another program')
    expect(readFileSync(join(foreign, 'data.mdb')).equals(before)).toBe(true)
  })

  test('whose file does not begin as a database is refused before it is mapped', async () => {
    for (const bytes of [new Uint8Array(20_000).fill(5), new Uint8Array(100), new Uint8Array(8192)]) {
      const path = newFolder()
      mkdirSync(path)
      writeFileSync(join(path, 'data.mdb'), bytes)
      expect(await faultOf(path)).toBe(`damaged: data.mdb (${bytes.length} bytes) does not begin as a database`)
    }
  })

  test('whose file was cut short anywhere is refused each time, or holds all that it held', async () => {
    const path = await begun()
    const file = join(path, 'data.mdb')
    const whole = readFileSync(file)
    let refused = 0
    for (let size = 0; size < whole.length; size += 4096 + 512) {
      writeFileSync(file, whole)
      truncateSync(file, size)
      const first = await faultOf(path, false)
      const second = await faultOf(path, false)
      expect(second).toBe(first)
      if (size > 0) expect(first).toMatch(/^damaged: |^none$/)
      if (first === 'none') {
        const chain = await openChain({ path })
        expect(chain.blockBytes(0n)!.length).toBeGreaterThan(500)
        await chain.close()
      } else refused++
      rmSync(join(path, 'unchecked'), { force: true })
    }
    expect(refused).toBeGreaterThan(3)
  })

  test('that the database cannot read is damaged, while faults of other kinds stay what they are', () => {
    const thrown = (code: unknown) => readFault('F', Object.assign(new Error('MDB_BAD_TXN:\n no'), { code }))
    expect(thrown(-30_782)).toMatchObject({ fault: 'damaged', message: 'F: the store is damaged: MDB_BAD_TXN: no' })
    for (const code of [undefined, 28, 'ENOSPC']) expect(thrown(code)).not.toBeInstanceOf(StoreError)
    const own = new StoreError('F', 'depth', 'too deep')
    expect(readFault('F', own)).toBe(own)
  })
})
