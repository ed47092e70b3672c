import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folderOfManifest = (): string => {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** The folder of this project's package.json, in a checkout and where the package is installed. */
export const PROJECT_ROOT: string = folderOfManifest()

/** This project's package.json. */
export const manifest = (): Readonly<Record<string, Readonly<Record<string, string>>>> & { readonly version: string } =>
  JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8'))

export const machine = () => {
  const cores = cpus()
  return { cpu: cores[0]?.model.trim() ?? 'unknown', cores: cores.length, memoryBytes: totalmem() }
}

/**
 * The commit of this checkout, `-dirty` appended where tracked files differ from it. An installed package has none, and
 * may lie in another checkout: then its version.
 */
export const commitOfCheckout = (): string => {
  if (!existsSync(join(PROJECT_ROOT, '.git'))) return `v${manifest().version}`
  const git = (...options: string[]) => spawnSync('git', ['-C', PROJECT_ROOT, ...options], { encoding: 'utf8' })
  const head = git('rev-parse', '--short=12', 'HEAD')
  if (head.status !== 0) return 'unknown'
  const dirty = git('status', '--porcelain', '--untracked-files=no').stdout !== ''
  return head.stdout.trim() + (dirty ? '-dirty' : '')
}
