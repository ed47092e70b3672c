#!/usr/bin/env node
import { runTool } from '../service/evm_tool/tool.ts'

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await runTool(process.argv.slice(2))
