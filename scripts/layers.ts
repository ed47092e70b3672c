import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, posix, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/**
 * The import table of docs/architecture.md as a lint: which folder may import which. Prints `file:line: message` for each
 * import that it forbids.
 *
 * `types` names what may be imported with `import type` only. Imports inside a layer are always allowed. Packages:
 * product code may import `dependencies` and `optionalDependencies` only, and `packages` says who owns the heavy ones.
 */
interface Layer {
  /** Folder or file; the longest one that fits a path is its layer. */
  readonly at: string
  readonly may: readonly string[]
  readonly types?: readonly string[]
}

/** Numbers, names and layouts, without behaviour: every host layer speaks them. */
const VOCABULARY = ['transpiler/layout', 'transpiler/spec']
/** Arithmetic and hashing over those layouts; lives with the state, needs none of it. */
const WORDS = [
  'host/state/input.ts',
  'host/state/word.ts',
  'host/state/keccak.ts',
  'host/state/rlp.ts',
  'host/state/sorted_trie.ts',
]

const LAYERS: readonly Layer[] = [
  { at: 'transpiler', may: [] },
  { at: 'kernels', may: [] },
  { at: 'host/device', may: ['kernels', 'transpiler/layout'], types: ['transpiler'] },
  { at: 'host/state', may: [...VOCABULARY, 'transpiler/keccak256.ts'], types: ['transpiler', 'host/block'] },
  { at: 'host/block', may: [...VOCABULARY, ...WORDS], types: ['transpiler', 'host/state'] },
  { at: 'host/execute', may: ['transpiler', 'kernels', 'host/device', 'host/state', 'host/block'] },
  { at: 'host/evm', may: ['transpiler', 'kernels', 'host/execute', 'host/device', 'host/state', 'host/block'] },
  { at: 'host/index.ts', may: ['transpiler', 'kernels', 'host'] },
  { at: 'cli', may: ['cli', 'host', 'transpiler', 'kernels'] },
  { at: 'cli/fail.ts', may: ['cli', 'bench/packages.ts'] },
  // The commands that run or show workloads, or measure against the serial reference.
  { at: 'cli/commands/bench.ts', may: ['cli', 'host', 'transpiler', 'bench'] },
  { at: 'cli/commands/programs.ts', may: ['cli', 'host', 'bench'] },
  { at: 'cli/commands/replay.ts', may: ['cli', 'host', 'transpiler', 'bench'] },
  { at: 'cli/commands/transpile.ts', may: ['cli', 'host', 'transpiler', 'bench'] },
  { at: 'cli/commands/simulate.ts', may: ['cli', 'host', 'bench'] },
  { at: 'bench', may: ['transpiler', 'kernels', 'host'] },
  { at: 'test', may: ['transpiler', 'kernels', 'host', 'cli', 'bench', 'scripts'] },
  { at: 'scripts', may: ['transpiler', 'kernels', 'host', 'cli', 'bench'] },
  // A test without an end.
  { at: 'scripts/fuzz.ts', may: ['host', 'test'] },
  { at: 'scripts/fuzz_batches.ts', may: ['host', 'test'] },
  { at: 'scripts/gpu/state_tests.ts', may: ['host', 'bench', 'test'] },
]

const PRODUCT = ['transpiler', 'kernels', 'host', 'cli']
/** In the package as well, where it may also use what its commands ask users to install (peer dependencies). */
const COMMANDS_NEED = ['bench']
/** Imported where a checkout has it, with something in its place where a user has not. */
const CHECKOUT_ONLY = ['gpu.js']

/** The library: `require('wgevm')` loads no module that awaits at its top level. A worker is started, not loaded. */
const LOADED_BY_REQUIRE = ['transpiler', 'kernels', 'host']
const WORKER_ENTRIES = ['host/execute/cpu_worker.ts']

/** Packages (or a prefix that ends in `:` or `/`) that only these layers may import. */
const OWNED_PACKAGES: readonly { readonly name: string; readonly by: readonly string[] }[] = [
  { name: 'webgpu', by: ['host/device', 'bench', 'test', 'scripts'] },
  { name: '@ethereumjs/evm', by: ['host/execute', 'host/evm', 'bench', 'test'] },
  { name: '@ethereumjs/block', by: ['bench', 'test'] },
  { name: '@ethereumjs/statemanager', by: ['bench', 'test'] },
  { name: '@ethereumjs/tx', by: ['bench', 'test'] },
  { name: '@ethereumjs/vm', by: ['bench', 'test'] },
  { name: 'node:', by: ['host', 'cli', 'bench', 'test', 'scripts'] },
]

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

interface Import {
  readonly specifier: string
  readonly line: number
  readonly typeOnly: boolean
}

