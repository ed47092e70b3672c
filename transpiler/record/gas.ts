import type { Builder } from '../ir/builder.ts'
import type { ValueId } from '../ir/path_ir.ts'

/**
 * Thrown where the recorded frame runs out of gas; the frame then halts. `margin`: gas that had to stay (the SSTORE
 * sentry).
 */
export class OutOfGas extends Error {
  override readonly name = 'OutOfGas'
  readonly margin: number

  constructor(margin = 0) {
    super('out of gas')
    this.margin = margin
  }
}

/**
 * Gas of one frame: what it was given (a u32 value), and what it used as a constant plus a per-lane part.
 * `left` follows the recorded transaction; where it goes below zero, the frame halts (`check`).
 */
export class FrameGas {
  readonly given: ValueId
  /** What the recorded transaction gave the frame. */
  readonly initial: number
  private readonly builder: Builder
  private usedConstant = 0
  private usedDynamic: ValueId
  left: number

  constructor(builder: Builder, given: ValueId, left: number) {
    this.builder = builder
    this.given = given
    this.initial = left
    this.left = left
    this.usedDynamic = builder.constant(0n)
  }

  check(): void {
    if (this.left < 0) throw new OutOfGas()
  }

  charge(amount: number): void {
    this.usedConstant += amount
    this.left -= amount
  }

  chargeDynamic(amount: ValueId, concrete: number): void {
    const constant = this.builder.constantOf(amount)
    if (constant === undefined) {
      this.usedDynamic = this.builder.make('add32', [this.usedDynamic, amount])
      this.left -= concrete
    } else {
      this.charge(Number(constant))
    }
  }

  used(): ValueId {
    return this.builder.make('add32', [this.usedDynamic, this.builder.constant(BigInt(this.usedConstant))])
  }

  /** Gas left as a value; exact where `sufficient` holds. */
  remaining(): ValueId {
    return this.builder.make('sub32', [this.given, this.used()])
  }

  /**
   * True when the frame was given at least what it used so far and `margin` more. As a sum it cannot wrap below zero.
   */
  sufficient(margin = 0): ValueId {
    const { builder } = this
    const demand = builder.make('add32', [this.usedDynamic, builder.constant(BigInt(this.usedConstant + margin))])
    return builder.make('ge32', [this.given, demand])
  }
}
