import type { DeviceOptions, Robustness } from '../host/device/device.ts'
import { UserError } from './fail.ts'
import { parseWhole } from './result_file.ts'

/** `--robustness` and `--compile-limit` as they are typed. */
export interface DeviceArguments {
  readonly robustness: string | undefined
  readonly 'compile-limit': string | undefined
}

export const DEVICE_OPTIONS = {
  robustness: {
    type: 'string',
    describe:
      'off; on: with index clamps and loop guards; checked: an index outside its array fails by name [default: off]',
  },
  'compile-limit': {
    type: 'string',
    describe: 'seconds that one kernel may compile; a form that takes longer is refused [default: 600]',
  },
} as const

const LEVELS: readonly Robustness[] = ['on', 'off', 'checked']
const MOST_SECONDS = 86_400

/** How to open the device. Throws UserError. */
export const parseDevice = ({
  robustness,
  'compile-limit': limit,
}: DeviceArguments): Pick<DeviceOptions, 'robustness' | 'compileLimitMs'> => {
  const level = LEVELS.find((one) => one === robustness)
  if (robustness !== undefined && level === undefined)
    throw new UserError(`--robustness takes ${LEVELS.join(', ')}; got '${robustness}'`)
  return {
    ...(level === undefined ? {} : { robustness: level }),
    ...(limit === undefined ? {} : { compileLimitMs: 1000 * parseWhole('compile-limit', limit, 1, MOST_SECONDS) }),
  }
}
