export interface TarEntry {
  readonly path: string
  readonly mode: number
  readonly bytes: Uint8Array
}

const BLOCK = 512
const GNU_LONG_NAME = 0x4c
const PAX_HEADER = 0x78

/**
 * The regular files of a ustar archive (POSIX.1-1988): 512-byte headers, sizes in octal, contents padded to 512 bytes,
 * ended by a zero block. Long names come from the header in front (GNU `L`, or `path` of pax `x`, POSIX.1-2001); links,
 * folders and other extension headers are skipped. Throws on a bad checksum or a cut archive.
 */
export const readTar = (archive: Uint8Array): TarEntry[] => {
  const entries: TarEntry[] = []
  let at = 0
  let longName: string | undefined
  while (at + BLOCK <= archive.length) {
    const header = archive.subarray(at, at + BLOCK)
    if (header.every((byte) => byte === 0)) return entries
    if (octal(header, 148, 8) !== checksum(header)) throw new Error(`tar: bad header checksum at byte ${at}`)
    const sizeBytes = octal(header, 124, 12)
    const start = at + BLOCK
    if (start + sizeBytes > archive.length) throw new Error(`tar: archive ends inside ${text(header, 0, 100)}`)
    const type = header[156]
    if (type === GNU_LONG_NAME) longName = text(archive, start, sizeBytes)
    else if (type === PAX_HEADER) longName = paxPath(archive.subarray(start, start + sizeBytes))
    else {
      if (type === 0x30 || type === 0)
        entries.push(entryOf(header, longName, archive.subarray(start, start + sizeBytes)))
      longName = undefined
    }
    at = start + Math.ceil(sizeBytes / BLOCK) * BLOCK
  }
  throw new Error('tar: no end-of-archive block')
}

const entryOf = (header: Uint8Array, longName: string | undefined, bytes: Uint8Array): TarEntry => {
  const prefix = text(header, 345, 155)
  const name = text(header, 0, 100)
  return { path: longName ?? (prefix === '' ? name : `${prefix}/${name}`), mode: octal(header, 100, 8), bytes }
}

/** The `path` of pax records, each `LENGTH KEY=VALUE\n` with the length of all of it. */
const paxPath = (records: Uint8Array): string | undefined => {
  let at = 0
  while (at < records.length) {
    const length = Number.parseInt(text(records, at, 20), 10)
    if (!(length > 0)) return undefined
    const record = text(records, at, length - 1)
    const [key, ...value] = record.slice(record.indexOf(' ') + 1).split('=')
    if (key === 'path') return value.join('=')
    at += length
  }
  return undefined
}

const text = (header: Uint8Array, start: number, length: number): string => {
  const field = header.subarray(start, start + length)
  const end = field.indexOf(0)
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end))
}

const octal = (header: Uint8Array, start: number, length: number): number =>
  Number.parseInt(text(header, start, length).trim() || '0', 8)

/** Sum of the header's bytes with its checksum field read as spaces. */
const checksum = (header: Uint8Array): number => {
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!
  return sum
}
