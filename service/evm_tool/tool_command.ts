import type { CommandModule } from 'yargs'
import { ToolError } from './tool_error.ts'

/** A command of the tool; `flags` are its options that are on or off. */
export interface ToolCommand<Arguments> extends CommandModule<object, Arguments> {
  readonly flags: readonly string[]
}

const ON = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const OFF = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

/**
 * An argument with the value of a flag in one spelling: yargs takes every value but `true` for off, and the argument
 * after a flag for its value. Throws ToolError.
 */
export const plainFlag = (argument: string, flags: readonly string[]): string => {
  const [, name, value = 'true'] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? []
  if (name === undefined || !flags.includes(name)) return argument
  if (ON.has(value)) return `--${name}=true`
  if (OFF.has(value)) return `--${name}=false`
  throw new ToolError('failure', `--${name} takes true or false, got '${value}'`)
}
