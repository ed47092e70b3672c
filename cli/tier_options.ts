import type { ExecutorOptions } from '../host/flows/executor_interface.ts'
import { UserError } from './fail.ts'
import { parseWhole } from './result_file.ts'

/**
 * `--tier`, `--paths`, `--lane-vm`, `--waves`, `--range` and `--memory` as they are typed. `paths` is no text where it
 * stands alone or as `--no-paths`.
 */
export interface TierArguments {
  readonly waves?: string | undefined
  readonly range?: string | undefined
  readonly memory?: string | undefined
  readonly tier: string | undefined
  readonly paths?: unknown
  readonly 'lane-vm': string | undefined
}

export const TIER_OPTIONS = {
  tier: { type: 'string', describe: 'lane-vm: calls of code run on the lane VM alone; paths: without the lane VM' },
  'lane-vm': {
    type: 'string',
    describe: 'never, or always: every call there that may go [default: where no path takes it and a wave pays]',
  },
  waves: { type: 'string', describe: 'always: lanes go to the device however few they are [default: where it pays]' },
  range: { type: 'string', describe: 'transactions that go to the device together [default: 16,384]' },
  memory: {
    type: 'string',
    describe: 'MB that an executor may keep from call to call [default: a quarter of the memory, at most 8,192]',
  },
} as const

const LARGEST_RANGE = 2 ** 22
const MOST_MEGABYTES = 2 ** 22

export const PATHS_NEVER = 'never: no path is recorded or run'

/** Which tiers to use. Throws UserError. */
export const parseTiers = ({
  tier,
  paths,
  'lane-vm': laneVm,
  waves,
  range,
  memory,
}: TierArguments): Pick<ExecutorOptions, 'paths' | 'laneVm' | 'waves' | 'range' | 'memory'> => {
  if (waves !== undefined && waves !== 'always') throw new UserError(`--waves takes always; got '${waves}'`)
  const others = {
    ...(waves === undefined ? {} : { waves: 'always' as const }),
    ...(range === undefined ? {} : { range: parseWhole('range', range, 1, LARGEST_RANGE) }),
    ...(memory === undefined ? {} : { memory: 2 ** 20 * parseWhole('memory', memory, 1, MOST_MEGABYTES) }),
  }
  if (laneVm !== undefined && laneVm !== 'never' && laneVm !== 'always')
    throw new UserError(`--lane-vm takes never or always; got '${laneVm}'`)
  if (typeof paths === 'string' && paths !== 'never' && paths !== '')
    throw new UserError(`--paths takes never; got '${paths}'`)
  if (tier !== undefined && (laneVm !== undefined || paths === 'never'))
    throw new UserError('--tier goes without --paths never and --lane-vm: it stands for them')
  switch (tier) {
    case undefined:
      return { ...(paths === 'never' ? { paths } : {}), ...(laneVm === undefined ? {} : { laneVm }), ...others }
    case 'lane-vm':
      return { paths: 'never', laneVm: 'always', ...others }
    case 'paths':
      return { laneVm: 'never', ...others }
    default:
      throw new UserError(`--tier takes lane-vm or paths; got '${tier}'`)
  }
}
