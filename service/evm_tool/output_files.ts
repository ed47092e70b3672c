import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ToolError } from './tool_error.ts'

/** The text of a file, in pieces that are written one after another. */
type Pieces = Iterable<string>

/**
 * The files that a run writes into one folder: all of them are written beside their places before the first takes its
 * own, so a run that fails leaves none. The later of two with one place counts. Anything that is not a file, as a
 * device or a pipe, is written to as it is, before any file takes its place.
 */
export class OutputFiles {
  readonly #folder: string
  readonly #files: { readonly path: string; readonly pieces: Pieces }[] = []

  /** The folder is made where it is not there; without a name it is the working folder. Throws ToolError. */
  constructor(folder: string) {
    this.#folder = folder
    if (folder === '') return
    try {
      mkdirSync(folder, { recursive: true })
    } catch (thrown) {
      throw new ToolError('io', `failed creating output basedir: ${(thrown as Error).message}`)
    }
  }

  add(name: string, pieces: Pieces): void {
    this.#files.push({ path: join(this.#folder, name), pieces })
  }

  /** Writes them; their paths. Throws ToolError. */
  write(): readonly string[] {
    const temporaries: string[] = []
    try {
      const ends = this.#files.map(({ path, pieces }) => ({ path, pieces, place: placeOf(path) }))
      const places = new Map<string, Pieces>()
      for (const { place, pieces } of ends) if (place !== undefined) places.set(place, pieces)
      for (const [place, pieces] of places) {
        const temporary = `${place}.${process.pid}.tmp`
        const file = openSync(temporary, 'w')
        temporaries.push(temporary)
        writePieces(file, pieces)
      }
      for (const { path, pieces, place } of ends) if (place === undefined) writePieces(openSync(path, 'w'), pieces)
      for (const [n, place] of [...places.keys()].entries()) renameSync(temporaries[n]!, place)
    } catch (thrown) {
      for (const temporary of temporaries) rmSync(temporary, { force: true })
      throw new ToolError('io', `failed writing output: ${(thrown as Error).message}`)
    }
    return this.#files.map(({ path }) => path)
  }
}

/**
 * The file at the end of a path, which a new one replaces: links are followed, also where they end at nothing.
 * Undefined where anything but a file is there. Throws at a folder.
 */
const placeOf = (path: string): string | undefined => {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory()) throw new Error(`${path} is a folder`)
  if (stat !== undefined) return stat.isFile() ? realpathSync(path) : undefined
  const folder = realpathSync(dirname(path))
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
  return isLink ? placeOf(resolve(folder, readlinkSync(path))) : join(folder, basename(path))
}

const writePieces = (file: number, pieces: Pieces): void => {
  try {
    for (const piece of pieces) writeFileSync(file, piece)
  } finally {
    closeSync(file)
  }
}
