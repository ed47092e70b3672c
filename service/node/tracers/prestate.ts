import {
  EMPTY_CODE_HASH,
  type EnteredFrame,
  type OpcodeStep,
  type TracedState,
  type TransactionObject,
  type TransactionWatcher,
} from '../../../host/index.ts'
import { createdAddress } from '../created_address.ts'
import type { PrestateOptions } from '../trace_calls.ts'
import type { PrestateView, TracedAccount } from '../trace_views.ts'
import type { TraceBudget, Tracer } from './tracer.ts'

const SLOTS: ReadonlySet<number> = new Set([0x54, 0x55])
/** BALANCE, EXTCODESIZE, EXTCODECOPY, EXTCODEHASH, SELFDESTRUCT: the account is the top word. */
const NAMING: ReadonlySet<number> = new Set([0x31, 0x3b, 0x3c, 0x3f, 0xff])
const CALLS: ReadonlySet<number> = new Set([0xf1, 0xf2, 0xf4, 0xfa])
const CREATES: ReadonlySet<number> = new Set([0xf0, 0xf5])
const SELFDESTRUCT = 0xff
const CALL_WORDS = 5
const ADDRESS_BITS = 160

const ACCOUNT_BYTES = 200
const SLOT_BYTES = 140

/** Code that points to other code (EIP-7702), without 0x. */
const DELEGATION = /^ef0100([0-9a-f]{40})$/

/** An account that was met, as it was before the transaction. */
interface Met {
  readonly exists: boolean
  readonly balance: bigint
  readonly nonce: bigint
  readonly code: Uint8Array
  readonly codeHash: string
  readonly storage: Map<bigint, bigint>
}

/** What a prestate needs to know of its transaction. */
export interface PrestateTerms {
  readonly transaction: TransactionObject
  readonly coinbase: string
  /** Vaults of the OP stack that it pays. */
  readonly vaults: readonly string[]
  /** From Prague on: what a called account delegates to is met as well. */
  readonly hasDelegations: boolean
  /** From Cancun on: SELFDESTRUCT leaves an account that the transaction has not made (EIP-6780). */
  readonly destroysOnlyCreated: boolean
}

/** What a transaction meets, and in `diffMode` what it changes, as go-ethereum's prestateTracer has it. */
export class Prestate implements Tracer<PrestateView> {
  readonly watcher: TransactionWatcher
  readonly #options: PrestateOptions
  readonly #terms: PrestateTerms
  readonly #budget: TraceBudget
  readonly #slots = new Map<string, Set<bigint>>()
  /** Accounts that were called: what they delegate to is met. */
  readonly #called = new Set<string>()
  /** Accounts that the transaction makes, or would have made. */
  readonly #created = new Set<string>()
  readonly #destroyed = new Set<string>()
  readonly #met = new Map<string, Met>()
  readonly #pre = new Map<string, TracedAccount>()
  readonly #post = new Map<string, TracedAccount>()

  constructor(options: PrestateOptions, terms: PrestateTerms, budget: TraceBudget) {
    this.#options = options
    this.#terms = terms
    this.#budget = budget
    const { from, to, nonce, authorizations = [] } = terms.transaction
    this.#meet(from)
    if (to !== undefined) this.#meet(to)
    else this.#create(createdAddress(from, nonce))
    this.#meet(terms.coinbase)
    for (const vault of terms.vaults) this.#meet(vault)
    if (to !== undefined) this.#called.add(to)
    for (const { authority } of authorizations) if (authority !== undefined) this.#meet(authority)
    this.watcher = {
      hooks: { step: (step) => this.#step(step), enter: (frame) => this.#enter(frame) },
      executed: (_, before) => this.#read(before),
      settled: (after) => this.#settle(after),
    }
  }

  #meet(address: string): Set<bigint> {
    const known = this.#slots.get(address)
    if (known !== undefined) return known
    this.#budget.take(ACCOUNT_BYTES)
    const slots = new Set<bigint>()
    this.#slots.set(address, slots)
    return slots
  }

