import { Common, Mainnet } from '@ethereumjs/common'
import { createEVM, type EVM } from '@ethereumjs/evm'
import { SimpleStateManager } from '@ethereumjs/statemanager'
import { Account, bytesToHex, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { keccak256 } from '../../host/primitives/keccak.ts'
import { ethereumjsHardfork, type Fork } from '../../transpiler/spec/forks.ts'

/** A deployed contract, ready to be written into a pre-state. */
export interface Program {
  /** 0x-hex, lower case. */
  readonly address: string
  readonly code: Uint8Array
  /** Non-zero slots, both 0x-hex of 32 bytes. */
  readonly storage: ReadonlyMap<string, string>
  /** What it is and where it comes from, for a report. */
  readonly origin: string
}

class DeploymentError extends Error {
  override readonly name = 'DeploymentError'
}

/**
 * A scratch chain that runs constructors and set-up calls, so pre-states hold what real deployments leave behind.
 * One deployer account with all the ether, its address made from a
 * name so that the contracts of two deployments never share an address. Every call must succeed.
 */
export class Deployment {
  readonly #evm: EVM
  readonly #state: SimpleStateManager
  readonly deployer: string

  private constructor(evm: EVM, state: SimpleStateManager, deployer: string) {
    this.#evm = evm
    this.#state = state
    this.deployer = deployer
  }

  static async create(fork: Fork, name: string): Promise<Deployment> {
    const common = new Common({ chain: Mainnet, hardfork: ethereumjsHardfork(fork) })
    const state = new SimpleStateManager({ common })
    const evm = await createEVM({ common, stateManager: state, allowUnlimitedInitCodeSize: true })
    const digest = keccak256(new TextEncoder().encode(`deployer of ${name}`))
    const deployer = `0x${Buffer.from(digest.subarray(12)).toString('hex')}`
    await state.putAccount(createAddressFromString(deployer), new Account(1n, 10n ** 30n))
    return new Deployment(evm as EVM, state, deployer)
  }

  /** Runs creation code (0x-hex, constructor arguments appended) and returns the new contract's address. */
  async deploy(creation: string): Promise<string> {
    const deployer = createAddressFromString(this.deployer)
    const { createdAddress, execResult } = await this.#evm.runCall({
      caller: deployer,
      origin: deployer,
      gasLimit: 0xfff_ffffn,
      data: hexToBytes(creation as `0x${string}`),
      skipBalance: true,
    })
    if (execResult.exceptionError !== undefined || createdAddress === undefined) {
      throw new DeploymentError(`constructor failed: ${execResult.exceptionError?.error ?? 'no address'}`)
    }
    // runCall leaves the caller's nonce to the transaction layer, and CREATE addresses follow from it.
    const account = await this.#state.getAccount(deployer)
    account!.nonce += 1n
    await this.#state.putAccount(deployer, account!)
    return createdAddress.toString()
  }

  /** Calls `to` from the deployer and returns the output as 0x-hex. */
  async call(to: string, data: string, value = 0n): Promise<string> {
    const deployer = createAddressFromString(this.deployer)
    const { execResult } = await this.#evm.runCall({
      caller: deployer,
      origin: deployer,
      to: createAddressFromString(to),
      gasLimit: 0xfff_ffffn,
      data: hexToBytes(data as `0x${string}`),
      value,
    })
    if (execResult.exceptionError !== undefined) {
      const reason = Buffer.from(execResult.returnValue)
        .toString('latin1')
        .replace(/[^ -~]/g, '')
      throw new DeploymentError(`call of ${to} failed: ${execResult.exceptionError.error} ${reason}`)
    }
    return bytesToHex(execResult.returnValue)
  }

  /** The contract as it stands now. */
  async program(address: string, origin: string): Promise<Program> {
    const code = await this.#state.getCode(createAddressFromString(address))
    const storage = new Map<string, string>()
    const prefix = `${address.toLowerCase()}_`
    for (const [key, value] of this.#state.storageStack.at(-1) ?? []) {
      if (!key.startsWith(prefix)) continue
      const padded = bytesToHex(value).slice(2).padStart(64, '0')
      if (!/^0*$/.test(padded)) storage.set(key.slice(prefix.length), `0x${padded}`)
    }
    return { address: address.toLowerCase(), code, storage, origin }
  }
}
