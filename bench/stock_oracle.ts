import { createBlockFromRLP } from '@ethereumjs/block'
import { type Common, type CustomCrypto, createCustomCommon, Mainnet } from '@ethereumjs/common'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { Account, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { createVM, runBlock, type VM } from '@ethereumjs/vm'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { KZG } from 'micro-eth-signer/kzg.js'
import { type BlockFixture, fillState } from '../conformance/block_fixture.ts'
import type { BlockTest } from '../conformance/block_test.ts'
import { runBlockTest } from '../conformance/run_block_test.ts'
import { decodeBlock } from '../host/chain/decode_block.ts'
import { headerHash } from '../host/chain/header.ts'
import { type ComputeDevice, createExecutor, MemoryState } from '../host/index.ts'
import { commonOf } from '../host/precompiles/common.ts'
import { ethereumjsHardfork, type Fork } from '../transpiler/spec/forks.ts'
import { compareWithSerial, runSerial, type SerialRequest, type SerialRun, stateDifference } from './oracle.ts'

/**
 * `@ethereumjs/vm` with its own cryptography. The oracle of all other tests is given the hash, the key recovery and the
 * KZG check of the product (host/precompiles/common.ts), which is many times as fast: a fault of theirs is a fault of
 * both sides there.
 */

const G1 = bls12_381.G1.Point.BASE.toHex(true)
const G2 = bls12_381.G2.Point.BASE.toHex(true)
/** [tau] G2 of the KZG ceremony (consensus-specs, trusted_setup_4096.json, g2_monomial[1]). */
const TAU_G2 =
  'b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2'

let kzg: CustomCrypto['kzg']
/** Of a setup that serves for checking proofs alone: they take no other point of it. */
const stockKzg = (): NonNullable<CustomCrypto['kzg']> => {
  kzg ??= new KZG({ g1_lagrange: [G1, G1], g2_monomial: [G2, TAU_G2] }) as unknown as NonNullable<CustomCrypto['kzg']>
  return kzg
}

/** The rules of a fork with the cryptography of the packages themselves. */
export const stockCommonOf = (fork: Fork, chainId: bigint): Common =>
  createCustomCommon({ chainId: chainId.toString() }, Mainnet, {
    hardfork: ethereumjsHardfork(fork),
    customCrypto: { kzg: stockKzg() },
  })

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part))

/** The first difference of two serial runs of one batch. */
const serialDifference = (ours: SerialRun, stock: SerialRun): string | undefined => {
  for (const [i, receipt] of stock.receipts.entries()) {
    if (textOf(ours.receipts[i]) !== textOf(receipt) || ours.rejections[i] !== stock.rejections[i])
      return `transaction ${i}: ${textOf(ours.receipts[i])}, stock ${textOf(receipt)}`
  }
  return stateDifference(ours.state.toMemoryState(), stock.state.toMemoryState())
}

/** The first difference between the stock oracle, the oracle of the tests and the product on a batch. */
export const batchDifference = async (
  request: SerialRequest & { readonly state: MemoryState },
  device?: ComputeDevice,
): Promise<string | undefined> => {
  const { fork, chainId, env, transactions } = request
  const stock = await runSerial({ ...request, common: stockCommonOf(fork, chainId) })
  const oracle = serialDifference(await runSerial(request), stock)
  if (oracle !== undefined) return `the oracle: ${oracle}`
  const state = request.state.clone()
  const options = device === undefined ? {} : ({ device, compile: 'wait' } as const)
  const executor = createExecutor({ fork, chainId, state, workers: 0, ...options })
  const { receipts } = await executor.execute({ env, transactions })
  executor.close()
  const product = compareWithSerial({ receipts, state }, stock)
  return product === undefined ? undefined : `the product: ${product}`
}

/** The same of a real block. */
export const fixtureDifference = (fixture: BlockFixture, device?: ComputeDevice): Promise<string | undefined> => {
  const { fork, chainId, env, transactions } = fixture
  return batchDifference({ fork, chainId, env, transactions, state: fillState(fixture, new MemoryState()) }, device)
}

/** The valid blocks of a test through `runBlock`, which recovers senders and checks every root. The last state root. */
const runTestBlocks = async (test: BlockTest, common: Common): Promise<string> => {
  const manager = new MerkleStateManager({ common })
  const state = MemoryState.from(test.pre)
  for (const [hex, { nonce, balance, codeHash, storage }] of Object.entries(state.dump())) {
    const address = createAddressFromString(hex)
    await manager.putAccount(address, new Account(nonce, balance))
    const code = state.readCode(codeHash)
    if (code.length > 0) await manager.putCode(address, code)
    for (const [key, value] of Object.entries(storage))
      await manager.putStorage(address, wordBytes(BigInt(key)), wordBytes(BigInt(value)))
  }
  const hashes = new Map([[test.genesis.number, hexToBytes(headerHash(test.genesis) as `0x${string}`)]])
  const blockchain = {
    getBlock: async (number: number | bigint) => ({ hash: () => hashes.get(BigInt(number)) ?? new Uint8Array(32) }),
    putBlock: async () => {},
    shallowCopy: () => blockchain,
  }
  const vm = (await createVM({ common, stateManager: manager, blockchain: blockchain as never })) as VM
  for (const { rlp, exception } of test.blocks) {
    if (exception !== undefined) continue
    const block = createBlockFromRLP(rlp, { common, skipConsensusFormatValidation: true })
    await runBlock(vm, { block, skipHeaderValidation: true, setHardfork: false })
    const { header } = decodeBlock(rlp)
    hashes.set(header.number, hexToBytes(headerHash(header) as `0x${string}`))
  }
  return `0x${Buffer.from(await manager.getStateRoot()).toString('hex')}`
}

const wordBytes = (word: bigint): Uint8Array => new Uint8Array(Buffer.from(word.toString(16).padStart(64, '0'), 'hex'))

const reasonOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message.split('\n')[0]! : String(thrown)

/** The first difference between the stock oracle, the oracle of the tests and the product on a block test. */
export const blockTestDifference = async (test: BlockTest, device?: ComputeDevice): Promise<string | undefined> => {
  const { fork, chainId } = test
  const stock = await runTestBlocks(test, stockCommonOf(fork, chainId)).catch(reasonOf)
  const oracle = await runTestBlocks(test, commonOf(fork, chainId)).catch(reasonOf)
  if (oracle !== stock) return `the oracle: ${oracle}, stock ${stock}`
  const { stateRoot, passed, error } = await runBlockTest(test, {
    workers: 0,
    ...(device === undefined ? {} : { device }),
  })
  if (!passed) return `the product: ${error}`
  return stateRoot === stock ? undefined : `the product: state root ${stateRoot}, stock ${stock}`
}
