import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Packs the package and uses it as its users do: installed into an empty project, without install scripts, without
 * optional packages; imported, required, compiled against; README's example, the examples, and commands. Exits 1 at the
 * first failure.
 */
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const BIN = join(ROOT, 'node_modules', '.bin')
const scratch = mkdtempSync(join(tmpdir(), 'wgevm-package-'))

class CheckError extends Error {
  override readonly name = 'CheckError'
}

interface Run {
  readonly cwd: string
  readonly code?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a command and returns what it wrote to both outputs. Throws CheckError where it ends with another code. */
const run = (what: string, command: string, options: readonly string[], { cwd, code = 0, env = {} }: Run): string => {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(command, options, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 1 << 26,
  })
  const output = `${stdout}${stderr}`
  if (status !== code) throw new CheckError(`${what}: ended with ${status}, expected ${code}\n${output}`)
  console.log(`${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
  return output
}

const expectText = (what: string, text: string, pattern: RegExp): void => {
  if (!pattern.test(text)) throw new CheckError(`${what}: expected ${pattern} in\n${text}`)
}

interface PackedFile {
  readonly path: string
}

const pack = (): string => {
  const output = run('npm pack', 'npm', ['pack', '--json', '--pack-destination', scratch], { cwd: ROOT })
  const [packed] = JSON.parse(output.slice(output.indexOf('[\n'), output.lastIndexOf(']') + 1)) as [
    { readonly filename: string; readonly size: number; readonly files: readonly PackedFile[] },
  ]
  const paths = packed.files.map(({ path }) => path)
  const wrong = paths.filter((path) => /\.map$|\.test\.|(^|\/)(test|scripts|node_modules)\/|\.tsbuildinfo$/.test(path))
  if (wrong.length > 0) throw new CheckError(`the tarball holds ${wrong.join(', ')}`)
  for (const path of [
    'dist/host/index.js',
    'dist/host/index.d.ts',
    'dist/cli/main.js',
    'README.md',
    'LICENSE',
    'licenses/swiftshader.txt',
  ]) {
    if (!paths.includes(path)) throw new CheckError(`the tarball lacks ${path}`)
  }
  console.log(`  ${paths.length} files, ${(packed.size / 1e6).toFixed(1)} MB packed`)
  return join(scratch, packed.filename)
}

const project = (name: string, tarball: string, flags: readonly string[]): string => {
  const cwd = join(scratch, name)
  mkdirSync(cwd)
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const options = ['install', tarball, '--no-audit', '--no-fund', '--prefer-offline', ...flags]
  run(`npm install, ${name}`, 'npm', options, { cwd })
  return cwd
}

/** The library's example in README.md: the first block of TypeScript. */
const readmeExample = (): string => {
  const block = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1]
  if (block === undefined) throw new CheckError('README.md has no block of TypeScript')
  return block
}

/** One line of README.md stands in the example of the drop-in, so it is compiled and run. */
const checkDropInLine = (): void => {
  const line = /^const evm = await createGpuEvm\(.*$/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[0]
  const example = readFileSync(join(ROOT, 'examples', 'drop_in.ts'), 'utf8')
  if (line === undefined || !example.includes(line))
    throw new CheckError('examples/drop_in.ts lacks the line of README.md')
}

const EXAMPLES = ['database_state', 'drop_in', 'sequencer', 'simulator']

const COMPILER_OPTIONS = {
  target: 'ES2022',
  module: 'NodeNext',
  lib: ['ES2023'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  outDir: 'out',
}

/** Compiles without the DOM's types; also the declarations of all that is imported. */
const compile = (cwd: string): void => {
  // What a user would install beside: from this checkout, as its versions are.
  mkdirSync(join(cwd, 'node_modules', '@types'), { recursive: true })
  for (const name of ['@types/node', 'classic-level']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(cwd, 'node_modules', name))
  }
  writeFileSync(join(cwd, 'readme.ts'), readmeExample())
  const names = "import * as transpiler from 'wgevm/transpiler'\nimport * as wgevm from 'wgevm'\n"
  writeFileSync(
    join(cwd, 'imported.ts'),
    `${names}console.log(Object.keys(wgevm).length, Object.keys(transpiler).length)\n`,
  )
  const required = "import transpiler = require('wgevm/transpiler')\nimport wgevm = require('wgevm')\n"
  writeFileSync(
    join(cwd, 'required.cts'),
    `${required}console.log(Object.keys(wgevm).length, Object.keys(transpiler).length)\n`,
  )
  for (const example of EXAMPLES) cpSync(join(ROOT, 'examples', `${example}.ts`), join(cwd, `${example}.ts`))
  const files = ['readme.ts', 'imported.ts', 'required.cts', ...EXAMPLES.map((example) => `${example}.ts`)]
  const write = (name: string, options: object) =>
    writeFileSync(join(cwd, name), JSON.stringify({ compilerOptions: { ...COMPILER_OPTIONS, ...options }, files }))
  write('tsconfig.json', { skipLibCheck: false })
  run('tsc --strict --skipLibCheck false', join(BIN, 'tsc'), ['-p', cwd], { cwd })
}

const checkDefault = (tarball: string): void => {
  const cwd = project('default', tarball, [])
  compile(cwd)
  const node = (file: string, what = file) => run(what, process.execPath, [join('out', file)], { cwd })
  const imported = node('imported.js', 'import')
  const required = node('required.cjs', 'require')
  if (imported !== required) throw new CheckError(`require gives other names than import: ${required}, ${imported}`)
  expectText("README's example", node('readme.js', "README's example"), /^1 \{/m)
  for (const example of EXAMPLES) node(`${example}.js`, `examples/${example}.ts`)

  const wgevm = join(cwd, 'node_modules', '.bin', 'wgevm')
  expectText('wgevm --help', run('wgevm --help', wgevm, ['--help'], { cwd }), /bench[\s\S]*replay/)
  // The second one draws no kernel of its own, but needs everything that finds conflicts.
  const bench = ['bench', 'erc20', 'conflict-10', '--size', '256', '--samples', '1', '--json', 'bench.json']
  run('wgevm bench', wgevm, bench, { cwd })
  const { results } = JSON.parse(readFileSync(join(cwd, 'bench.json'), 'utf8')) as {
    readonly results: readonly { readonly verified: boolean }[]
  }
  if (results.length !== 2 || !results.every(({ verified }) => verified))
    throw new CheckError('wgevm bench verified nothing')
  const uniswap = run('wgevm bench uniswap-v2', wgevm, ['bench', 'uniswap-v2', '--size', '16'], { cwd, code: 2 })
  expectText('wgevm bench uniswap-v2', uniswap, /^wgevm: not installed: .*; npm install @uniswap\/v2-core@/m)
  const data = join(cwd, 'node_modules', 'wgevm', 'examples', 'data')
  const block = join(data, 'mainnet-1150000.json.gz')
  expectText('wgevm replay', run('wgevm replay', wgevm, ['replay', block, '--samples', '1'], { cwd }), /1150000/)
  run('wgevm simulate', wgevm, ['simulate', join(data, 'erc20.json.gz'), '--lanes', '64', '--samples', '1'], { cwd })
  run('wgevm transpile', wgevm, ['transpile', '--workload', 'erc20'], { cwd })
  const evm = join(cwd, 'node_modules', '.bin', 'wgevm-evm')
  expectText('wgevm-evm -v', run('wgevm-evm -v', evm, ['-v'], { cwd }), /^evm version \d/)
  expectText('wgevm evm -v', run('wgevm evm -v', wgevm, ['evm', '-v'], { cwd }), /^evm version \d/)
  checkSenders(cwd, 'native')
}

/** Threads recover senders by this library, and none of them has failed. */
const checkSenders = (cwd: string, library: 'native' | 'noble'): void => {
  const wgevm = join(cwd, 'node_modules', '.bin', 'wgevm')
  const output = run(`wgevm doctor, ${library}`, wgevm, ['doctor', '--json'], { cwd })
  // Dawn's notes on stderr follow.
  const { senders } = JSON.parse(output.slice(0, output.lastIndexOf('}') + 1)) as {
    readonly senders: { readonly library: string; readonly faults: readonly string[] }
  }
  if (senders.library !== library || senders.faults.length > 0)
    throw new CheckError(
      `wgevm doctor: senders by ${senders.library}, expected ${library}: ${senders.faults.join('; ')}`,
    )
}

/** What is left without install scripts, or without optional packages, still executes; what needs more says so. */
const checkBare = (name: string, tarball: string, flags: readonly string[]): string => {
  const cwd = project(name, tarball, flags)
  cpSync(join(scratch, 'default', 'out'), join(cwd, 'out'), { recursive: true })
  expectText(name, run(`README's example, ${name}`, process.execPath, ['out/readme.js'], { cwd }), /^1 \{/m)
  run(`require, ${name}`, process.execPath, ['out/required.cjs'], { cwd })
  return cwd
}

try {
  checkDropInLine()
  const tarball = pack()
  run('publint', join(BIN, 'publint'), ['run', tarball, '--strict'], { cwd: scratch })
  // An ESM package that require() loads, as Node does from 20.19 on.
  const rules = ['--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm']
  run('attw', join(BIN, 'attw'), [tarball, ...rules], { cwd: scratch })
  checkDefault(tarball)
  checkBare('without install scripts', tarball, ['--ignore-scripts'])
  const bare = checkBare('without optional packages', tarball, ['--omit=optional'])
  checkSenders(bare, 'noble')
  const wgevm = join(bare, 'node_modules', '.bin', 'wgevm')
  const asked = run('wgevm bench, without optional packages', wgevm, ['bench', 'erc20'], { cwd: bare, code: 2 })
  expectText(
    'wgevm bench',
    asked,
    /^wgevm: not installed: .*; npm install @ethereumjs\/block@\S+ .*@ethereumjs\/vm@\S+$/m,
  )
} catch (thrown) {
  if (!(thrown instanceof CheckError)) throw thrown
  console.error(thrown.message)
  process.exitCode = 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
