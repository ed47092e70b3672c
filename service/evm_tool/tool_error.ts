/** Exit codes of the `evm` tool, which are those of go-ethereum's; everything else that goes wrong is 1. */
export const TOOL_EXITS = {
  failure: 1,
  /** The EVM could not be run: a contract of the system is missing or fails. */
  evm: 2,
  /** The fork, or an environment that does not fit it. */
  config: 3,
  /** BLOCKHASH asked for a hash that was not supplied. */
  blockHash: 4,
  json: 10,
  io: 11,
  rlp: 12,
} as const

/** What ends the tool: its message goes to stderr behind the exit code. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
  readonly exitCode: number

  constructor(exit: keyof typeof TOOL_EXITS, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = TOOL_EXITS[exit]
  }
}

/** The line of an error, and the code that the process ends with. */
export const endingOf = (thrown: unknown): { readonly text: string; readonly exitCode: number } => {
  const { name, message } = thrown instanceof Error ? thrown : { name: 'Error', message: String(thrown) }
  const line = message.replaceAll(/\s*\n\s*/g, ' ')
  const exitCode = thrown instanceof ToolError ? thrown.exitCode : (CODES[name] ?? TOOL_EXITS.failure)
  return { text: `ERROR(${exitCode}): ${line}`, exitCode }
}

/** Of the readers of JSON files. */
const CODES: Readonly<Record<string, number>> = { FixtureError: TOOL_EXITS.json }
