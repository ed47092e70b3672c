import { describe, expect, test } from 'vitest'
import { EXIT_BAD_INPUT, EXIT_FAILURE } from '../../cli/exit_codes.ts'
import { exitCodeOf, failureText, UserError } from '../../cli/fail.ts'
import { NoAdapterError } from '../../host/device/adapter.ts'

describe('a failure on the command line', () => {
  test('of bad input is one line and exit code 2', () => {
    const error = new UserError("unknown workload 'x'\n  there is erc20")
    expect(failureText(error, false)).toBe("wgevm: unknown workload 'x' there is erc20")
    expect(exitCodeOf(error)).toBe(EXIT_BAD_INPUT)
  })

  test('to find an adapter is bad input', () => {
    expect(exitCodeOf(new NoAdapterError('x', []))).toBe(EXIT_BAD_INPUT)
  })

  test('of any other kind is exit code 1, one line that says how to see more', () => {
    expect(failureText(new TypeError('x is\nnot y'), false)).toBe('wgevm: x is not y (--verbose shows where)')
    expect(exitCodeOf(new TypeError('x'))).toBe(EXIT_FAILURE)
    expect(failureText('text', false)).toBe('wgevm: text')
  })

  test('with --verbose shows the stack and the causes', () => {
    const text = failureText(new UserError('outer', { cause: new Error('inner') }), true)
    expect(text).toContain('UserError: outer\n    at ')
    expect(text).toContain('caused by Error: inner')
  })
})
