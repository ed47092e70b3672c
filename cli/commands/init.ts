import type { CommandModule } from 'yargs'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { DATA_OPTION, readGenesis } from '../chain_folder.ts'
import { repairLines } from '../repair_progress.ts'

interface InitArguments {
  genesis: string
  data: string
}

export const initCommand: CommandModule<object, InitArguments> = {
  command: 'init',
  describe:
    'Begin a chain in a folder with a genesis file (go-ethereum format); one that is there is checked against it',
  builder: (parser) =>
    parser
      .option('genesis', { type: 'string', demandOption: true, describe: 'JSON with config, header fields and alloc' })
      .options(DATA_OPTION)
      .strict(),
  handler: async ({ genesis, data }) => {
    const chain = await openChain({
      path: data,
      genesis: readGenesis(genesis),
      onRepair: repairLines(process.stderr),
    })
    const { head, genesisHash, config } = chain
    const { number, stateRoot } = chain.block(genesisHash)!.header
    await chain.close()
    process.stdout.write(`chain    ${config.chainId}\ngenesis  ${genesisHash}\nroot     ${stateRoot}\n`)
    if (head.header.number !== number) process.stdout.write(`head     ${head.header.number} ${head.hash}\n`)
  },
}
