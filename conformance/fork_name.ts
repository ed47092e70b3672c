import type { Fork } from '../transpiler/spec/forks.ts'

/** Forks as Ethereum tests and go-ethereum's tools spell them. BPO forks change blob parameters alone (EIP-7892). */
const NAMES: Readonly<Record<string, Fork>> = {
  Frontier: 'frontier',
  Homestead: 'homestead',
  EIP150: 'tangerineWhistle',
  TangerineWhistle: 'tangerineWhistle',
  EIP158: 'spuriousDragon',
  SpuriousDragon: 'spuriousDragon',
  Byzantium: 'byzantium',
  Constantinople: 'constantinople',
  ConstantinopleFix: 'petersburg',
  Istanbul: 'istanbul',
  MuirGlacier: 'istanbul',
  Berlin: 'berlin',
  London: 'london',
  ArrowGlacier: 'london',
  GrayGlacier: 'london',
  Merge: 'paris',
  Paris: 'paris',
  Shanghai: 'shanghai',
  Cancun: 'cancun',
  Prague: 'prague',
  Osaka: 'osaka',
}

export const TEST_FORKS: readonly string[] = Object.keys(NAMES)

/** The fork that a test names, undefined where there is none of this name. */
export const forkOfTests = (name: string): Fork | undefined => (Object.hasOwn(NAMES, name) ? NAMES[name] : undefined)
