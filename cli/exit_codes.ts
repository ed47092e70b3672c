/** What the exit codes of all commands mean, in the order of `wgevm --help` and docs/formats.md. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'everything that was asked for was done, and every result is right'],
  [1, 'a result differs, a test fails, or something went wrong on the way'],
  [2, 'the command line is wrong: name, number, adapter, or an output that cannot be written'],
  [3, 'bench --compare: a workload is slower than before, by more than the spread'],
  [11, 'an input file is missing, cannot be read, or is malformed'],
  [130, 'ended by Ctrl-C'],
]

/** Exit code of everything that has none of its own. */
export const EXIT_FAILURE = 1
/** Exit code of a mistake on the command line: unknown name, bad number, no such adapter. */
export const EXIT_BAD_INPUT = 2
/** Exit code of a comparison that found something slower. */
export const EXIT_SLOWER = 3
/** Exit code of a fixture or test file that is missing or malformed. */
export const EXIT_BAD_FILE = 11
/** Exit code of an interruption: 128 and the number of SIGINT, as a shell says it. */
export const EXIT_INTERRUPTED = 130

/** The table as `--help` ends with it. */
export const exitCodesText = (): string =>
  `Exit codes:\n${EXIT_CODES.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}`
