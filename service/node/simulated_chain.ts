import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { BlockStateCall } from './state_calls.ts'

/** A block that has its place. */
export interface PlacedBlock extends BlockStateCall {
  readonly number: bigint
  readonly timestamp: bigint
}

/** Blocks above the one that they stand on. */
const MOST_BLOCKS = 256n
/** Seconds to the next block, where nothing else is said. */
const BLOCK_SECONDS = 12n

const NO_MOVES: ReadonlyMap<string, string> = new Map()

/**
 * The blocks in their order, with empty ones in the gaps between their numbers. Throws RpcError where numbers or times
 * do not ascend, or there are too many.
 */
export const placeBlocks = (
  base: { readonly number: bigint; readonly timestamp: bigint },
  blocks: readonly BlockStateCall[],
): readonly PlacedBlock[] => {
  const placed: PlacedBlock[] = []
  let { number, timestamp } = base
  for (const block of blocks) {
    const { number: wanted = number + 1n, time } = block.block
    if (wanted <= number)
      throw new RpcError(RPC_CODE.blockNumberOrder, `block numbers must be in order: ${wanted} <= ${number}`)
    if (wanted - base.number > MOST_BLOCKS) throw new RpcError(RPC_CODE.tooManyBlocks, 'too many blocks')
    for (number++; number < wanted; number++) {
      timestamp += BLOCK_SECONDS
      placed.push({ number, timestamp, block: {}, state: {}, moves: NO_MOVES, calls: [] })
    }
    if (time !== undefined && time <= timestamp)
      throw new RpcError(RPC_CODE.blockTimeOrder, `block timestamps must be in order: ${time} <= ${timestamp}`)
    timestamp = time ?? timestamp + BLOCK_SECONDS
    placed.push({ ...block, number, timestamp })
  }
  return placed
}
