import type { ExitReason } from '../batch/reason.ts'
import type { Tier, TierRun } from '../batch/tier.ts'
import { faultReason, faultText } from '../device/fault.ts'

/** A tier on an open batch. */
export interface OpenTier {
  readonly tier: Tier
  readonly run: TierRun
}

/**
 * Runs the steps of tiers. A fault of the device, in whichever step, ends all tiers that use it, and is told once: what
 * has no execution is given back, what has one stands. What is no fault of the device is a bug, and thrown on.
 */
export class DeviceGuard {
  readonly faults: string[] = []
  /** Why the tiers that use the device have ended. */
  reason: ExitReason | undefined
  readonly #open: OpenTier[] = []

  /** `run` is told where the device fails. */
  add(tier: Tier, run: TierRun): void {
    this.#open.push({ tier, run })
  }

  /** Whether the device has failed for this tier. */
  hasEnded({ usesDevice }: Tier): boolean {
    return usesDevice && this.reason !== undefined
  }

  /** Undefined where the device has failed, now or before. */
  async step<Result>(
    tier: Pick<Tier, 'usesDevice'>,
    step: () => Result | Promise<Result>,
  ): Promise<Result | undefined> {
    if (!tier.usesDevice) return step()
    if (this.reason !== undefined) return undefined
    try {
      return await step()
    } catch (thrown) {
      this.reason = faultReason(thrown)
      this.faults.push(faultText(thrown))
      for (const { tier: other, run } of this.#open) if (other.usesDevice) run.refuse(this.reason)
      return undefined
    }
  }
}
