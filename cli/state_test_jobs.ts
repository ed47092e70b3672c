import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openRunner, runTestFile, type TestChoice, type TestPlace, type TestResult } from './state_test_file.ts'
import type { TestFile } from './state_test_source.ts'
import type { WorkerAnswer, WorkerStart, WorkerTask } from './state_test_worker.ts'

export interface JobOptions {
  readonly place: TestPlace
  readonly choice: TestChoice
  /** Processes; with one, everything runs in this one. */
  readonly jobs: number
}

/** A file could not be run. What was done before it is in `done`. */
export class TestFileError extends Error {
  override readonly name: string
  readonly done: readonly TestResult[]

  constructor(failure: { readonly name: string; readonly message: string }, done: readonly TestResult[]) {
    super(failure.message)
    this.name = failure.name
    this.done = done
  }
}

/** Runs all files; the results stand in the order of the files whatever ran when. Throws TestFileError at the first bad one. */
export const runTestFiles = (files: readonly TestFile[], options: JobOptions): Promise<TestResult[]> =>
  options.jobs === 1 ? runHere(files, options) : runInChildren(files, options)

const runHere = async (files: readonly TestFile[], { place, choice }: JobOptions): Promise<TestResult[]> => {
  const runner = await openRunner(place)
  const results: TestResult[] = []
  try {
    for (const file of files) results.push(...(await runTestFile(runner, file.name, file.read(), choice)))
    return results
  } catch (thrown) {
    throw new TestFileError(thrown as Error, results)
  } finally {
    runner.close()
  }
}

const runInChildren = async (files: readonly TestFile[], options: JobOptions): Promise<TestResult[]> => {
  // Large files first, so that no process is left alone with one in the end.
  const order = files.map((_, i) => i).sort((a, b) => files[b]!.sizeBytes - files[a]!.sizeBytes)
  const results: (readonly TestResult[])[] = files.map(() => [])
  const children = Array.from({ length: Math.min(options.jobs, files.length) }, () => startChild(options))
  let next = 0
  const work = async (child: ChildProcess): Promise<void> => {
    while (next < order.length) {
      const i = order[next++]!
      const { name, read } = files[i]!
      const answer = await ask(child, { file: name, text: read() })
      if ('failure' in answer) {
        next = order.length
        throw new TestFileError(answer.failure, results.flat())
      }
      results[i] = answer.results
    }
  }
  try {
    await Promise.all(children.map(work))
    return results.flat()
  } finally {
    for (const child of children) child.kill()
  }
}

const startChild = ({ place, choice }: JobOptions): ChildProcess => {
  const source = fileURLToPath(new URL('./state_test_worker.ts', import.meta.url))
  const child = fork(existsSync(source) ? source : source.replace(/\.ts$/, '.js'), { serialization: 'advanced' })
  const start: WorkerStart = { place, choice }
  child.send(start)
  return child
}

const ask = (child: ChildProcess, task: WorkerTask): Promise<WorkerAnswer> =>
  new Promise((resolve, reject) => {
    const onMessage = (answer: WorkerAnswer): void => {
      child.off('exit', onExit)
      resolve(answer)
    }
    const onExit = (code: number | null, signal: string | null): void => {
      child.off('message', onMessage)
      reject(new Error(`the process that ran ${task.file} ended with ${signal ?? `exit code ${code}`}`))
    }
    child.once('message', onMessage)
    child.once('exit', onExit)
    child.send(task)
  })
