import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ToolError } from './tool_error.ts'

/** The text of a file, in pieces that are written one after another. */
type Pieces = Iterable<string>

/**
 * The files that a run writes into one folder: all of them are written beside their places before the first takes its
 * own, so a run that fails leaves none.
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
    const written: string[] = []
    try {
      for (const { path, pieces } of this.#files) {
        const temporary = `${path}.${process.pid}.tmp`
        const file = openSync(temporary, 'w')
        written.push(temporary)
        try {
          for (const piece of pieces) writeSync(file, piece)
        } finally {
          closeSync(file)
        }
      }
      for (const [n, { path }] of this.#files.entries()) renameSync(written[n]!, path)
    } catch (thrown) {
      for (const temporary of written) rmSync(temporary, { force: true })
      throw new ToolError('io', `failed writing output: ${(thrown as Error).message}`)
    }
    return this.#files.map(({ path }) => path)
  }
}
