import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { TestChoice, TestResult, TestSetting } from './state_test_file.ts'
import type { SkippedTests } from './state_test_kind.ts'
import type { TestFile } from './state_test_source.ts'
import type { WorkerFailure, WorkerNews, WorkerStart, WorkerTask } from './state_test_worker.ts'

export interface JobOptions {
  readonly setting: TestSetting
  readonly choice: TestChoice
  /**
   * Processes. Tests never run in this one, so it hears of a crash and of an interruption, and has what was done.
   */
  readonly jobs: number
  /** Called with each result as soon as it is there, in whatever order. */
  readonly onResult?: (result: TestResult) => void
  /** Ends the run, with what was done by then. */
  readonly signal?: AbortSignal
}

/** A file that did not run to its end. Results of its tests before that are kept. */
export interface BrokenFile {
  readonly file: string
  /** Of the error that ended it; `crash` where its process ended. */
  readonly cause: string
  readonly reason: string
}

export interface TestRun {
  /** In the order of the files, whatever ran when. */
  readonly results: readonly TestResult[]
  readonly skipped: readonly SkippedTests[]
  readonly broken: readonly BrokenFile[]
  /** The run was ended by its signal. */
  readonly isStopped: boolean
}

/** Tests could not be run at all: what the processes said of why, with the name of their error. */
class ClosedError extends Error {
  override readonly name: string

  constructor({ name, message }: WorkerFailure) {
    super(message)
    this.name = name
  }
}

/** Runs all files. Throws where none of them can be run, as without the adapter that was asked for. */
export const runTestFiles = async (
  files: readonly TestFile[],
  { setting, choice, jobs, onResult, signal }: JobOptions,
): Promise<TestRun> => {
  // Large files first, so no process is left alone with one in the end.
  const order = files.map((_, i) => i).sort((a, b) => files[b]!.sizeBytes - files[a]!.sizeBytes)
  const results: TestResult[][] = files.map(() => [])
  const skipped: SkippedTests[] = []
  const broken: BrokenFile[] = []
  const children = new Set<ChildProcess>()
  const start = (): ChildProcess => {
    const child = startChild({ setting, choice })
    children.add(child)
    child.once('exit', () => children.delete(child))
    return child
  }
  let next = 0
  const isStopped = (): boolean => signal?.aborted === true
  const work = async (): Promise<void> => {
    let child: ChildProcess | undefined
    while (next < order.length && !isStopped()) {
      const i = order[next++]!
      const file = files[i]!
      const task = readTask(file)
      if ('failure' in task) {
        broken.push({ file: file.name, cause: task.failure.name, reason: task.failure.message })
        continue
      }
      child ??= start()
      const end = await ask(child, task, (news) => {
        if (news.kind === 'skipped') skipped.push(news.skipped)
        else {
          results[i]!.push(news.result)
          onResult?.(news.result)
        }
      })
      if (isStopped()) return
      if (end.kind === 'closed') throw new ClosedError(end.failure)
      if (end.kind === 'failed') {
        const { name, message } = end.failure
        broken.push({ file: file.name, cause: name, reason: message })
      } else if (end.kind === 'crashed') {
        broken.push({ file: file.name, cause: 'crash', reason: `its process ended with ${end.how}` })
        child = undefined
      }
    }
  }
  const kill = (): void => {
    for (const child of children) child.kill('SIGKILL')
  }
  const stopped = new Promise<void>((resolve) => {
    signal?.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    const working = Promise.all(Array.from({ length: Math.min(jobs, files.length) }, work))
    await Promise.race([working, stopped])
    return { results: results.flat(), skipped, broken, isStopped: isStopped() }
  } finally {
    kill()
  }
}

const readTask = ({ name, read }: TestFile): WorkerTask | { readonly failure: WorkerFailure } => {
  try {
    return { name, text: read() }
  } catch (thrown) {
    const { name: error, message } = thrown as Error
    return { failure: { name: error, message } }
  }
}

const startChild = (start: WorkerStart): ChildProcess => {
  const source = fileURLToPath(new URL('./state_test_worker.ts', import.meta.url))
  // In a checkout the child reads TypeScript, whatever this process was started with.
  const loader = existsSync(source) ? pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href : undefined
  const child =
    loader === undefined
      ? fork(source.replace(/\.ts$/, '.js'), { serialization: 'advanced' })
      : fork(source, { serialization: 'advanced', execArgv: ['--import', loader] })
  child.send(start)
  return child
}

type EndNews = Exclude<WorkerNews, { readonly kind: 'result' | 'skipped' }>
type TestNews = Exclude<WorkerNews, EndNews>
/** How a file ended. */
type FileEnd = EndNews | { readonly kind: 'crashed'; readonly how: string }

const ask = (child: ChildProcess, task: WorkerTask, onTest: (news: TestNews) => void): Promise<FileEnd> =>
  new Promise((resolve) => {
    const end = (how: FileEnd): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      resolve(how)
    }
    const onMessage = (news: WorkerNews): void => {
      if (news.kind === 'result' || news.kind === 'skipped') onTest(news)
      else end(news)
    }
    const onExit = (code: number | null, signal: string | null): void =>
      end({ kind: 'crashed', how: signal ?? `exit code ${code}` })
    child.on('message', onMessage)
    child.once('exit', onExit)
    // A process that is gone is told by its exit.
    child.send(task, () => {})
  })
