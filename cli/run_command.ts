import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import yargs, { type CommandModule } from 'yargs'
import { exitCodesText } from './exit_codes.ts'
import { UserError } from './fail.ts'
import { packageVersion } from './package_version.ts'

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'commands')
/** Commands of yargs itself. */
const COMPLETION = 'completion'
/** The command with a command line, exit codes and help of its own. */
const EVM = 'evm'

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
  const exported: Record<string, unknown> = await import(pathToFileURL(file!).href)
  const command = Object.values(exported).find(isCommand)
  if (command === undefined) throw new Error(`cli/commands/${name} exports no command`)
  return command
}

/** Help of a command ends with the exit codes, which all share. */
const withExitCodes = (command: CommandModule): CommandModule => ({
  ...command,
  builder: (parser) => {
    if (typeof command.builder === 'function') command.builder(parser)
    return parser.epilogue(exitCodesText())
  },
})

/** An option that is given twice counts once, as it was given last; the words of `[names..]` all count. */
const keepLast = (given: Record<string, unknown>, commands: readonly CommandModule[]): void => {
  const lists = new Set(['_', '--'])
  for (const { command } of commands) {
    for (const match of String(command).matchAll(/(\w+)\.\./g)) lists.add(match[1]!)
  }
  for (const [name, value] of Object.entries(given)) {
    if (Array.isArray(value) && !lists.has(name)) given[name] = value.at(-1)
  }
}

/**
 * Runs one command line. Throws UserError for one that cannot be meant, FixtureError for a bad input file, and what the
 * command throws.
 */
export const runCommand = async (argv: readonly string[]): Promise<void> => {
  const names = commandNames()
  // The words that a shell wants completed come after this option of yargs, the program's own name first.
  const isCompleting = argv.includes('--get-yargs-completions')
  const asked = isCompleting ? undefined : argv.find((argument) => !argument.startsWith('-'))
  if (asked !== undefined && asked !== COMPLETION && !names.includes(asked)) {
    throw new UserError(`unknown command '${asked}'; there is ${names.join(', ')}`)
  }
  if (asked === EVM) {
    const { runTool } = await import('../service/evm_tool/tool.ts')
    process.exitCode = await runTool(argv.slice(argv.indexOf(EVM) + 1))
    return
  }
  // Only the command that runs is loaded, so start-up does not pay for the others; --help shows all.
  const isOne = asked !== undefined && asked !== COMPLETION
  const commands = await Promise.all((isOne ? [asked] : names).map(loadCommand))
  const parser = yargs([...argv])
    .scriptName('wgevm')
    .usage('$0 <command>\n\nExecutes batches and blocks of Ethereum transactions on a GPU.')
    .middleware((given) => keepLast(given, commands), true)
    .option('verbose', { type: 'boolean', default: false, describe: 'show the stack of an error' })
    .version(packageVersion())
    .alias('version', 'v')
    .help()
    .alias('help', 'h')
    .strict()
    .recommendCommands()
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .fail((message, thrown) => {
      throw thrown ?? new UserError(`${message.split('\n').join(', ')} (see wgevm ${asked ?? ''} --help)`)
    })
  for (const command of commands) parser.command(withExitCodes(command))
  if (!isOne) parser.completion(COMPLETION, 'Print a script that completes wgevm in bash or zsh')
  parser.epilogue(exitCodesText())
  if (argv.length === 0) {
    parser.showHelp('log')
    return
  }
  await parser.parseAsync()
}
