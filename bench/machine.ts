import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { projectRoot } from './contracts/solidity.ts'

export const machine = () => {
  const cores = cpus()
  return { cpu: cores[0]?.model.trim() ?? 'unknown', cores: cores.length, memoryBytes: totalmem() }
}

/** The commit of this checkout, `-dirty` appended where tracked files differ from it. */
export const commitOfCheckout = (): string => {
  const git = (...options: string[]) => spawnSync('git', ['-C', projectRoot, ...options], { encoding: 'utf8' })
  const head = git('rev-parse', '--short=12', 'HEAD')
  if (head.status !== 0) return 'unknown'
  const dirty = git('status', '--porcelain', '--untracked-files=no').stdout !== ''
  return head.stdout.trim() + (dirty ? '-dirty' : '')
}
