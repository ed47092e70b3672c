import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, posix, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/**
 * The import table of docs/architecture.md as a lint: which folder may import which. Prints `file:line: message` for
 * each import that it forbids.
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
/** Rooms of host/ that more than one layer may import, lowest first. */
const PRIMITIVES = [...VOCABULARY, 'host/primitives']
const STATE_AND_CHAIN = [...PRIMITIVES, 'host/state', 'host/chain']
/** Everything that a tier stands on. Tiers know neither each other, nor settling, nor the flows that wire them. */
const BELOW_TIERS = [
  'transpiler',
  ...STATE_AND_CHAIN,
  'host/senders',
  'host/precompiles',
  'host/receipts',
  'host/roots',
  'host/batch',
]
const BELOW_DEVICE_TIERS = [...BELOW_TIERS, 'kernels', 'host/device', 'host/session']
const BELOW_FLOWS = [...BELOW_DEVICE_TIERS, 'host/tiers', 'host/settle', 'host/metrics.ts']

const LAYERS: readonly Layer[] = [
  { at: 'transpiler', may: [] },
  { at: 'kernels', may: [] },
  { at: 'host/primitives', may: [...VOCABULARY, 'transpiler/keccak256.ts'] },
  { at: 'host/device', may: [...PRIMITIVES, 'kernels'], types: ['transpiler'] },
  { at: 'host/state', may: PRIMITIVES, types: ['transpiler'] },
  { at: 'host/chain', may: PRIMITIVES, types: ['transpiler'] },
  { at: 'host/senders', may: [...PRIMITIVES, 'kernels', 'host/chain', 'host/device'] },
  { at: 'host/receipts', may: [...PRIMITIVES, 'host/chain', 'host/device'] },
  { at: 'host/precompiles', may: [...PRIMITIVES, 'host/chain', 'host/device'] },
  { at: 'host/roots', may: [...STATE_AND_CHAIN, 'kernels', 'host/receipts', 'host/device'] },
  { at: 'host/session', may: [...PRIMITIVES, 'kernels', 'host/device', 'host/state'] },
  { at: 'host/batch', may: STATE_AND_CHAIN, types: ['transpiler', 'host/device'] },
  { at: 'host/tiers/path', may: BELOW_DEVICE_TIERS },
  { at: 'host/tiers/lane_vm', may: BELOW_DEVICE_TIERS },
  { at: 'host/tiers/cpu', may: BELOW_TIERS },
  { at: 'host/settle', may: [...STATE_AND_CHAIN, 'kernels', 'host/batch', 'host/device', 'host/session'] },
  { at: 'host/metrics.ts', may: [] },
  { at: 'host/flows', may: BELOW_FLOWS },
  { at: 'host/trace', may: [...BELOW_FLOWS, 'host/flows'] },
  { at: 'host/adapters', may: [...BELOW_FLOWS, 'host/flows'] },
  { at: 'host/index.ts', may: ['transpiler', 'kernels', 'host'] },
  { at: 'conformance', may: [...BELOW_FLOWS, 'host/flows', 'host/trace'] },
  {
    at: 'service',
    may: ['service', 'host/index.ts', 'host/chain', 'host/metrics.ts', 'host/roots/rooted_transactions.ts'],
  },
  // The listening thread loads no code of the library, but for a pass that reads hex.
  { at: 'service/json_rpc', may: ['service', 'host/primitives/packed_hex.ts'], types: ['host/index.ts', 'host/chain'] },
  { at: 'service/methods', may: ['service'], types: ['host/index.ts', 'host/chain'] },
  { at: 'service/listener', may: ['service', 'host/primitives/thread.ts'], types: ['host/index.ts', 'host/chain'] },
  { at: 'service/kzg', may: ['service', 'host/primitives/thread.ts'] },
  // Started for every single case: it loads no more than it runs.
  { at: 'service/evm_tool', may: [...BELOW_FLOWS, 'host/flows', 'host/trace', 'conformance'] },
  { at: 'cli', may: ['cli', 'host', 'conformance', 'service', 'transpiler', 'kernels'] },
  { at: 'cli/fail.ts', may: ['cli', 'bench/packages.ts'] },
  // The commands that run or show workloads, or measure against the serial reference.
  { at: 'cli/commands/bench.ts', may: ['cli', 'host', 'conformance', 'transpiler', 'bench'] },
  { at: 'cli/commands/programs.ts', may: ['cli', 'host', 'conformance', 'bench'] },
  { at: 'cli/commands/replay.ts', may: ['cli', 'host', 'conformance', 'transpiler', 'bench'] },
  { at: 'cli/commands/transpile.ts', may: ['cli', 'host', 'conformance', 'transpiler', 'bench'] },
  { at: 'cli/commands/simulate.ts', may: ['cli', 'host', 'conformance', 'bench'] },
  { at: 'bench', may: ['transpiler', 'kernels', 'host', 'conformance'] },
  { at: 'test', may: ['transpiler', 'kernels', 'host', 'conformance', 'service', 'cli', 'bench', 'scripts'] },
  { at: 'scripts', may: ['transpiler', 'kernels', 'host', 'conformance', 'cli', 'bench'] },
  // Tests without an end.
  { at: 'scripts/asking_thread.ts', may: ['scripts/http_client.ts'] },
  {
    at: 'scripts/builder_bench.ts',
    may: ['scripts/script_options.ts', 'scripts/http_client.ts', 'host', 'bench', 'service', 'test'],
  },
  { at: 'scripts/crash.ts', may: ['scripts/script_options.ts', 'host', 'conformance', 'test'] },
  { at: 'scripts/drive.ts', may: ['scripts/script_options.ts', 'host', 'conformance', 'test'] },
  { at: 'scripts/drive_op.ts', may: ['scripts/script_options.ts', 'test'] },
  { at: 'scripts/engine_cases.ts', may: ['scripts/script_options.ts', 'host', 'conformance', 'cli', 'test'] },
  { at: 'scripts/fuzz.ts', may: ['scripts/script_options.ts', 'host', 'conformance', 'test'] },
  { at: 'scripts/fuzz_batches.ts', may: ['scripts/script_options.ts', 'host', 'conformance', 'test'] },
  {
    at: 'scripts/service_bench.ts',
    may: [
      'scripts/script_options.ts',
      'scripts/asking_thread.ts',
      'scripts/http_client.ts',
      'host',
      'bench',
      'service',
    ],
  },
  {
    at: 'scripts/simulate_bench.ts',
    may: ['scripts/script_options.ts', 'scripts/http_client.ts', 'host', 'bench', 'service'],
  },
  { at: 'scripts/t8n_state_tests.ts', may: ['host', 'conformance', 'service', 'test'] },
  { at: 'scripts/gpu/state_tests.ts', may: ['host', 'conformance', 'bench', 'test'] },
]

