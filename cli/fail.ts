import { namingPackages } from '../bench/packages.ts'
import { EXIT_BAD_FILE, EXIT_BAD_INPUT, EXIT_FAILURE } from './exit_codes.ts'

/** Bad input. The message is one line: what is wrong, where, and what would be right. */
export class UserError extends Error {
  override readonly name = 'UserError'
}

/** Errors that a user can mend, by class name: their one-line message is all that is shown. */
const BAD_INPUT = new Set(['UserError', 'NoAdapterError', 'MissingPackageError', 'YError'])
const BAD_FILE = new Set(['FixtureError'])
/** Failures that their message explains as far as a user can act on them. */
const EXPLAINED = new Set(['AnvilError', 'VerificationError', 'RpcError', 'StoreError', 'ImportError'])
/** Of a folder of a chain: anything but these is a mistake on the command line. */
const STORE_FAILURES = new Set(['damaged', 'write', 'memory'])

/** The exit code for an error. */
export const exitCodeOf = (thrown: unknown): number => {
  if (!(thrown instanceof Error)) return EXIT_FAILURE
  if (BAD_FILE.has(thrown.name)) return EXIT_BAD_FILE
  if (thrown.name === 'StoreError')
    return STORE_FAILURES.has((thrown as Error & { fault: string }).fault) ? EXIT_FAILURE : EXIT_BAD_INPUT
  return BAD_INPUT.has(thrown.name) ? EXIT_BAD_INPUT : EXIT_FAILURE
}

/** What the user sees of an error: one line, or with `verbose` its stack and causes. */
export const failureText = (thrown: unknown, verbose: boolean): string => {
  if (!(thrown instanceof Error)) return `wgevm: ${String(thrown)}`
  if (verbose) {
    const cause = thrown.cause === undefined ? '' : `\ncaused by ${failureText(thrown.cause, true)}`
    return `${thrown.stack ?? thrown.message}${cause}`
  }
  const line = thrown.message.replaceAll(/\s*\n\s*/g, ' ')
  const isExplained = exitCodeOf(thrown) !== EXIT_FAILURE || EXPLAINED.has(thrown.name)
  return !isExplained ? `wgevm: ${line} (--verbose shows where)` : `wgevm: ${line}`
}

/** Prints an error to stderr and ends the process with its exit code. */
export const fail = (error: unknown, verbose: boolean): never => {
  const thrown = namingPackages(error)
  process.stderr.write(`${failureText(thrown, verbose)}\n`)
  process.exit(exitCodeOf(thrown))
}
