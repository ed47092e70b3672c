import { expect, test } from 'vitest'
import {
  createExecutor,
  decode,
  decodeSigned,
  InputError,
  MemoryState,
  packTransactions,
  SenderCache,
} from '../../host/index.ts'

/** Calls that decode nothing, with options that a caller without types may give. */
const DECODERS: Readonly<Record<string, (options: object) => unknown>> = {
  decode: (options) => decode([], { chainId: 1n, ...options } as never),
  decodeSigned: (options) => decodeSigned([], { chainId: 1n, ...options } as never),
  'executor.decode': (options) => decodeByExecutor(options),
}

const decodeByExecutor = async (options: unknown): Promise<unknown> => {
  const executor = createExecutor({ fork: 'osaka', chainId: 1n, state: new MemoryState(), workers: 0 })
  return executor.decode([], options as never).finally(() => executor.close())
}

const OPTIONS: readonly (readonly [options: object, message: string])[] = [
  [{ faults: {} }, 'options.faults must be a Map, got an object'],
  [{ faults: [] }, 'options.faults must be a Map, got an array'],
  [{ faults: null }, 'options.faults must be a Map, got null'],
  [{ deposits: 'no' }, "options.deposits must be true or false, got 'no'"],
  [{ fault: 1 }, "there is no option 'fault'; did you mean 'faults'?"],
]

const CASES: readonly (readonly [name: string, run: () => unknown, message: string])[] = [
  ...Object.entries(DECODERS).flatMap(([name, run]) =>
    OPTIONS.map(([options, message]) => [`${name}: ${message}`, () => run(options), message] as const),
  ),
  ...['decode', 'decodeSigned'].map(
    (name) => [`${name} at no fork`, () => DECODERS[name]!({ fork: 'x' }), 'options.fork must be one of'] as const,
  ),
  ['a fork beside the executor', () => decodeByExecutor({ fork: 'osaka' }), "there is no option 'fork'"],
  ['executor.decode with null', () => decodeByExecutor(null), 'options must be an object, got null'],
  ...[null, 5, 'x'].map(
    (value) =>
      [
        `packTransactions of ${value}`,
        () => packTransactions(value as never),
        'transactions must be an array of signed transactions, got ',
      ] as const,
  ),
  ...[null, 5].map(
    (value) =>
      [`a cache of ${value}`, () => new SenderCache(value as never), 'options must be an object, got '] as const,
  ),
  ['a cache of an entry', () => new SenderCache({ entry: 3 } as never), "there is no option 'entry'"],
  ['too large a cache', () => new SenderCache({ entries: 2 ** 40 }), 'entries must be at most 16777216, got'],
]

test.each(CASES)('%s', async (_, run, message) => {
  const thrown = await Promise.resolve()
    .then(run)
    .catch((error: unknown) => error)
  expect(thrown).toBeInstanceOf(InputError)
  expect((thrown as InputError).message).toContain(message)
})
