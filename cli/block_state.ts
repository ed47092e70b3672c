import { configuredBlobs, forkAt, isMergedAfter } from '../host/chain/chain_config.ts'
import { decodeHeader } from '../host/chain/decode_block.ts'
import type { BlockEnvironment } from '../host/chain/environment.ts'
import { blobScheduleAt, environmentOf } from '../host/chain/header.ts'
import { FixedState } from '../host/flows/chain/fixed_state.ts'
import { KnownBlocks } from '../host/flows/chain/known_blocks.ts'
import type { Fork } from '../transpiler/spec/forks.ts'
import { openStore } from './chain_folder.ts'
import { UserError } from './fail.ts'

/** The state after a block of a chain in a folder, and what calls see of that block. */
export interface BlockState {
  readonly fork: Fork
  readonly chainId: bigint
  readonly env: BlockEnvironment
  readonly state: FixedState
  close(): Promise<void>
}

/** `number`: a block of the chain; absent: the head. Throws UserError and StoreError. */
export const openBlockState = async (folder: string, number: bigint | undefined): Promise<BlockState> => {
  const { store, config } = await openStore(folder)
  try {
    const { head } = store
    const at = number ?? head.number
    const hash = store.canonical(at)?.hash
    if (hash === undefined) throw new UserError(`--block ${at}: the chain in ${folder} ends with block ${head.number}`)
    store.checkReach(at)
    const header = decodeHeader(store.header(hash)!)
    const { timestamp } = header
    const before = store.canonical(at - 1n)?.totalDifficulty ?? 0n
    const fork = forkAt(config, { number: at, timestamp, isMerged: isMergedAfter(config, before) })
    const { chainId } = config
    const blobs = configuredBlobs(config, fork, timestamp) ?? blobScheduleAt(fork, chainId, timestamp)
    const state = new FixedState(store, new KnownBlocks(store), hash)
    return { fork, chainId, env: environmentOf(header, fork, blobs), state, close: () => store.close() }
  } catch (thrown) {
    await store.close()
    throw thrown
  }
}
