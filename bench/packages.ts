import { manifest } from './machine.ts'

/** Packages that some commands need and not every user installs: what for, and which go together. */
const OPTIONAL: readonly { readonly what: string; readonly packages: readonly string[] }[] = [
  {
    what: 'serial execution, against which results are verified',
    packages: ['@ethereumjs/block', '@ethereumjs/statemanager', '@ethereumjs/tx', '@ethereumjs/vm'],
  },
  {
    what: 'a workload with the contracts that Uniswap published',
    packages: ['@uniswap/v2-core', '@uniswap/v2-periphery'],
  },
  { what: 'a page with pictures', packages: ['vega', 'vega-lite'] },
]

/** A command needs packages that are not installed. One line: what for, and the command that installs them. */
export class MissingPackageError extends Error {
  override readonly name = 'MissingPackageError'

  /** `missing` is one of OPTIONAL. */
  constructor(missing: string, cause?: unknown) {
    const row = OPTIONAL.find(({ packages }) => packages.includes(missing))
    const { what, packages } = row ?? { what: 'this', packages: [missing] }
    const versions = testedVersions()
    const wanted = packages.map((name) => (versions[name] === undefined ? name : `${name}@${versions[name]}`))
    super(`not installed: what ${what} needs; npm install ${wanted.join(' ')}`, { cause })
  }
}

const testedVersions = (): Readonly<Record<string, string>> => {
  const { peerDependencies, optionalDependencies } = manifest()
  return { ...peerDependencies, ...optionalDependencies }
}

const UNRESOLVED = /^Cannot find (?:package|module) '((?:@[^/']+\/)?[^/']+)/

/** The error as one that names the packages, where it is that one of OPTIONAL could not be imported; else itself. */
export const namingPackages = (thrown: unknown): unknown => {
  if (!(thrown instanceof Error && 'code' in thrown)) return thrown
  if (thrown.code !== 'ERR_MODULE_NOT_FOUND' && thrown.code !== 'MODULE_NOT_FOUND') return thrown
  const missing = UNRESOLVED.exec(thrown.message)?.[1]
  const isKnown = OPTIONAL.some(({ packages }) => missing !== undefined && packages.includes(missing))
  return missing !== undefined && isKnown ? new MissingPackageError(missing, thrown) : thrown
}
