import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/** mkdir -p. Node's own `recursive` never returns where a parent cannot be made in an existing folder (as in /proc). */
export const makeFolder = (path: string): void => {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (thrown) {
    if (!existsSync(path)) throw thrown
  }
}
