import type { CommandModule } from 'yargs'
import { checkBlocks, checkState } from '../../host/flows/chain/check_store.ts'
import { DATA_OPTION, openStore } from '../chain_folder.ts'

interface VerifyArguments {
  data: string
  blocks: boolean
}

export const verifyStateCommand: CommandModule<object, VerifyArguments> = {
  command: 'verify-state',
  describe: 'Compare every account and slot of a chain with its trie, and the root of that, hashed anew, with the head',
  builder: (parser) =>
    parser
      .options(DATA_OPTION)
      .option('blocks', {
        type: 'boolean',
        default: false,
        describe: 'also every block against its header, and every header against the one before it',
      })
      .strict(),
  handler: async ({ data, blocks }) => {
    const { store } = await openStore(data)
    try {
      const { accounts, slots } = checkState(store)
      const { number, stateRoot } = store.head
      process.stdout.write(`root     ${stateRoot} of ${accounts} accounts, ${slots} slots: that of block ${number}\n`)
      if (!blocks) return
      checkBlocks(store)
      process.stdout.write(`blocks   0 to ${number}: each is what its header says, and follows the one before it\n`)
    } finally {
      await store.close()
    }
  },
}
