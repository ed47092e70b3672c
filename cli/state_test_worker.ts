import { openRunner, runTestFile, type TestChoice, type TestPlace, type TestResult } from './state_test_file.ts'

/** What a child process of `wgevm statetest --jobs` is told first, and then for each file. */
export interface WorkerStart {
  readonly place: TestPlace
  readonly choice: TestChoice
}
export interface WorkerTask {
  readonly file: string
  readonly text: string
}
/** Its answer to each. */
export type WorkerAnswer =
  | { readonly results: readonly TestResult[] }
  | { readonly failure: { readonly name: string; readonly message: string; readonly stack: string | undefined } }

const answer = (message: WorkerAnswer): void => {
  process.send?.(message)
}

const answered = async (work: () => Promise<readonly TestResult[]>): Promise<void> => {
  try {
    answer({ results: await work() })
  } catch (thrown) {
    const { name, message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown))
    answer({ failure: { name, message, stack } })
  }
}

process.once('message', ({ place, choice }: WorkerStart) => {
  const opened = openRunner(place)
  opened.catch(() => {})
  process.on('message', ({ file, text }: WorkerTask) => {
    void answered(async () => runTestFile(await opened, file, text, choice))
  })
})
process.once('disconnect', () => process.exit(0))