  #create(address: string): void {
    this.#meet(address)
    this.#created.add(address)
  }

  #step({ op, stack, address, error }: OpcodeStep): void {
    if (error !== undefined) return
    if (SLOTS.has(op)) {
      const slots = this.#meet(address)
      const key = stack.at(-1)!
      if (!slots.has(key)) this.#budget.take(SLOT_BYTES)
      slots.add(key)
    } else if (NAMING.has(op)) {
      this.#meet(addressOf(stack.at(-1)!))
      if (op === SELFDESTRUCT && (!this.#terms.destroysOnlyCreated || this.#created.has(address)))
        this.#destroyed.add(address)
    } else if (CALLS.has(op) && stack.length >= CALL_WORDS) {
      const called = addressOf(stack.at(-2)!)
      this.#meet(called)
      this.#called.add(called)
    }
  }

  #enter({ op, depth, to }: EnteredFrame): void {
    if (depth > 0 && CREATES.has(op)) this.#create(to)
  }

  /** Values before the transaction; what is delegated to is met here. */
  async #read(before: TracedState): Promise<void> {
    if (this.#terms.hasDelegations) {
      const { authorizations = [] } = this.#terms.transaction
      for (const address of [...this.#called]) {
        const target = delegationOf(await codeOf(before, (await before.account(address))?.codeHash))
        if (target !== undefined) this.#meet(target)
      }
      for (const { authority, address } of authorizations)
        if (authority !== undefined && this.#called.has(authority) && authority !== this.#terms.transaction.to)
          this.#meet(address)
    }
    for (const [address, keys] of this.#slots) this.#met.set(address, await this.#metAt(before, address, keys))
  }

  async #metAt(before: TracedState, address: string, keys: ReadonlySet<bigint>): Promise<Met> {
    const account = await before.account(address)
    const code = await codeOf(before, account?.codeHash)
    this.#budget.take(2 * code.length)
    const storage = new Map<bigint, bigint>()
    for (const key of this.#options.storage ? keys : []) storage.set(key, await before.storage(address, key))
    const { balance = 0n, nonce = 0n, codeHash = EMPTY_CODE_HASH } = account ?? {}
    const exists = balance > 0n || nonce > 0n || codeHash !== EMPTY_CODE_HASH
    return { exists, balance, nonce, code, codeHash, storage }
  }

  async #settle(after: TracedState): Promise<void> {
    for (const [address, met] of this.#met) {
      const storage = new Map(met.storage)
      let isKept = true
      if (this.#options.diffMode && !this.#destroyed.has(address)) {
        const changed = await this.#changed(after, address, met, storage)
        isKept = changed !== undefined
        if (changed !== undefined) this.#post.set(address, changed)
      }
      if (isKept && (met.exists || this.#options.includeEmpty)) this.#pre.set(address, this.#accountOf(met, storage))
    }
  }

  #accountOf({ balance, nonce, code, codeHash }: Met, storage: ReadonlyMap<bigint, bigint>): TracedAccount {
    const hasCode = codeHash !== EMPTY_CODE_HASH
    return {
      balance,
      nonce: nonce === 0n ? undefined : nonce,
      code: hasCode && this.#options.code ? code : undefined,
      codeHash: hasCode ? codeHash : undefined,
      storage,
    }
  }

  /** What the transaction has changed of an account; `before` keeps the slots that were changed from something. */
  async #changed(
    after: TracedState,
    address: string,
    met: Met,
    before: Map<bigint, bigint>,
  ): Promise<TracedAccount | undefined> {
    const account = await after.account(address)
    const { balance = 0n, nonce = 0n, codeHash = EMPTY_CODE_HASH } = account ?? {}
    const storage = new Map<bigint, bigint>()
    let isChanged = balance !== met.balance || nonce !== met.nonce || codeHash !== met.codeHash
    for (const [key, value] of met.storage) {
      const now = account === undefined ? 0n : await after.storage(address, key)
      if (value === 0n || value === now) before.delete(key)
      if (value === now) continue
      isChanged = true
      if (now !== 0n) storage.set(key, now)
    }
    if (!isChanged) return undefined
    const isOtherCode = codeHash !== met.codeHash
    return {
      balance: balance === met.balance ? undefined : balance,
      nonce: nonce === met.nonce ? undefined : nonce,
      code: isOtherCode && this.#options.code ? await codeOf(after, codeHash) : undefined,
      codeHash: isOtherCode ? codeHash : undefined,
      storage,
    }
  }

  view(): PrestateView {
    return { kind: 'prestate', pre: this.#pre, post: this.#options.diffMode ? this.#post : undefined }
  }
}

const NOTHING = new Uint8Array(0)

const addressOf = (word: bigint): string => `0x${BigInt.asUintN(ADDRESS_BITS, word).toString(16).padStart(40, '0')}`

const codeOf = async (state: TracedState, codeHash: string | undefined): Promise<Uint8Array> =>
  codeHash === undefined || codeHash === EMPTY_CODE_HASH ? NOTHING : state.code(codeHash)

const delegationOf = (code: Uint8Array): string | undefined => {
  const [, target] = DELEGATION.exec(Buffer.from(code).toString('hex')) ?? []
  return target === undefined ? undefined : `0x${target}`
}
