import { markdownTable } from './markdown.ts'

/** A case in which @ethereumjs is not what the specification says. */
export interface OracleDifference {
  readonly oracle: string
  readonly specification: string
  readonly ours: string
  /** The test that holds what we do, from the project's root. */
  readonly test: string
}

export const ORACLE_DIFFERENCES: readonly OracleDifference[] = [
  {
    oracle:
      'takes code that begins with 0xef0100 for a delegation, whatever its length, and throws where no address follows',
    specification: 'a designator has 23 bytes (EIP-7702); other code is code that halts at once',
    ours: 'the specification, in every tier and under `createGpuEvm`; `@ethereumjs/vm` around that EVM still looks at three bytes of senders and authorities',
    test: 'test/differential/odd_code.test.ts',
  },
  {
    oracle: 'shows code that begins with 0xef00 to EXTCODESIZE, EXTCODECOPY and EXTCODEHASH as these two bytes',
    specification: 'as it is: EIP-3540 is part of no fork',
    ours: 'the specification',
    test: 'test/differential/odd_code.test.ts',
  },
  {
    oracle: 'CREATE and CREATE2 of initcode that begins with 0xef00 give 0 at no cost, and leave the nonce as it is',
    specification: 'the nonce is raised and the frame halts, with all gas that it was given',
    ours: 'the specification',
    test: 'test/differential/odd_code.test.ts',
  },
  {
    oracle: 'turns the number of BLOCKHASH into a double, and asks for another block from 2^53 on',
    specification: 'the number is a word (YP H.2)',
    ours: 'the specification, in every tier',
    test: 'test/differential/block_values.test.ts',
  },
  {
    oracle: 'looks at the target of a call before the call has paid for it',
    specification: 'an account that a frame could not pay for was not accessed (EIP-7928)',
    ours: 'the specification, in every tier',
    test: 'test/differential/read_sets.test.ts',
  },
  {
    oracle: 'writes the slots of EIP-4788 and EIP-2935 itself, where there is a contract',
    specification: 'the system calls the contract, whatever its code does',
    ours: 'the specification: the code that stands there runs; an account without code is touched',
    test: 'test/differential/empty_accounts.test.ts',
  },
  {
    oracle: "takes logs of mainnet's deposit contract for deposits on every chain that names none",
    specification: 'the contract is a parameter of the chain (EIP-6110)',
    ours: 'mainnet, Sepolia, Holesky and Hoodi have theirs, `depositContract` names another, any other chain has no deposits (as geth)',
    test: 'test/differential/deposits.test.ts',
  },
  {
    oracle: 'keeps the touch of an empty account 0x03 where the whole transaction fails, as geth and revm do',
    specification: 'the executable specification keeps it only from frames inside',
    ours: 'as the clients: no chain has had such a state since block 2,675,119 of mainnet',
    test: 'test/differential/empty_accounts.test.ts',
  },
  {
    oracle: '`runTx` does not count the blobs of a block',
    specification: 'a block has a limit of blob gas (EIP-4844)',
    ours: 'the specification',
    test: 'test/differential/transaction_types.test.ts',
  },
  {
    oracle: 'a payment that takes a balance past 2^256 - 1 fails',
    specification: 'such a balance cannot come to be',
    ours: 'nothing is thrown; what the balance is then is not defined',
    test: 'test/differential/odd_code.test.ts',
  },
  {
    oracle:
      'a MerkleStateManager keeps the storage of an account that a transaction destroys (before EIP-6780) and a later one of the block pays, where that storage was read or written before',
    specification: 'the storage goes with the account',
    ours: 'the specification in an executor; under `createGpuEvm` what the state manager makes of it: reading ahead leaves no trace in it',
    test: 'test/differential/gpu_evm_destroyed.test.ts',
  },
]

export const differenceSection = (): string =>
  [
    '## Where the oracle and the specification differ, and what we do',
    '`@ethereumjs/vm` at the same fork is the oracle of every differential test; the executable specification stands above it. Where they differ, and where a differential test would meet that, the specification holds.',
    markdownTable(
      ['`@ethereumjs`', 'specification', 'wgevm', 'test'],
      ORACLE_DIFFERENCES.map(({ oracle, specification, ours, test }) => [
        oracle,
        specification,
        ours,
        `[${test.split('/').at(-1)!.replace('.test.ts', '')}](../${test})`,
      ]),
    ),
  ].join('\n\n')
