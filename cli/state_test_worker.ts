import { openRunner, runTestFile, type TestChoice, type TestResult, type TestSetting } from './state_test_file.ts'
import type { SkippedTests } from './state_test_kind.ts'

/** What a child process of `wgevm statetest` is told first, and then for each file. */
export interface WorkerStart {
  readonly setting: TestSetting
  readonly choice: TestChoice
}
export interface WorkerTask {
  readonly name: string
  readonly text: string
}

export interface WorkerFailure {
  readonly name: string
  readonly message: string
}

/** What it says of a file: each test as it is done, and last how the file ended. */
export type WorkerNews =
  | { readonly kind: 'result'; readonly result: TestResult }
  | { readonly kind: 'skipped'; readonly skipped: SkippedTests }
  | { readonly kind: 'done' }
  /** The file could not be run to its end. */
  | { readonly kind: 'failed'; readonly failure: WorkerFailure }
  /** No file can be run here: there is no such adapter. */
  | { readonly kind: 'closed'; readonly failure: WorkerFailure }

const tell = (news: WorkerNews): void => {
  process.send?.(news)
}

const failureOf = (thrown: unknown): WorkerFailure =>
  thrown instanceof Error ? { name: thrown.name, message: thrown.message } : { name: 'Error', message: String(thrown) }

process.once('message', ({ setting, choice }: WorkerStart) => {
  const opened = openRunner(setting).then(
    (runner) => ({ runner }),
    (thrown: unknown) => ({ failure: failureOf(thrown) }),
  )
  const run = async (task: WorkerTask): Promise<WorkerNews> => {
    const open = await opened
    if ('failure' in open) return { kind: 'closed', failure: open.failure }
    try {
      await runTestFile(open.runner, task, choice, {
        result: (result) => tell({ kind: 'result', result }),
        skipped: (skipped) => tell({ kind: 'skipped', skipped }),
      })
      return { kind: 'done' }
    } catch (thrown) {
      return { kind: 'failed', failure: failureOf(thrown) }
    }
  }
  process.on('message', (task: WorkerTask) => void run(task).then(tell))
})
process.once('disconnect', () => process.exit(0))
