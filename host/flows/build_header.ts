import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { MAX_GAS_LIMIT } from '../chain/check_header.ts'
import {
  type BlobSchedule,
  type BlockHeader,
  EMPTY_LIST_HASH,
  gasLimitBounds,
  headerHash,
  nextBaseFee,
  nextExcessBlobGas,
} from '../chain/header.ts'
import { extraDataOf, leastGasLimit, opNextBaseFee } from '../chain/op/base_fee.ts'
import type { OpRules } from '../chain/op/op_chain.ts'
import { EMPTY_TRIE_ROOT } from '../primitives/keccak.ts'
import { withdrawalsRoot } from '../roots/roots.ts'
import { BlockError } from './block_input.ts'
import type { BuildRequest } from './build_request.ts'

/** Left of the header for the execution is what it gives: roots, bloom, gas and requests. */
export const buildHeader = (
  { parent, attributes }: BuildRequest,
  fork: Fork,
  schedule: BlobSchedule | undefined,
  chain: OpRules | undefined,
): BlockHeader => {
  const wanted = attributes.gasLimit ?? parent.gasLimit
  const extraData = chain === undefined ? (attributes.extraData ?? '0x') : extraDataOf(chain, chain.fork, attributes)
  const number = parent.number + 1n
  if (chain !== undefined) checkGasLimit(number, wanted, leastGasLimit(chain, chain.fork, extraData))
  return {
    parentHash: headerHash(parent),
    uncleHash: EMPTY_LIST_HASH,
    coinbase: attributes.coinbase.toLowerCase(),
    stateRoot: parent.stateRoot,
    transactionsRoot: EMPTY_TRIE_ROOT,
    receiptsRoot: EMPTY_TRIE_ROOT,
    logsBloom: `0x${'00'.repeat(256)}`,
    difficulty: 0n,
    number,
    gasLimit: chain === undefined ? towards(wanted, gasLimitBounds(parent, fork)) : wanted,
    gasUsed: 0n,
    timestamp: attributes.timestamp,
    extraData,
    mixHash: attributes.prevRandao.toLowerCase(),
    nonce: '0x0000000000000000',
    baseFeePerGas: chain === undefined ? nextBaseFee(parent) : opNextBaseFee(chain, parent, attributes.timestamp),
    ...(isAtLeast(fork, 'shanghai') ? { withdrawalsRoot: withdrawalsRoot(attributes.withdrawals ?? []) } : {}),
    ...(isAtLeast(fork, 'cancun')
      ? {
          blobGasUsed: 0n,
          excessBlobGas: schedule === undefined ? 0n : nextExcessBlobGas(parent, fork, schedule),
          parentBeaconBlockRoot: attributes.parentBeaconBlockRoot ?? `0x${'00'.repeat(32)}`,
        }
      : {}),
  }
}

/** On the OP stack attributes say the gas limit, which no parent bounds. */
const checkGasLimit = (number: bigint, wanted: bigint, least: bigint): void => {
  if (wanted < least || wanted > MAX_GAS_LIMIT)
    throw new BlockError(number, 'gasLimit', `is ${wanted}, expected ${least} to ${MAX_GAS_LIMIT}`)
}

/** As near to what is wanted as the bounds allow. */
const towards = (wanted: bigint, { least, most }: { readonly least: bigint; readonly most: bigint }): bigint => {
  if (wanted < least) return least
  if (wanted > most) return most
  return wanted
}
