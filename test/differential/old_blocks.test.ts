import { createBlock } from '@ethereumjs/block'
import { RLP } from '@ethereumjs/rlp'
import { createTxFromRLP } from '@ethereumjs/tx'
import { bigIntToUnpaddedBytes, bytesToBigInt } from '@ethereumjs/util'
import { runBlock } from '@ethereumjs/vm'
import { describe, expect, it } from 'vitest'
import type { TransactionInputError } from '../../host/chain/encode_batch.ts'
import { type BlockHeader, uncleHashOf } from '../../host/chain/header.ts'
import { decodeSigned } from '../../host/flows/decode_signed.ts'
import { createExecutor } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { HALF_ORDER } from '../../host/primitives/secp256k1.ts'
import { addressToHex } from '../../host/primitives/word.ts'
import { transactionsRoot } from '../../host/roots/roots.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { contractAddress } from '../fixtures/batch_world.ts'
import { type BlockWorld, blockWorld, commonAt, keyed, PROPOSER, signed, vmOf } from '../fixtures/block_world.ts'

const uncleOf = (parent: BlockHeader, number: bigint, coinbase: string): BlockHeader => ({
  ...parent,
  number,
  coinbase,
})

/**
 * Transfers and calls by the rules before Berlin; at most forks the contracts halt at an opcode that is not there yet.
 */
const poolAt = (fork: Fork): Uint8Array[] => {
  const common = { gasPrice: 20n, gasLimit: 90_000n }
  return [
    signed({ ...common, from: keyed(0), to: keyed(1), nonce: 0n, value: 5n }, fork),
    signed({ ...common, from: keyed(1), to: `0x${'99'.repeat(20)}`, nonce: 0n, value: 0n }, fork),
    signed(
      { ...common, from: keyed(0), to: contractAddress('setter'), nonce: 1n, data: `0x${'00'.repeat(63)}07` },
      fork,
    ),
    signed({ ...common, from: keyed(2), to: contractAddress('burner'), nonce: 0n }, fork),
    signed({ ...common, from: keyed(3), nonce: 0n, data: '0x6001600155' }, fork),
    signed({ ...common, from: PROPOSER, to: keyed(4), nonce: 0n, value: 1n }, fork),
  ]
}

describe('a block before the merge', () => {
  it.each([
    'frontier',
    'homestead',
    'tangerineWhistle',
    'spuriousDragon',
    'byzantium',
    'constantinople',
    'istanbul',
    'berlin',
    'london',
  ] as const)('at %s pays rewards and has the roots that @ethereumjs/vm gives it', async (fork) => {
    const world = blockWorld(fork)
    const { state, parent } = world
    const transactions = poolAt(fork)
    const uncles = [uncleOf(parent, 98n, `0x${'aa'.repeat(20)}`), uncleOf(parent, 95n, keyed(2))]
    const header: BlockHeader = {
      ...parent,
      number: 100n,
      timestamp: parent.timestamp + 12n,
      difficulty: 131_072n,
      uncleHash: uncleHashOf(uncles),
      transactionsRoot: transactionsRoot(transactions),
    }
    const common = commonAt(fork)
    const headerData = {
      number: header.number,
      timestamp: header.timestamp,
      coinbase: header.coinbase as `0x${string}`,
      gasLimit: header.gasLimit,
      difficulty: header.difficulty,
      ...(isAtLeast(fork, 'london') ? { baseFeePerGas: header.baseFeePerGas! } : {}),
    }
    const block = createBlock(
      {
        header: headerData,
        transactions: transactions.map((bytes) => createTxFromRLP(bytes, { common })) as never,
        uncleHeaders: uncles.map(({ number, coinbase }) => ({
          ...headerData,
          number,
          coinbase: coinbase as `0x${string}`,
        })),
      },
      { common, skipConsensusFormatValidation: true },
    )
    const vm = await vmOf(world)
    const theirs = await runBlock(vm, { block, generate: true, skipBlockValidation: true })

    const full: BlockHeader = {
      ...header,
      stateRoot: bytesToHex(theirs.stateRoot),
      receiptsRoot: bytesToHex(theirs.receiptsRoot),
      gasUsed: theirs.gasUsed,
      logsBloom: bytesToHex(theirs.logsBloom),
    }
    const ours = state.clone()
    const executor = createExecutor({ fork, chainId: 1n, state: ours, workers: 0 })
    const parentState = createStateTrie(state.dump())
    const result = await executor.executeBlock({ header: full, transactions, uncles }, { parentState })
    expect(result.stateRoot).toBe(full.stateRoot)
    expect(result.receiptsRoot).toBe(full.receiptsRoot)

    // A reward that is not paid, or paid to another, is another state.
    const again = createExecutor({ fork, chainId: 1n, state: state.clone(), workers: 0 })
    const fewer = { header: { ...full, uncleHash: uncleHashOf([uncles[0]!]) }, transactions, uncles: [uncles[0]!] }
    await expect(again.executeBlock(fewer, { parentState: createStateTrie(state.dump()) })).rejects.toThrow('stateRoot')
    const old = [uncleOf(parent, 93n, PROPOSER)]
    const tooOld = { header: { ...full, uncleHash: uncleHashOf(old) }, transactions, uncles: old }
    await expect(again.executeBlock(tooOld)).rejects.toThrow('one has number 93')
    executor.close()
    again.close()
  })
})

