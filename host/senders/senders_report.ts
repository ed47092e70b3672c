import type { ComputeDevice } from '../device/compute_device.ts'
import { hasNativeRecovery } from '../primitives/secp256k1.ts'
import { createDeviceRecovery } from './device_recovery.ts'
import type { SenderRecovery } from './sender_recovery.ts'
import { Senders } from './senders.ts'

/** What each form of recovery takes on this machine, and which one takes how many signatures. */
export interface SendersReport {
  /** On threads: the native package, or noble where its binding does not load. */
  readonly library: 'native' | 'noble'
  readonly forms: readonly {
    readonly form: SenderRecovery['name']
    /** Microseconds before the first row, and for each. */
    readonly fixedUs: number
    readonly rowUs: number
  }[]
  /** `form` takes calls of so many signatures and more, up to the next one's. */
  readonly choices: ReturnType<Senders['choices']>
  readonly faults: readonly string[]
}

/** Measures the forms; on a device, its kernels compile. */
export const measureSenders = async (device: ComputeDevice | undefined): Promise<SendersReport> => {
  const onDevice = device === undefined ? {} : { device: () => device, deviceForm: createDeviceRecovery }
  const senders = new Senders({ cache: false, ...onDevice })
  try {
    await senders.measure()
    return {
      library: hasNativeRecovery ? 'native' : 'noble',
      forms: [...senders.rates].map(([form, rate]) => ({ form, ...rate })),
      choices: senders.choices(),
      faults: senders.takeFaults(),
    }
  } finally {
    senders.close()
  }
}
