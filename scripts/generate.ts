import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { benchmarksDoc } from './benchmarks_doc.ts'
import { COLUMN_MODULES } from './column_modules.ts'
import { compiledContracts } from './compile_contracts.ts'
import { conformanceDoc } from './conformance_doc.ts'
import { keccakModule } from './keccak_module.ts'
import { LAYOUT_FILES } from './layout_wgsl.ts'
import { linkKernels } from './link_kernels.ts'
import { wrapMarkdown } from './markdown.ts'
import { opcodesDoc } from './opcodes_doc.ts'
import { SECP256K1_FILES } from './secp256k1_wgsl.ts'

/**
 * Writes every generated file of the repository; with `--check` writes nothing, names each file that differs from what
 * its generator makes now (`file:line: message`), and exits 1 if there is one.
 */
interface GeneratedFile {
  /** From the root of the repository. */
  readonly path: string
  readonly text: () => string | Promise<string>
}

/** In the order of what they are made of: kernels are linked with their layouts. */
const FILES: readonly GeneratedFile[] = [
  ...LAYOUT_FILES,
  ...SECP256K1_FILES,
  { path: 'kernels/linked.generated.ts', text: linkKernels },
  { path: 'host/primitives/keccak_module.generated.ts', text: keccakModule },
  ...COLUMN_MODULES,
  { path: 'bench/contracts/compiled.generated.ts', text: compiledContracts },
  { path: 'docs/opcodes.md', text: () => wrapMarkdown(opcodesDoc()) },
  { path: 'docs/benchmarks.md', text: () => wrapMarkdown(benchmarksDoc()) },
  { path: 'docs/conformance.md', text: () => wrapMarkdown(conformanceDoc()) },
]

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const committed = (path: string): string | undefined => {
  try {
    return readFileSync(join(ROOT, path), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Number of the first line in which the texts differ, from 1. */
const firstDifference = (a: string, b: string): number => {
  const [linesOfA, linesOfB] = [a.split('\n'), b.split('\n')]
  const at = linesOfA.findIndex((line, i) => line !== linesOfB[i])
  return 1 + (at < 0 ? linesOfA.length : at)
}

const check = process.argv.includes('--check')
for (const { path, text } of FILES) {
  const made = await text()
  const found = committed(path)
  if (found === made) continue
  if (check) {
    const line = found === undefined ? 1 : firstDifference(found, made)
    console.error(`${path}:${line}: ${found === undefined ? 'missing' : 'stale'}; run npm run generate`)
    process.exitCode = 1
  } else {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true })
    writeFileSync(join(ROOT, path), made)
    console.log(`wrote ${path}`)
  }
}
