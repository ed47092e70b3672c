import { OPERATIONS, storeOperations } from '../ir/ops.ts'
import type { Fork } from '../spec/forks.ts'
import { GAS_COLD_SLOAD, type StoreGas, storeGasAt } from '../spec/gas.ts'
import type { Frame } from './frame.ts'
import { OutOfGas } from './gas.ts'
import type { Word } from './memory.ts'
import type { Recording } from './recording.ts'

/** SLOAD and SSTORE, at the rules of one fork. */
export class StorageAccess {
  readonly #recording: Recording
  readonly #gas: StoreGas
  readonly #operations: { readonly gas: string; readonly refund: string }

  constructor(recording: Recording, fork: Fork) {
    this.#recording = recording
    this.#gas = storeGasAt(fork)
    this.#operations = storeOperations(fork)
  }

  async load(frame: Frame, key: Word): Promise<Word> {
    const { journal } = this.#recording
    const { self, gas } = frame.context
    const slot = await journal.slot(self, key)
    gas.charge(this.#recording.accessGas(journal.touchSlot(slot), GAS_COLD_SLOAD))
    gas.check()
    return journal.load(slot)
  }

  /** Price and refund follow per lane from (original, current, new), at the fork's rules (spec/gas.ts). */
  async store(frame: Frame, key: Word, next: Word): Promise<undefined> {
    const { builder, guards, journal } = this.#recording
    const { self, gas } = frame.context
    const { sentry, cold, net } = this.#gas
    if (sentry > 0) {
      if (gas.left <= sentry) throw new OutOfGas(sentry + 1)
      guards.require(gas.sufficient(sentry + 1), 'gas left is above the SSTORE sentry')
    }
    const slot = await journal.slot(self, key)
    if (journal.touchSlot(slot)) gas.charge(cold)
    const current = journal.load(slot)
    const words = [net ? slot.original : current, current, next]
    const values = words.map((word) => word.value)
    const concretes = words.map((word) => word.concrete)
    const { gas: price, refund } = this.#operations
    gas.chargeDynamic(builder.make(price, values), Number(OPERATIONS.get(price)!.eval!(concretes)))
    gas.check()
    journal.addRefund(builder.make(refund, values), OPERATIONS.get(refund)!.eval!(concretes))
    journal.store(slot, next)
  }
}
