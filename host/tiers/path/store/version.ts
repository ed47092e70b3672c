import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PRELUDE } from '../../../../kernels/linked.generated.ts'

/**
 * Names the transpiler that is running: a hash of its files as they run (sources, or what the package was built to) and
 * of the WGSL that its kernels stand on. Undefined where its files are not there, as in a bundle. About 5 ms.
 */
export const transpilerVersion = (): string | undefined => {
  try {
    const hash = createHash('sha256').update(PRELUDE)
    const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..', 'transpiler')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /(?<!\.d)\.[jt]s$/.test(file))
      .sort()
    if (files.length === 0) return undefined
    for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)))
    return hash.digest('hex').slice(0, 16)
  } catch {
    return undefined
  }
}
