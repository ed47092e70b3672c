import { readFileSync } from 'node:fs'
import { ToolError } from './tool_error.ts'

/** Where the tool reads and writes what has no file name. */
export interface ToolStreams {
  /** All of standard input. */
  stdin(): string
  stdout(text: string): void
  stderr(text: string): void
}

export const PROCESS_STREAMS: ToolStreams = {
  stdin: () => readFileSync(0, 'utf8'),
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
}

/** The text of a file, or what a stream gives; `what` names it in messages. Throws ToolError. */
export const readTextOf = (what: string, read: () => string): string => {
  try {
    return read()
  } catch (thrown) {
    throw new ToolError('io', `failed reading ${what}: ${(thrown as Error).message}`)
  }
}