const PRODUCT = ['transpiler', 'kernels', 'host', 'conformance', 'service', 'cli']
/** In the package as well, where it may also use what its commands ask users to install (peer dependencies). */
const COMMANDS_NEED = ['bench']
/** Imported where a checkout has it, with something in its place where a user has not. */
const CHECKOUT_ONLY = ['gpu.js']

/** The library: `require('wgevm')` loads no module that awaits at its top level. A worker is started, not loaded. */
const LOADED_BY_REQUIRE = ['transpiler', 'kernels', 'host']
const WORKER_ENTRIES = ['host/tiers/cpu/pool/worker.ts']

/**
 * Packages (or a prefix that ends in `:`) that only these layers may import, types included: the first row that fits.
 */
const OWNED_PACKAGES: readonly { readonly name: string; readonly by: readonly string[] }[] = [
  { name: 'webgpu', by: ['host/device', 'bench', 'test', 'scripts'] },
  {
    name: '@ethereumjs/evm',
    by: ['host/tiers/cpu/ethereumjs', 'host/precompiles', 'host/adapters/ethereumjs', 'bench', 'test'],
  },
  { name: '@ethereumjs/block', by: ['bench', 'test'] },
  { name: '@ethereumjs/statemanager', by: ['bench', 'test'] },
  { name: '@ethereumjs/tx', by: ['bench', 'test'] },
  { name: '@ethereumjs/vm', by: ['bench', 'test'] },
  // Databases.
  ...['classic-level', 'lmdb', 'node:sqlite'].map((name) => ({
    name,
    by: ['host/state/store', 'bench', 'test', 'scripts'],
  })),
  // Sockets.
  ...['node:http', 'node:https', 'node:net', 'node:tls', 'node:dgram'].map((name) => ({
    name,
    by: ['service', 'bench', 'test', 'scripts'],
  })),
  // Native: where it has no build, blob transactions are refused and nothing else.
  { name: '@crate-crypto/node-eth-kzg', by: ['service/kzg', 'test'] },
  // What speaks to the outside.
  ...['jose', 'json-rpc-2.0', 'pino', 'prom-client', 'ws', 'zod'].map((name) => ({
    name,
    by: ['service', 'test', 'scripts'],
  })),
  { name: 'node:', by: ['host', 'conformance', 'service', 'cli', 'bench', 'test', 'scripts'] },
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

const packageMessage = (
  path: string,
  { specifier, typeOnly }: Import,
  installed: InstalledPackages,
): string | undefined => {
  const name = builtinModules.includes(specifier) ? `node:${specifier}` : packageName(specifier)
  const owned = OWNED_PACKAGES.find((row) => (row.name.endsWith(':') ? name.startsWith(row.name) : name === row.name))
  if (owned && !owned.by.some((prefix) => isWithin(path, prefix))) {
    return `'${specifier}' may be imported by ${owned.by.join(', ')} only`
  }
  // Types of a package are not loaded.
  if (typeOnly || name.startsWith('node:') || installed.dependencies.has(name)) return undefined
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
  if (layer === undefined) return 'is in no room of the table'
  if (!found.specifier.startsWith('.')) return packageMessage(path, found, installed)
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

type ImportGraph = ReadonlyMap<string, readonly string[]>

/** The files that each file imports, types included. */
const importGraph = (files: readonly SourceFile[]): ImportGraph => {
  const known = new Set(files.map(({ path }) => path))
  const targets = (file: SourceFile): string[] =>
    importsOfTypeScript(file)
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier }) => posix.join(posix.dirname(file.path), specifier))
      .filter((target) => known.has(target))
  return new Map(files.filter(({ path }) => path.endsWith('.ts')).map((file) => [file.path, targets(file)]))
}