const PAYMENT = { from: keyed(0), to: keyed(1), nonce: 0n, gasPrice: 20n, gasLimit: 21_000n, value: 5n }
const NO_CHAIN = signed(PAYMENT, 'homestead')

const ORDER = 2n * HALF_ORDER + 1n

/** The same signature with the other s: the parity of its point changes, too. */
const withHighS = (raw: Uint8Array): Uint8Array => {
  const fields = RLP.decode(raw) as Uint8Array[]
  const [v, s] = [fields[6]![0]!, bytesToBigInt(fields[8]!)]
  const other = v < 35 ? 55 - v : 75 - v
  return RLP.encode([...fields.slice(0, 6), Uint8Array.of(other), fields[7]!, bigIntToUnpaddedBytes(ORDER - s)])
}
const TYPED = signed({ ...PAYMENT, type: 1 }, 'berlin')
const WIRE = {
  'no chain': NO_CHAIN,
  'a high s': withHighS(NO_CHAIN),
  'a chain': signed(PAYMENT, 'spuriousDragon'),
  'a chain and a high s': withHighS(signed(PAYMENT, 'spuriousDragon')),
  'a type': TYPED,
}

const HIGH_S = 's is in the upper half of the order'
const CHAIN = 'v is 3[78], expected 27 or 28 before spuriousDragon'
const TYPE = 'transaction type not supported'

describe('signatures by the rules of their fork', () => {
  it.each([
    ['frontier', undefined, undefined, CHAIN, CHAIN, TYPE],
    ['homestead', undefined, HIGH_S, CHAIN, CHAIN, TYPE],
    ['tangerineWhistle', undefined, HIGH_S, CHAIN, CHAIN, TYPE],
    ['spuriousDragon', undefined, HIGH_S, undefined, HIGH_S, TYPE],
    ['berlin', undefined, HIGH_S, undefined, HIGH_S, undefined],
  ] as const)('at %s are good or bad as @ethereumjs/vm has them', async (fork, ...expected) => {
    const world = blockWorld(fork)
    for (const [n, [name, raw]] of Object.entries(WIRE).entries()) {
      const theirs = await vmGas(world, raw).catch((thrown: Error) => thrown.message)
      expect(typeof theirs, `${name}: ${theirs}`).toBe(expected[n] === undefined ? 'bigint' : 'string')
      const reason = expected[n] === undefined ? 'gasUsed' : new RegExp(expected[n])
      const header: BlockHeader = {
        ...world.parent,
        number: 100n,
        timestamp: world.parent.timestamp + 12n,
        difficulty: 131_072n,
        // What is good gets so far that this is seen.
        gasUsed: 1n,
        transactionsRoot: transactionsRoot([raw]),
      }
      const executor = createExecutor({ fork, chainId: 1n, state: world.state.clone(), workers: 0 })
      await expect(executor.executeBlock({ header, transactions: [raw] }), name).rejects.toThrow(reason)
      const inStream = executor
        .stream([{ header, transactions: [raw] }])
        [Symbol.asyncIterator]()
        .next()
      await expect(inStream, name).rejects.toThrow(reason)
      // A type is a rule of the block: it can be decoded at any fork.
      if (expected[n] === undefined || expected[n] === TYPE)
        expect(addressToHex((await executor.decode([raw])).from, 0)).toBe(keyed(0))
      else await expect(executor.decode([raw]), name).rejects.toThrow(reason)
      executor.close()
    }
  })

  it('are those of today where no fork is named', () => {
    const reasons = Object.values(WIRE).map((raw) => {
      const faults = new Map<number, TransactionInputError>()
      decodeSigned([raw], { chainId: 1n, faults })
      return faults.get(0)?.reason
    })
    expect(reasons).toEqual([undefined, HIGH_S, undefined, HIGH_S, undefined])
    expect(addressToHex(decodeSigned([WIRE['a high s']], { chainId: 1n, fork: 'frontier' }).from, 0)).toBe(keyed(0))
  })
})

/** What @ethereumjs/vm says that a block of one transaction uses. */
const vmGas = async (world: BlockWorld, raw: Uint8Array): Promise<bigint> => {
  const common = commonAt(world.fork)
  const { gasLimit, timestamp } = world.parent
  const header = { number: 100n, timestamp: timestamp + 12n, gasLimit, difficulty: 131_072n }
  const transactions = [createTxFromRLP(raw, { common })] as never
  const block = createBlock({ header, transactions }, { common, skipConsensusFormatValidation: true })
  const vm = await vmOf(world)
  return (await runBlock(vm, { block, generate: true, skipBlockValidation: true, skipHeaderValidation: true })).gasUsed
}
