import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { plainFlag, type ToolCommand } from './tool_command.ts'
import { endingOf, ToolError } from './tool_error.ts'
import { PROCESS_STREAMS, type ToolStreams } from './tool_streams.ts'

const VERSION = new Set(['version', '-v', '--version'])

/** Only the command that runs is loaded. */
const COMMANDS: Readonly<Record<string, (streams: ToolStreams) => Promise<ToolCommand<never>>>> = {
  t8n: async (streams) => (await import('./t8n.ts')).transitionCommand(streams) as never,
  transition: async (streams) => (await import('./t8n.ts')).transitionCommand(streams) as never,
  statetest: async (streams) => (await import('./statetest.ts')).stateTestCommand(streams) as never,
  blocktest: async (streams) => (await import('./blocktest.ts')).blockTestCommand(streams) as never,
}
const ALIASES = new Set(['transition'])

/**
 * The `evm` tool: its command line without the name of the program. Tools that look for go-ethereum's find this one by
 * the version, which goes to stdout alone. Returns the exit code.
 */
export const runTool = async (argv: readonly string[], streams: ToolStreams = PROCESS_STREAMS): Promise<number> => {
  try {
    if (argv.length === 1 && VERSION.has(argv[0]!)) streams.stdout(`evm version ${packageVersion()} (wgevm)\n`)
    else await runCommand(argv, streams)
    return 0
  } catch (thrown) {
    const { text, exitCode } = endingOf(thrown)
    streams.stderr(`${text}\n`)
    return exitCode
  }
}

const runCommand = async (argv: readonly string[], streams: ToolStreams): Promise<void> => {
  const [name] = argv
  const isHelp = name === undefined || ['help', '--help', '-h'].includes(name)
  const load = isHelp ? undefined : Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  const names = Object.keys(COMMANDS).filter((known) => !ALIASES.has(known))
  if (!isHelp && load === undefined)
    throw new ToolError('failure', `unknown command '${name}'; there is ${names.join(', ')}, version`)
  const { default: yargs } = await import('yargs')
  const commands = await Promise.all(
    load === undefined ? names.map((known) => COMMANDS[known]!(streams)) : [load(streams)],
  )
  const flags = commands.flatMap((command) => command.flags)
  const parser = yargs(isHelp ? ['--help'] : argv.map((argument) => plainFlag(argument, flags)))
    .scriptName('evm')
    .usage("$0 <command>\n\nState transitions and Ethereum tests, with the options of go-ethereum's evm.")
    // Options have dots in their names.
    .parserConfiguration({
      'dot-notation': false,
      'duplicate-arguments-array': false,
      'parse-numbers': false,
      'boolean-negation': false,
    })
    .version(false)
    .help()
    .alias('help', 'h')
    .strict()
    .wrap(Math.min(120, process.stdout.columns ?? 120))
    .exitProcess(false)
    .fail((message, thrown) => {
      // There is no message where the command threw.
      if (!message) throw thrown
      throw new ToolError('failure', `${message.split('\n').join(', ')} (see evm ${name ?? ''} --help)`)
    })
  for (const command of commands) parser.command(command)
  if (isHelp) parser.epilogue('evm version, evm -v and evm --version print the version.')
  await parser.parseAsync()
}

const packageVersion = (): string => {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version
}
