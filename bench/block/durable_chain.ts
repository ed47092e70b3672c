import { join } from 'node:path'
import { readChainConfig } from '../../host/chain/chain_config.ts'
import { headerHash } from '../../host/chain/header.ts'
import type { Chain, ChainOptions } from '../../host/flows/chain/chain_interface.ts'
import { checkState } from '../../host/flows/chain/check_store.ts'
import type { Genesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { Store } from '../../host/state/store/store.ts'
import { FORKS, type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { collectGarbage } from '../garbage.ts'
import { VerificationError } from '../verify.ts'
import { type TimedBlock, timedOf } from './measured_chain.ts'
import { encodeBlock, type SignedBlock, type SignedChain } from './signed_chain.ts'

const BY_BLOCK = ['homestead', 'eip150', 'eip155', 'eip158', 'byzantium', 'constantinople', 'petersburg']
  .concat(['istanbul', 'berlin', 'london'])
  .map((name) => [`${name}Block`, 0] as const)
const BY_TIME = FORKS.filter((fork) => isAtLeast(fork, 'shanghai'))

/** The rules of a chain that is at one fork from its first block on. */
const configOf = (fork: Fork, chainId: bigint): object => ({
  chainId: Number(chainId),
  ...Object.fromEntries(BY_BLOCK),
  terminalTotalDifficulty: 0,
  ...Object.fromEntries(BY_TIME.filter((name) => isAtLeast(fork, name)).map((name) => [`${name}Time`, 0])),
})

/** The genesis of a signed chain, for a folder. */
export const genesisOf = ({ scenario, genesis, genesisHeader }: SignedChain): Genesis => {
  const config = configOf(scenario.fork, scenario.chainId)
  return { config: readChainConfig(config), configText: JSON.stringify(config), header: genesisHeader, state: genesis }
}

/** A chain in a new folder, which is given the blocks of a signed chain as RLP. */
export class DurableChain {
  readonly #path: string
  readonly #chain: Chain

  private constructor(path: string, chain: Chain) {
    this.#path = path
    this.#chain = chain
  }

  /** `path`: a folder that is not there. */
  static async begin(
    path: string,
    chain: SignedChain,
    options: Pick<ChainOptions, 'transactionLookup' | 'executor'>,
  ): Promise<DurableChain> {
    return new DurableChain(path, await openChain({ path, genesis: genesisOf(chain), ...options }))
  }

  /** Imports the next block: from RLP to roots that are its header's, and all of it on the disk. */
  async run(signed: SignedBlock): Promise<TimedBlock> {
    const bytes = encodeBlock(signed)
    collectGarbage()
    const startedMs = performance.now()
    const { result } = await this.#chain.import(bytes)
    const elapsedMs = performance.now() - startedMs
    return timedOf(signed, { elapsedMs, result: result! }, 0)
  }

  /**
   * Closes the folder and opens it again: its head is `last`, and every account and slot, hashed anew, has its root.
   * Throws VerificationError, and StoreError where the state has another root.
   */
  async verify(last: SignedBlock): Promise<void> {
    await this.#chain.close()
    const store = await Store.open(this.#path, { create: false })
    const { hash } = store.head
    try {
      checkState(store)
    } finally {
      await store.close()
    }
    const wanted = headerHash(last.block.header)
    if (hash !== wanted) throw new VerificationError(`the head in the folder is ${hash}, the last block is ${wanted}`)
  }

  async close(): Promise<void> {
    await this.#chain.close()
  }
}

/** The chains of a run, by what they are measured as: with places of transactions and without, below one folder. */
export const beginDurable = async (
  folder: string,
  chain: SignedChain,
  executor: NonNullable<ChainOptions['executor']>,
): Promise<Readonly<Record<'durable' | 'placeless', DurableChain>>> => ({
  durable: await DurableChain.begin(join(folder, 'places'), chain, { executor }),
  placeless: await DurableChain.begin(join(folder, 'placeless'), chain, { executor, transactionLookup: false }),
})
