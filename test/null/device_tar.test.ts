import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cacheRoots, unpackOnce } from '../../host/device/swiftshader.ts'
import { readTar } from '../../host/device/tar.ts'

const header = (name: string, sizeBytes: number, type = '0', prefix = ''): Buffer => {
  const block = Buffer.alloc(512)
  block.write(name, 0)
  block.write('0000755\0', 100)
  block.write(`${sizeBytes.toString(8).padStart(11, '0')} `, 124)
  block.write('        ', 148)
  block.write(type, 156)
  block.write('ustar\x0000', 257)
  block.write(prefix, 345)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
const member = (name: string, text: string, type = '0', prefix = ''): Buffer => {
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512)
  body.write(text)
  return Buffer.concat([header(name, text.length, type, prefix), body])
}
const END = Buffer.alloc(1024)

describe('readTar', () => {
  test('gives the regular files with their bytes, modes and prefixes', () => {
    const long = 'y'.repeat(600)
    const archive = Buffer.concat([
      member('a', 'x'),
      member('empty', ''),
      member('b', long, '0', 'deep/er'),
      member('dir/', '', '5'),
      member('link', '', '2'),
      END,
    ])
    expect(readTar(archive).map(({ path, mode, bytes }) => [path, mode, Buffer.from(bytes).toString()])).toEqual([
      ['a', 0o755, 'x'],
      ['empty', 0o755, ''],
      ['deep/er/b', 0o755, long],
    ])
  })

  test('takes long names from the header in front, for the next member only', () => {
    const name = `${'folder/'.repeat(30)}file.json`
    const record = (body: string): string => {
      const length = body.length + 5
      return `${length} ${body}\n`
    }
    const archive = Buffer.concat([
      member('././@LongLink', `${name}\0`, 'L'),
      member('cut', 'one'),
      member('plain', 'two'),
      member('pax', record(`mtime=${'1'.repeat(100)}`) + record(`path=${name}=2`), 'x'),
      member('cut', 'three'),
      member('././@LongLink', `${name}\0`, 'L'),
      member('link', '', '2'),
      member('last', 'four'),
      END,
    ])
    expect(readTar(archive).map(({ path, bytes }) => [path, Buffer.from(bytes).toString()])).toEqual([
      [name, 'one'],
      ['plain', 'two'],
      [`${name}=2`, 'three'],
      ['last', 'four'],
    ])
  })

  test('refuses a header that was changed', () => {
    const archive = Buffer.concat([member('a', 'x'), END])
    archive[0] = 'b'.charCodeAt(0)
    expect(() => readTar(archive)).toThrow('bad header checksum at byte 0')
  })

  test('refuses an archive cut inside a file, and one cut after it', () => {
    const archive = Buffer.concat([member('a', 'x'.repeat(600)), END])
    expect(() => readTar(archive.subarray(0, 1024))).toThrow('ends inside a')
    expect(() => readTar(archive.subarray(0, 1536))).toThrow('no end-of-archive')
  })
})

describe('the bundled driver', () => {
  const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json']
  const packed = brotliCompressSync(
    Buffer.concat([...FILES.map((file) => member(file, `bytes of ${file}`)), member('libEGL.so', 'not needed'), END]),
  )
  let scratch: string
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'wgevm-unpack-'))
  })
  afterEach(() => rmSync(scratch, { recursive: true }))

  test('is unpacked into a folder of its own, with what is needed and nothing else', () => {
    const root = join(scratch, 'a', 'b')
    const folder = unpackOnce(packed, root, 'driver')
    expect(folder).toBe(join(root, 'driver'))
    expect(readdirSync(folder).sort()).toEqual(['SHA256SUMS', ...FILES])
    expect(readFileSync(join(folder, 'libvulkan.so.1'), 'utf8')).toBe('bytes of libvulkan.so.1')
    expect(readdirSync(root)).toEqual(['driver'])
    expect(statSync(root).mode & 0o777).toBe(0o700)
  })

  test('is unpacked once', () => {
    const folder = unpackOnce(packed, scratch, 'driver')
    const { ino } = statSync(folder)
    expect(unpackOnce(packed, scratch, 'driver')).toBe(folder)
    expect(statSync(folder).ino).toBe(ino)
  })

  test.each([...FILES, 'SHA256SUMS'])('is replaced where %s is damaged, cut, empty or gone', (file) => {
    const folder = unpackOnce(packed, scratch, 'driver')
    const whole = readFileSync(join(folder, file))
    const flipped = Buffer.from(whole)
    flipped[3]! ^= 1
    for (const damaged of [flipped, whole.subarray(1), Buffer.alloc(0), undefined]) {
      if (damaged === undefined) rmSync(join(folder, file))
      else writeFileSync(join(folder, file), damaged)
      unpackOnce(packed, scratch, 'driver')
      expect(readFileSync(join(folder, file))).toEqual(whole)
    }
    expect(readdirSync(scratch)).toEqual(['driver'])
  })

  test('leaves nothing behind when the archive lacks a file', () => {
    const partial = brotliCompressSync(Buffer.concat([member('libvulkan.so.1', 'x'), END]))
    expect(() => unpackOnce(partial, scratch, 'driver')).toThrow('the archive has no vk_swiftshader_icd.json')
    expect(readdirSync(scratch)).toEqual([])
  })

  test('is not put where other users may write', () => {
    const open = join(scratch, 'open')
    mkdirSync(open)
    chmodSync(open, 0o777)
    expect(() => unpackOnce(packed, open, 'driver')).toThrow('writable by other users')
  })

  test('fails at once, and does not hang, where a folder cannot be made', () => {
    expect(() => unpackOnce(packed, '/proc/nowhere/deep', 'driver')).toThrow()
  })

  test('goes to the cache folder of the user, else to a temporary folder of the user', () => {
    const [own, temporary] = cacheRoots({ XDG_CACHE_HOME: '/c', HOME: '/h' })
    expect(own).toBe('/c/wgevm')
    expect(cacheRoots({ HOME: '/h' })[0]).toBe('/h/.cache/wgevm')
    expect(temporary).toBe(join(tmpdir(), `wgevm-${process.getuid!()}`))
  })
})
