#!/usr/bin/env node
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import yargs, { type CommandModule } from 'yargs'
import { fail, UserError } from './fail.ts'

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'commands')

/** Command names: each file of cli/commands is one. */
const commandNames = (): string[] =>
  readdirSync(FOLDER)
    .filter((file) => /\.(ts|js)$/.test(file) && !file.endsWith('.d.ts'))
    .map((file) => file.replace(/\.(ts|js)$/, ''))
    .sort()

const isCommand = (value: unknown): value is CommandModule =>
  typeof value === 'object' && value !== null && 'command' in value && 'handler' in value

/** Loads one command: the export of its file that is a yargs CommandModule. */
const loadCommand = async (name: string): Promise<CommandModule> => {
  const file = ['.ts', '.js'].map((ending) => join(FOLDER, name + ending)).find((path) => existsSync(path))
  const exported: Record<string, unknown> = await import(`file://${file}`)
  const command = Object.values(exported).find(isCommand)
  if (command === undefined) throw new Error(`cli/commands/${name} exports no command`)
  return command
}

const packageVersion = (): string => {
  let folder = FOLDER
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  return version
}

const main = async (argv: readonly string[]): Promise<void> => {
  const names = commandNames()
  const asked = argv.find((argument) => !argument.startsWith('-'))
  if (asked !== undefined && !names.includes(asked)) {
    throw new UserError(`unknown command '${asked}'; there is ${names.join(', ')}`)
  }
  // Only the command that runs is loaded, so that start-up does not pay for the others; --help shows all.
  const commands = await Promise.all((asked === undefined ? names : [asked]).map(loadCommand))
  const parser = yargs([...argv])
    .scriptName('wgevm')
    .usage('$0 <command>\n\nExecutes batches and blocks of Ethereum transactions on a GPU.')
    .option('verbose', { type: 'boolean', default: false, describe: 'show the stack of an error' })
    .version(packageVersion())
    .help()
    .strict()
    .recommendCommands()
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .fail((message, thrown) => {
      throw thrown ?? new UserError(`${message.split('\n').join(', ')} (see wgevm ${asked ?? ''} --help)`)
    })
  for (const command of commands) parser.command(command)
  if (argv.length === 0) {
    parser.showHelp('log')
    return
  }
  await parser.parseAsync()
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const argv = process.argv.slice(2)
try {
  await main(argv)
} catch (thrown) {
  fail(thrown, argv.includes('--verbose'))
}
