import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { FixtureError } from '../conformance/json_field.ts'

/** A block of a file: its RLP, and the byte after it. */
export interface FileBlock {
  readonly bytes: Uint8Array
  readonly end: number
}

/** A block's RLP is a list; a longer one than any chain has is a file that is none. */
const MOST_BYTES = 2 ** 30
const MOST_HEAD_BYTES = 9

export const fileBytes = (path: string): number => {
  const file = openChainFile(path)
  try {
    return fstatSync(file).size
  } finally {
    closeSync(file)
  }
}

/**
 * The blocks of a file that has the RLP of one after another, as `geth export` writes them: one in memory at a time.
 * Throws FixtureError where the file cannot be read, or ends within a block.
 */
export function* readBlocks(path: string): Generator<FileBlock> {
  const file = openChainFile(path)
  try {
    const { size } = fstatSync(file)
    for (let at = 0; at < size; ) {
      const head = new Uint8Array(Math.min(MOST_HEAD_BYTES, size - at))
      readSync(file, head, 0, head.length, at)
      const length = listBytes(head)
      const fault =
        length === undefined || length > MOST_BYTES
          ? 'no RLP of a block (go-ethereum writes such a file with `geth export`)'
          : at + length > size
            ? `the file ends within a block (${size - at} of ${length} bytes)`
            : undefined
      if (length === undefined || fault !== undefined) throw new FixtureError(path, `byte ${at}`, fault!)
      const bytes = new Uint8Array(length)
      readSync(file, bytes, 0, length, at)
      at += length
      yield { bytes, end: at }
    }
  } finally {
    closeSync(file)
  }
}

/** Bytes of the list that begins here; undefined where none does. */
const listBytes = (head: Uint8Array): number | undefined => {
  const [first] = head
  if (first === undefined || first < 0xc0) return undefined
  if (first < 0xf8) return 1 + first - 0xc0
  const count = first - 0xf7
  if (head.length < 1 + count) return undefined
  let length = 0
  for (let n = 1; n <= count; n++) length = 256 * length + head[n]!
  return 1 + count + length
}

const openChainFile = (path: string): number => {
  try {
    const file = openSync(path, 'r')
    if (!fstatSync(file).isFile()) {
      closeSync(file)
      throw new FixtureError(path, '', 'is no file')
    }
    return file
  } catch (thrown) {
    if (thrown instanceof FixtureError) throw thrown
    throw new FixtureError(path, '', `cannot be read (${(thrown as NodeJS.ErrnoException).code})`)
  }
}
