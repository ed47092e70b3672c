import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { namingPackages } from '../packages.ts'
import { COMPILED } from './compiled.generated.ts'

export interface CompiledContract {
  /** Creation bytecode, 0x-hex, without constructor arguments. */
  readonly creation: string
  /** Compiler and settings in words, for a report. */
  readonly compiler: string
}

/** The creation bytecode of `contract` in bench/contracts/sources/`file`, or among the variants. */
export const compiledContract = (file: string, contract: string): CompiledContract => {
  const creation = COMPILED.sources[file]?.contracts[contract]
  if (creation === undefined) throw new Error(`${file} has no contract ${contract}; npm run generate compiles it`)
  const { solc, settings } = COMPILED
  return { creation, compiler: `solc ${solc}, optimizer ${settings.optimizer.runs} runs, ${settings.evmVersion}` }
}

export const OPEN_ZEPPELIN_VERSION: string = COMPILED.openZeppelin

interface Artifact {
  readonly bytecode: string
}

/**
 * The creation bytecode that a Uniswap package publishes for `contract`, 0x-hex. Its licence is the GPL, so the
 * package does not hold it: throws MissingPackageError where it is not installed.
 */
export const publishedCreation = (
  packageName: '@uniswap/v2-core' | '@uniswap/v2-periphery',
  contract: string,
): string => {
  const { bytecode } = JSON.parse(readFileSync(artifactPath(packageName, contract), 'utf8')) as Artifact
  return bytecode.startsWith('0x') ? bytecode : `0x${bytecode}`
}

const artifactPath = (packageName: string, contract: string): string => {
  try {
    return createRequire(import.meta.url).resolve(`${packageName}/build/${contract}.json`)
  } catch (cause) {
    throw namingPackages(cause)
  }
}
