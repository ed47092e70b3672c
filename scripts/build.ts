import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/**
 * Builds `dist/`, what the package holds: JavaScript, and the declarations that its entry points reach. Declarations of
 * what is `@internal` are stripped, so the others would name what is not there.
 */
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const DIST = join(ROOT, 'dist')
const ENTRIES = ['host/index.d.ts', 'transpiler/index.d.ts']

const compile = (): void => {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json')], { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

/** The declaration files of `dist/` that are loaded with the entry points. */
const reachedDeclarations = (): ReadonlySet<string> => {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    noResolve: false,
    types: [],
  }
  const program = ts.createProgram(
    ENTRIES.map((entry) => join(DIST, entry)),
    options,
  )
  return new Set(program.getSourceFiles().map(({ fileName }) => resolve(fileName)))
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

rmSync(DIST, { recursive: true, force: true })
compile()
const reached = reachedDeclarations()
let kept = 0
for (const file of filesBelow(DIST)) {
  if (!file.endsWith('.d.ts')) continue
  if (reached.has(file)) kept++
  else rmSync(file)
}
if (kept < ENTRIES.length) throw new Error(`the entry points reach ${kept} declaration files of dist${sep}`)