const isWithin = (path: string, prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`)

const layerOf = (path: string): Layer | undefined =>
  LAYERS.filter(({ at }) => isWithin(path, at)).sort((a, b) => b.at.length - a.at.length)[0]

const isTypeOnly = (node: ts.ImportDeclaration | ts.ExportDeclaration): boolean => {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  const clause = node.importClause
  if (clause === undefined) return false
  if (clause.isTypeOnly) return true
  const bindings = clause.namedBindings
  return (
    clause.name === undefined &&
    bindings !== undefined &&
    ts.isNamedImports(bindings) &&
    bindings.elements.length > 0 &&
    bindings.elements.every((element) => element.isTypeOnly)
  )
}

/** Every static and dynamic import, re-export and `import('...')` type of a TypeScript file. */
const importsOfTypeScript = ({ path, text }: SourceFile): readonly Import[] => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest)
  const found: Import[] = []
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source))
    found.push({ specifier: specifier.text, line: line + 1, typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, isTypeOnly(node))
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** Lines of the awaits outside of functions, which make a module one that only `import` can load. */
const topLevelAwaits = ({ path, text }: SourceFile): readonly number[] => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest)
  const lines: number[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined)) {
      lines.push(source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return lines
}

const awaitMessages = (file: SourceFile): readonly string[] =>
  LOADED_BY_REQUIRE.some((folder) => isWithin(file.path, folder)) && !WORKER_ENTRIES.includes(file.path)
    ? topLevelAwaits(file).map((line) => `${file.path}:${line}: a top-level await: require() refuses such a module`)
    : []

const packageName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/** What package.json has users install: always, unless they leave it out, or when a command asks for it. */
export interface InstalledPackages {
  readonly dependencies: ReadonlySet<string>
  readonly peers: ReadonlySet<string>
}

const packageMessage = (path: string, specifier: string, installed: InstalledPackages): string | undefined => {
  const name = builtinModules.includes(specifier) ? `node:${specifier}` : packageName(specifier)
  const owned = OWNED_PACKAGES.find((row) => (row.name.endsWith(':') ? name.startsWith(row.name) : name === row.name))
  if (owned && !owned.by.some((prefix) => isWithin(path, prefix))) {
    return `'${specifier}' may be imported by ${owned.by.join(', ')} only`
  }
  if (name.startsWith('node:') || installed.dependencies.has(name)) return undefined
  if (PRODUCT.some((folder) => isWithin(path, folder))) {
    return `'${name}' is not among the dependencies of package.json, which users install`
  }
  const isShipped = COMMANDS_NEED.some((folder) => isWithin(path, folder))
  if (isShipped && !installed.peers.has(name) && !CHECKOUT_ONLY.includes(name)) {
    return `'${name}' is not among the dependencies and peer dependencies of package.json`
  }
  return undefined
}

const typeScriptMessage = (path: string, found: Import, installed: InstalledPackages): string | undefined => {
  const layer = layerOf(path)
  if (layer === undefined) return undefined
  if (!found.specifier.startsWith('.')) {
    return found.typeOnly ? undefined : packageMessage(path, found.specifier, installed)
  }
  const target = posix.join(posix.dirname(path), found.specifier)
  if (isWithin(target, layer.at) && layerOf(target)?.at === layer.at) return undefined
  if (layer.may.some((prefix) => isWithin(target, prefix))) return undefined
  if (layer.types?.some((prefix) => isWithin(target, prefix))) {
    return found.typeOnly ? undefined : `${layer.at} may import types only from ${target}`
  }
  return `${layer.at} may not import ${target}`
}

const wgslMessages = ({ path, text }: SourceFile): readonly string[] => {
  if (isWithin(path, 'kernels/entry')) return []
  return text.split('\n').flatMap((line, i) => {
    const isEntryImport = /^\s*import\s+(?:package|super)(?:::super)*::entry\b/.test(line)
    return isEntryImport ? [`${path}:${i + 1}: a library module may not import an entry`] : []
  })
}

/**
 * One `file:line: message` for each import that the table forbids, and each top-level await of the library.
 */
export const layerViolations = (files: readonly SourceFile[], installed: InstalledPackages): readonly string[] =>
  files.flatMap((file) => {
    if (file.path.endsWith('.wgsl')) return wgslMessages(file)
    const imports = importsOfTypeScript(file).flatMap((found) => {
      const message = typeScriptMessage(file.path, found, installed)
      return message === undefined ? [] : [`${file.path}:${found.line}: ${message}`]
    })
    return [...imports, ...awaitMessages(file)]
  })

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const sourcesBelow = (folder: string): readonly SourceFile[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|wgsl)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: path.slice(ROOT.length + 1).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }))

const FOLDERS = ['transpiler', 'kernels', 'host', 'cli', 'bench', 'test', 'scripts']

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >
  const installed = {
    dependencies: new Set(Object.keys({ ...manifest['dependencies'], ...manifest['optionalDependencies'] })),
    peers: new Set(Object.keys({ ...manifest['peerDependencies'] })),
  }
  const messages = layerViolations(FOLDERS.flatMap(sourcesBelow), installed)
  for (const message of messages) console.error(message)
  if (messages.length > 0) process.exitCode = 1
}
