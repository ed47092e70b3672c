/** What a test came to: the fields that go-ethereum's `evm statetest` and `evm blocktest` print. */
export interface TestReport {
  readonly name: string
  readonly pass: boolean
  readonly stateRoot?: string
  readonly fork: string
  readonly error?: string
  readonly state?: StateDump
}

/** Of a test whose fork has no rules here: it fails, and the others of its file run. */
export const unknownFork = (name: string, fork: string): TestReport => ({
  name,
  pass: false,
  fork,
  error: `unsupported fork "${fork}"`,
})

/** A whole state as `--dump` tells it. */
export interface StateDump {
  readonly root: string
  readonly accounts: Readonly<Record<string, object>>
}

/** The array of them, or with `human` a line each and their count. */
export const reportText = (reports: readonly TestReport[], human: boolean): string => {
  if (!human) return `${JSON.stringify(reports, null, 2)}\n`
  const failed = reports.filter(({ pass }) => !pass).length
  const lines = reports.map(({ name, pass, fork, error, state }) => {
    const line = pass ? `[PASS] ${name}` : `[FAIL] ${name}, err=${error}, fork=${fork}`
    return state === undefined ? line : `${line}\n${JSON.stringify(state, null, 2)}`
  })
  return [...lines, '--', `${reports.length - failed} tests passed, ${failed} tests failed.`, ''].join('\n')
}
