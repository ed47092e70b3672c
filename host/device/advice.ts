import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AdapterReport } from './adapter.ts'
import { OLDEST_MESA } from './adapter.ts'
import type { AdapterKind } from './manifest.ts'
import { gpuFiles } from './manifest.ts'

/** Something that would make this machine faster, with the commands that do it. */
export interface Advice {
  readonly text: string
  readonly commands: readonly string[]
}

/** What the advice depends on. */
export interface SystemFacts {
  readonly platform: NodeJS.Platform
  readonly isRoot: boolean
  /** Fields of /etc/os-release. */
  readonly release: Readonly<Record<string, string>>
  /** Base URI of the system's own Debian sources. */
  readonly debianUri: string | undefined
  readonly gpuFiles: readonly string[]
}

export const systemFacts = (): SystemFacts => ({
  platform: process.platform,
  isRoot: process.getuid?.() === 0,
  release: existsSync('/etc/os-release') ? parseOsRelease(readFileSync('/etc/os-release', 'utf8')) : {},
  debianUri: debianUri(aptSources()),
  gpuFiles: process.platform === 'linux' ? gpuFiles() : [],
})

/** NAME=value and NAME="value" lines (os-release(5)). */
export const parseOsRelease = (text: string): Record<string, string> =>
  Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const match = /^([A-Z_0-9]+)=(.*)$/.exec(line.trim())
      return match ? [[match[1]!, match[2]!.replace(/^(["'])(.*)\1$/, '$2')]] : []
    }),
  )

const aptSources = (): string => {
  const parts = '/etc/apt/sources.list.d'
  const files = ['/etc/apt/sources.list']
  if (existsSync(parts)) files.push(...readdirSync(parts).map((name) => join(parts, name)))
  return files.flatMap((file) => (existsSync(file) ? [readFileSync(file, 'utf8')] : [])).join('\n')
}

/** The base URI of the Debian archive in apt sources of either format (sources.list(5)), or undefined. */
export const debianUri = (sources: string): string | undefined =>
  (/^deb (?:\[[^\]]*\] )?(\S+\/debian\/?) /m.exec(sources) ?? /^URIs: *(\S+\/debian\/?)(?: |$)/m.exec(sources))?.[1]

/**
 * What would be faster than the chosen adapter, for this system; empty where nothing that can be installed would be.
 */
export const adviceFor = (
  chosen: AdapterKind | undefined,
  reports: readonly AdapterReport[],
  facts: SystemFacts,
): Advice[] => {
  if (facts.platform !== 'linux' || chosen === 'gpu') return []
  const advice: Advice[] = []
  if (facts.gpuFiles.length > 0) advice.push(gpuAdvice(facts))
  const hasLavapipe = reports.some(({ kind, accepted }) => kind === 'lavapipe' && accepted)
  if (hasLavapipe) {
    if (chosen !== 'lavapipe') advice.push({ text: 'lavapipe is here and faster: ask for no adapter', commands: [] })
  } else {
    const text = `lavapipe of Mesa >= ${OLDEST_MESA} computes 7 to 29 times faster than SwiftShader (mul, keccak; measured on two cores)`
    advice.push({ text, commands: lavapipeCommands(facts) })
  }
  return advice
}

const gpuAdvice = (facts: SystemFacts): Advice => {
  const file = facts.gpuFiles[0]!
  if (file.includes('nvidia')) {
    return {
      text: `an NVIDIA GPU is there (${file}) but its Vulkan driver does not answer: install the GL/Vulkan part of the driver (libGLX_nvidia, nvidia_icd.json) and libvulkan1, or start the container with NVIDIA_DRIVER_CAPABILITIES=all`,
      commands: [],
    }
  }
  return {
    text: `a GPU is there (${file}) but no Vulkan driver answers`,
    commands: lavapipeCommands(facts),
  }
}

const sudo = ({ isRoot }: SystemFacts): string => (isRoot ? '' : 'sudo ')

const family = ({ release }: SystemFacts): string | undefined => {
  const ids = `${release['ID'] ?? ''} ${release['ID_LIKE'] ?? ''}`.split(' ')
  return ids.map((id) => FAMILIES[id]).find((name) => name !== undefined)
}

const FAMILIES: Readonly<Record<string, string>> = {
  debian: 'debian',
  ubuntu: 'debian',
  fedora: 'fedora',
  rhel: 'fedora',
  arch: 'arch',
  suse: 'suse',
  opensuse: 'suse',
}

/** Commands that install Mesa's Vulkan drivers, lavapipe among them; empty for a distribution we do not know. */
const lavapipeCommands = (facts: SystemFacts): string[] => {
  const { release, debianUri } = facts
  const run = sudo(facts)
  const version = Number.parseInt(release['VERSION_ID'] ?? '', 10)
  const packages = 'mesa-vulkan-drivers libvulkan1'
  switch (family(facts)) {
    case 'debian': {
      if (release['ID'] === 'debian' && version === 12) {
        // Debian 12 itself has Mesa 22.3.
        const from = `deb ${debianUri ?? '<your Debian mirror>'} bookworm-backports main`
        return [
          `echo '${from}' | ${run}tee /etc/apt/sources.list.d/backports.list`,
          `${run}apt-get update && ${run}apt-get install -t bookworm-backports ${packages}`,
        ]
      }
      if (release['ID'] === 'ubuntu' && version < 24) {
        return [`${run}add-apt-repository ppa:kisak/kisak-mesa`, `${run}apt-get install ${packages}`]
      }
      return [`${run}apt-get install ${packages}`]
    }
    case 'fedora':
      return [`${run}dnf install mesa-vulkan-drivers vulkan-loader`]
    case 'arch':
      return [`${run}pacman -S vulkan-swrast vulkan-icd-loader`]
    case 'suse':
      return [`${run}zypper install libvulkan_lvp libvulkan1`]
    default:
      return []
  }
}
