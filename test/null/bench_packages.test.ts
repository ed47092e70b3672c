import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { MissingPackageError, namingPackages } from '../../bench/packages.ts'
import { EXIT_BAD_INPUT } from '../../cli/exit_codes.ts'
import { exitCodeOf, failureText } from '../../cli/fail.ts'

/** What Node throws where a package is not there, from `import` and from `require.resolve`. */
const notImported = (name: string) =>
  Object.assign(new Error(`Cannot find package '${name}' imported from /a/b.js`), { code: 'ERR_MODULE_NOT_FOUND' })
const notRequired = (specifier: string): unknown => {
  try {
    return createRequire('/nowhere/at/all.js').resolve(specifier)
  } catch (thrown) {
    return thrown
  }
}

describe('packages that a command needs', () => {
  test('are named in one line, all that go together and each with its version', () => {
    const thrown = namingPackages(notImported('@ethereumjs/vm'))
    expect(thrown).toBeInstanceOf(MissingPackageError)
    expect(failureText(thrown, false)).toMatch(
      /^wgevm: not installed: .*; npm install @ethereumjs\/block@[\d.]+ @ethereumjs\/statemanager@[\d.]+ @ethereumjs\/tx@[\d.]+ @ethereumjs\/vm@[\d.]+$/,
    )
    expect(exitCodeOf(thrown)).toBe(EXIT_BAD_INPUT)
  })

  test('are found in the error of either way to load them', () => {
    const uniswap = /npm install @uniswap\/v2-core@\S+ @uniswap\/v2-periphery@\S+$/
    expect(namingPackages(notRequired('@uniswap/v2-core/build/WETH9.json'))).toHaveProperty(
      'message',
      expect.stringMatching(uniswap),
    )
    expect(namingPackages(notImported('vega'))).toHaveProperty(
      'message',
      expect.stringMatching(/vega@\S+ vega-lite@\S+$/),
    )
  })

  test('leave every other error as it is: one of ours that is not there is no package to install', () => {
    const others = [
      notImported('yargs'),
      notRequired('./bench/run.js'),
      new Error("Cannot find package 'vega'"),
      'text',
    ]
    for (const other of others) expect(namingPackages(other)).toBe(other)
  })
})
