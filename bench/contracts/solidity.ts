import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const sourceFolder = fileURLToPath(new URL('./sources/', import.meta.url))

/** The project's root: the folder of its package.json. */
export const projectRoot = fileURLToPath(new URL('../../', import.meta.url))

/** Optimizer on, as deployed tokens have it; `evmVersion` is fixed so that the bytecode does not move with the compiler. */
const SETTINGS = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: 'cancun',
  metadata: { bytecodeHash: 'none' },
  outputSelection: { '*': { '*': ['evm.bytecode.object'] } },
} as const

interface Solc {
  version(): string
  compile(input: string, callbacks: { import(path: string): { contents: string } | { error: string } }): string
}

interface SolcOutput {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[]
  readonly contracts: Record<string, Record<string, { evm: { bytecode: { object: string } } }>>
}

export class SolidityError extends Error {
  override readonly name = 'SolidityError'
}

export interface CompiledContract {
  /** Creation bytecode, 0x-hex, without constructor arguments. */
  readonly creation: string
  /** Compiler and settings in words, for a report. */
  readonly compiler: string
}

const packageVersion = (name: string): string =>
  (JSON.parse(readFileSync(require.resolve(`${name}/package.json`), 'utf8')) as { version: string }).version

/**
 * All contracts of a source. Compiling takes 1 to 2 s (the compiler is 9 MB of wasm), so results live in `.cache/contracts` by
 * content hash. Throws SolidityError.
 */
export const compileSource = (file: string, content: string): Record<string, CompiledContract> => {
  const versions = { solc: packageVersion('solc'), openzeppelin: packageVersion('@openzeppelin/contracts') }
  const key = createHash('sha256')
    .update(JSON.stringify([file, content, SETTINGS, versions]))
    .digest('hex')
  const cachePath = join(projectRoot, '.cache', 'contracts', `${key.slice(0, 32)}.json`)
  try {
    return JSON.parse(readFileSync(cachePath, 'utf8')) as Record<string, CompiledContract>
  } catch {
    const compiled = runSolc(file, content)
    writeCache(cachePath, compiled)
    return compiled
  }
}

const runSolc = (file: string, content: string): Record<string, CompiledContract> => {
  const solc = require('solc') as Solc
  const input = { language: 'Solidity', sources: { [file]: { content } }, settings: SETTINGS }
  const output = JSON.parse(
    solc.compile(JSON.stringify(input), {
      import: (path) => {
        try {
          return { contents: readFileSync(require.resolve(path), 'utf8') }
        } catch {
          return { error: `not installed: ${path}` }
        }
      },
    }),
  ) as SolcOutput
  const failure = output.errors?.find((error) => error.severity === 'error')
  if (failure !== undefined) throw new SolidityError(failure.formattedMessage)
  const compiler = `solc ${packageVersion('solc')}, optimizer ${SETTINGS.optimizer.runs} runs, ${SETTINGS.evmVersion}`
  const contracts: Record<string, CompiledContract> = {}
  for (const [name, contract] of Object.entries(output.contracts[file] ?? {})) {
    contracts[name] = { creation: `0x${contract.evm.bytecode.object}`, compiler }
  }
  return contracts
}

const writeCache = (path: string, value: unknown) => {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, JSON.stringify(value))
    renameSync(temporary, path)
  } catch {
    // A read-only checkout compiles again next time.
  }
}

/** The creation bytecode of `contract` in bench/contracts/sources/`file`. */
export const compileContract = (file: string, contract: string): CompiledContract => {
  const compiled = compileSource(file, readFileSync(join(sourceFolder, file), 'utf8'))[contract]
  if (compiled === undefined) throw new SolidityError(`${file} has no contract ${contract}`)
  return compiled
}

export const openZeppelinVersion = (): string => packageVersion('@openzeppelin/contracts')

interface Artifact {
  readonly bytecode: string
}

/** The creation bytecode that a Uniswap package publishes for `contract`, 0x-hex. */
export const publishedCreation = (
  packageName: '@uniswap/v2-core' | '@uniswap/v2-periphery',
  contract: string,
): string => {
  const path = require.resolve(`${packageName}/build/${contract}.json`)
  const { bytecode } = JSON.parse(readFileSync(path, 'utf8')) as Artifact
  return bytecode.startsWith('0x') ? bytecode : `0x${bytecode}`
}
