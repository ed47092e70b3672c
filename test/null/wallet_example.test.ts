import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { servedChain } from '../fixtures/served_chain.ts'
import { SECRET } from '../fixtures/service_ports.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

it("the wallet's example sends a payment with viem, and its receipt comes back", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wgevm-wallet-'))
  const genesis = parseGenesis(readFileSync(join(ROOT, 'examples/data/devnet.json'), 'utf8'))
  const chain = await openChain({ path: join(folder, 'data'), genesis, executor: { workers: 0 } })
  const service = await servedChain(chain)
  try {
    const secret = join(folder, 'jwt.hex')
    writeFileSync(secret, `0x${Buffer.from(SECRET).toString('hex')}\n`)
    const { http, auth } = service.ports
    const options = ['--import', 'tsx', 'examples/wallet.ts', secret, `${http}`, `${auth}`]
    const { stdout } = await promisify(execFile)(process.execPath, options, { cwd: ROOT })
    expect(stdout).toBe('block 1: success, 21000 gas; 0x0000000000000000000000000000000000000b0b has 1 ETH\n')
    expect(chain.head.header.number).toBe(1n)
  } finally {
    await service.close()
    await chain.close()
    rmSync(folder, { recursive: true })
  }
})
