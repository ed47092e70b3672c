import { type ParseArgsConfig, parseArgs } from 'node:util'

type Options = NonNullable<ParseArgsConfig['options']>

/** The options of a script. What is wrong with them ends the process with 2, in one line and the usage. */
export class ScriptOptions {
  readonly #name: string
  readonly #usage: string

  constructor(name: string, usage: string) {
    this.#name = name
    this.#usage = usage
  }

  fail(text: string): never {
    console.error(`${this.#name}: ${text}\n${this.#usage}`)
    process.exit(2)
  }

  parse<const Known extends Options>(options: Known): ReturnType<typeof parseArgs<{ options: Known }>>['values'] {
    try {
      return parseArgs({ options }).values
    } catch (thrown) {
      return this.fail((thrown as Error).message)
    }
  }

  whole(name: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`
    return this.fail(`--${name} takes a whole number ${range}, got '${text}'`)
  }
}
