/**
 * A simulator: ten thousand calls of one contract against one state, with overrides, and what came of them. Nothing is
 * committed; each call sees the state as it is.
 */
import { type CallObject, createExecutor, MemoryState, openDevice } from 'wgevm'

/** Adds the payment to the payer's slot, or reverts with Error("less than an ether"). */
const VAULT_CODE = [
  '0x',
  '670de0b6b3a76400003410601757', // if (callvalue < 10^18) goto 0x17
  '34335401335500', // sstore(caller, sload(caller) + callvalue), stop
  '0000', // to 0x17
  '5b', // 0x17: jumpdest
  '6308c379a060e01b600052', // mstore(0, selector of Error(string))
  '6020600452', // mstore(4, 32)
  '6012602452', // mstore(36, 18)
  `71${Buffer.from('less than an ether').toString('hex')}60701b604452`, // mstore(68, the text)
  '60646000fd', // revert(0, 100)
].join('')
const vault = `0x${'5a'.repeat(20)}`
const payers = Array.from({ length: 100 }, (_, n) => `0x${(0xb000 + n).toString(16).padStart(40, '0')}`)
const state = MemoryState.from({ [vault]: { nonce: 1n, code: VAULT_CODE } })

const device = await openDevice()
const executor = createExecutor({ fork: 'osaka', chainId: 1n, state, device })
const calls: CallObject[] = Array.from({ length: 10_000 }, (_, i) => ({
  from: payers[i % payers.length]!,
  to: vault,
  value: (BigInt(i % 7) * 10n ** 18n) / 3n,
}))
// The payers own nothing on the chain: for the time of the simulation they do.
const overrides = Object.fromEntries(payers.map((payer) => [payer, { balance: 10n ** 20n }]))
const at = {
  number: 20_000_000n,
  timestamp: 1_700_000_000n,
  coinbase: `0x${'0b'.repeat(20)}`,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  prevRandao: 0n,
}
const simulation = await executor.simulate({ calls, at, overrides })

const outcomes = new Map<string, number>()
for (let i = 0; i < simulation.count; i++) {
  const { status, rejection, revertReason } = simulation.get(i)
  const outcome = status === 1 ? 'success' : (rejection ?? revertReason ?? 'no reason')
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
}
const gas = [...simulation.gasUsed].sort((a, b) => a - b)
const percentile = (share: number): number => gas[Math.floor(share * (gas.length - 1))]!
console.log('outcomes', Object.fromEntries(outcomes))
console.log(`gas: median ${percentile(0.5)}, 99 % ${percentile(0.99)}`)
console.log('access list of a payment', await simulation.accessList(3))
console.log('ran on', simulation.tiers, simulation.exits)
const expected = calls.filter(({ value }) => value! >= 10n ** 18n).length
if (outcomes.get('success') !== expected) process.exitCode = 1
executor.close()
device.destroy()
