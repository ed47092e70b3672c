import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/** The module of a worker beside the module `from`: `name`.ts in a checkout, and what it is built to in the package. */
export const threadEntry = (name: string, from: string): URL =>
  new URL(`${name}.${from.endsWith('.ts') ? 'ts' : 'js'}`, from)

/** A thread that runs `entry`, TypeScript sources as well, with `workerData`. It does not keep the process alive. */
export const startThread = (
  entry: URL,
  options: Pick<WorkerOptions, 'resourceLimits' | 'transferList' | 'workerData'>,
): Worker => {
  const threadOptions = { ...options, execArgv: [] }
  const worker = entry.pathname.endsWith('.ts')
    ? new Worker(typescriptStart(entry), { ...threadOptions, eval: true })
    : new Worker(entry, threadOptions)
  worker.unref()
  return worker
}

/**
 * Lets a thread import TypeScript sources, then the entry. (Node 20 does not take the hooks of an `--import` for the
 * entry of a thread, and tsx's own ones do not load from where `require` finds them.)
 */
const typescriptStart = (entry: URL): string => {
  const found = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm/api'))
  const api = new URL('./index.mjs', found)
  return `import('${api}').then(({ register }) => (register(), import('${entry}')))`
}
