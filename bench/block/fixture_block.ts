import { type Block, createBlock, createBlockFromRPC, type JSONRPCBlock } from '@ethereumjs/block'
import { bytesToHex } from '@ethereumjs/util'
import { runBlock } from '@ethereumjs/vm'
import { type BlockFixture, fillState, parseBlockFixture } from '../../conformance/block_fixture.ts'
import { FixtureError } from '../../conformance/json_field.ts'
import { readJsonFile } from '../../conformance/json_file.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { isAtLeast } from '../../transpiler/spec/forks.ts'
import { SYSTEM_CONTRACTS } from '../contracts/system.ts'
import { stockCommonOf } from '../stock_oracle.ts'
import { vmOn } from './vm_peer.ts'

/** A real block on a state that consists of what its fixture knows, as it comes over the wire. */
export interface FixtureBlock {
  readonly fixture: BlockFixture
  /** With the roots of that state, which @ethereumjs/vm made. */
  readonly rlp: Uint8Array
  /** The state before it. */
  readonly state: MemoryState
}

/**
 * Reads `evm-block-fixture/1` and seals its block anew on the accounts of the fixture: transactions, signatures and
 * withdrawals are the chain's, and so are transactions root, gas and receipts root, which is checked; the state root is
 * that of the partial state, and uncles, whose headers a fixture lacks, are left out. Throws FixtureError where the
 * block has no signatures or is of a chain that @ethereumjs/vm does not know.
 */
export const sealFixture = async (file: string): Promise<FixtureBlock> => {
  const { value } = readJsonFile(file, 'a block fixture')
  const fixture = parseBlockFixture(value, file)
  const { fork, chainId, expected } = fixture
  if (fixture.forkName === 'op-stack') throw new FixtureError(file, 'fork', 'expected a fork that @ethereumjs/vm knows')
  const raw = value as { readonly header: object; readonly transactions: readonly object[]; readonly withdrawals?: [] }
  if (raw.transactions.some((transaction) => !('r' in transaction)))
    throw new FixtureError(file, 'transactions', 'expected signatures')
  const state = fillState(fixture, new MemoryState())
  if (isAtLeast(fork, 'prague'))
    for (const [address, code] of Object.entries(SYSTEM_CONTRACTS)) state.setAccount(address, { nonce: 1n, code })
  const common = stockCommonOf(fork, chainId)
  const { transactions, withdrawals } = raw
  const rpc = { ...raw.header, transactions, ...(isAtLeast(fork, 'shanghai') ? { withdrawals } : {}), uncles: [] }
  const given = createBlockFromRPC(rpc as unknown as JSONRPCBlock, [], { common, setHardfork: false })
  const made = await runBlock(await vmOn(common, state), {
    block: withHeader(given, {}),
    generate: true,
    skipBlockValidation: true,
    skipHeaderValidation: true,
  })
  const transactionsRoot = await given.genTxTrie()
  const block = withHeader(given, {
    stateRoot: made.stateRoot,
    receiptTrie: made.receiptsRoot,
    logsBloom: made.logsBloom,
    gasUsed: made.gasUsed,
    transactionsTrie: transactionsRoot,
  })
  const expect = (what: string, actual: string | bigint, known: string | bigint | undefined): void => {
    if (known !== undefined && actual !== known) throw new Error(`${fixture.name}: ${what} is ${actual}, not ${known}`)
  }
  expect('gas used', made.gasUsed, expected.gasUsed)
  expect('transactions root', bytesToHex(transactionsRoot), expected.transactionsRoot)
  if (isAtLeast(fork, 'byzantium')) expect('receipts root', bytesToHex(made.receiptsRoot), expected.receiptsRoot)
  return { fixture, rlp: block.serialize(), state }
}

const withHeader = (block: Block, header: object): Block =>
  createBlock(
    {
      header: { ...block.header, ...header, uncleHash: createBlock({}, { common: block.common }).header.uncleHash },
      transactions: block.transactions,
      ...(block.withdrawals === undefined ? {} : { withdrawals: block.withdrawals }),
    },
    { common: block.common },
  )
