#!/usr/bin/env node
import { fail } from './fail.ts'
import { runCommand } from './run_command.ts'

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const argv = process.argv.slice(2)
try {
  await runCommand(argv)
} catch (thrown) {
  fail(thrown, argv.includes('--verbose'))
}
