/**
 * A payment by a wallet library over `wgevm serve`: viem sends it, one slot of a consensus client puts it into a block,
 * and its receipt comes back (`npm install viem jose`).
 *
 *     npm run wgevm -- serve --data /tmp/devnet --genesis examples/data/devnet.json --jwt-secret /tmp/jwt.hex
 *     npx tsx examples/wallet.ts /tmp/jwt.hex
 *
 * arguments: file of the secret, port of wallets (8545), port of the consensus client (8551)
 */
import { readFileSync } from 'node:fs'
import { SignJWT } from 'jose'
import { createPublicClient, createWalletClient, defineChain, formatEther, http, parseEther } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

const [secretFile = 'jwt.hex', httpPort = '8545', authPort = '8551'] = process.argv.slice(2)
const secret = Buffer.from(readFileSync(secretFile, 'utf8').trim().replace(/^0x/, ''), 'hex')
const url = `http://127.0.0.1:${httpPort}`

/** A call of the Engine API, with a token of its own. */
const engine = async <Result>(method: string, ...params: readonly unknown[]): Promise<Result> => {
  const token = await new SignJWT({}).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).setIssuedAt().sign(secret)
  const response = await fetch(`http://127.0.0.1:${authPort}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const { result, error } = (await response.json()) as { readonly result: Result; readonly error?: unknown }
  if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`)
  return result
}

interface Payload {
  readonly executionPayload: { readonly blockHash: string }
  readonly executionRequests: readonly string[]
}

const NONE = `0x${'0'.repeat(64)}`
const chain = defineChain({
  id: 1337,
  name: 'devnet',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [url] } },
})
const publicClient = createPublicClient({ chain, transport: http(), pollingInterval: 100 })
// The account that has money in examples/data/devnet.json; its key is 1.
const account = privateKeyToAccount(`0x${'1'.padStart(64, '0')}`)
const wallet = createWalletClient({ account, chain, transport: http() })

/** What a consensus client does in a slot: asks for a block on the head, sends it back, makes it the head. */
const slot = async (): Promise<void> => {
  const head = await publicClient.getBlock()
  const choose = (headBlockHash: string, attributes: object | null) =>
    engine<{ readonly payloadId: string }>(
      'engine_forkchoiceUpdatedV3',
      { headBlockHash, safeBlockHash: NONE, finalizedBlockHash: NONE },
      attributes,
    )
  const { payloadId } = await choose(head.hash, {
    timestamp: `0x${(head.timestamp + 12n).toString(16)}`,
    prevRandao: NONE,
    suggestedFeeRecipient: account.address,
    withdrawals: [],
    parentBeaconBlockRoot: NONE,
  })
  const { executionPayload, executionRequests } = await engine<Payload>('engine_getPayloadV5', payloadId)
  await engine('engine_newPayloadV4', executionPayload, [], NONE, executionRequests)
  await choose(executionPayload.blockHash, null)
}

const to = '0x0000000000000000000000000000000000000b0b'
const hash = await wallet.sendTransaction({ to, value: parseEther('1') })
await slot()
const receipt = await publicClient.waitForTransactionReceipt({ hash })
const balance = await publicClient.getBalance({ address: to })
console.log(
  `block ${receipt.blockNumber}: ${receipt.status}, ${receipt.gasUsed} gas; ${to} has ${formatEther(balance)} ETH`,
)
if (receipt.status !== 'success') process.exitCode = 1