/** Each import that leads back to a file on the way to it, as the whole way: `a -> b -> a`. */
const waysBack = (graph: ImportGraph): readonly string[] => {
  const found: string[] = []
  const done = new Set<string>()
  const way: string[] = []
  const visit = (path: string): void => {
    const first = way.indexOf(path)
    if (first >= 0) found.push([...way.slice(first), path].join(' -> '))
    if (first >= 0 || done.has(path)) return
    way.push(path)
    for (const target of graph.get(path) ?? []) visit(target)
    way.pop()
    done.add(path)
  }
  for (const path of graph.keys()) visit(path)
  return found
}

/** One `file: message` for each circle of imports, types included. */
export const importCircles = (files: readonly SourceFile[]): readonly string[] =>
  waysBack(importGraph(files)).map((way) => `${way.slice(0, way.indexOf(' '))}: a circle of imports: ${way}`)

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const sourcesBelow = (folder: string): readonly SourceFile[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|wgsl)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: path.slice(ROOT.length + 1).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }))

const FOLDERS = ['transpiler', 'kernels', 'host', 'conformance', 'service', 'cli', 'bench', 'test', 'scripts']

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >
  const installed = {
    dependencies: new Set(Object.keys({ ...manifest['dependencies'], ...manifest['optionalDependencies'] })),
    peers: new Set(Object.keys({ ...manifest['peerDependencies'] })),
  }
  const files = FOLDERS.flatMap(sourcesBelow)
  const messages = [
    ...layerViolations(files, installed),
    ...importCircles(files.filter(({ path }) => !isWithin(path, 'test'))),
  ]
  for (const message of messages) console.error(message)
  if (messages.length > 0) process.exitCode = 1
}
