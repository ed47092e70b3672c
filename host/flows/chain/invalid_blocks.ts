import type { DecodedBlock } from '../../chain/decode_block.ts'
import { type BlockHeader, uncleHashOf } from '../../chain/header.ts'
import { transactionsRoot, withdrawalsRoot } from '../../roots/roots.ts'
import type { BlockVerdict, ChainBlock } from './block_tree.ts'

type InvalidVerdict = Extract<BlockVerdict, { readonly status: 'invalid' }>

/** The oldest are forgotten: they are executed, and refused, again. */
const MOST = 1024

/** Blocks that may not stand, so that those after them are refused as well. */
export class InvalidBlocks {
  readonly #verdicts = new Map<string, InvalidVerdict>()

  /** The verdict on a block, remembered by its hash where that is the hash of all of it. */
  add(hash: string, block: DecodedBlock, reason: string, latestValid: ChainBlock): InvalidVerdict {
    const { header } = block
    const verdict: InvalidVerdict = { status: 'invalid', hash, header, reason, latestValid }
    return isBodyOf(block) ? this.#remember(verdict) : verdict
  }

  #remember(verdict: InvalidVerdict): InvalidVerdict {
    this.#verdicts.set(verdict.hash, verdict)
    for (const oldest of this.#verdicts.keys()) {
      if (this.#verdicts.size <= MOST) break
      this.#verdicts.delete(oldest)
    }
    return verdict
  }

  /** Of a block that was refused, or follows one. */
  verdict(hash: string, header: BlockHeader): InvalidVerdict | undefined {
    const parent = this.#verdicts.get(header.parentHash)
    if (parent === undefined) return this.#verdicts.get(hash)
    const { latestValid } = parent
    const reason = `follows the invalid block ${parent.header.number}: ${parent.reason}`
    return this.#remember({ status: 'invalid', hash, header, reason, latestValid })
  }
}

/** Whether the body is the one that the header names: with another one, the block of this hash may still stand. */
const isBodyOf = ({ header, transactions, uncles, withdrawals }: DecodedBlock): boolean =>
  (withdrawals !== undefined) === (header.withdrawalsRoot !== undefined) &&
  uncleHashOf(uncles) === header.uncleHash &&
  (withdrawals === undefined || withdrawalsRoot(withdrawals) === header.withdrawalsRoot) &&
  transactionsRoot(transactions) === header.transactionsRoot
