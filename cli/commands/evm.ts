import type { CommandModule } from 'yargs'

/** How `wgevm --help` lists it: its own command line (service/evm_tool) takes everything after the name. */
export const evmCommand: CommandModule = {
  command: 'evm <command>',
  describe: "State transitions and tests as go-ethereum's evm has them: t8n, statetest, blocktest, version",
  handler: () => {},
}
