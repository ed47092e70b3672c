import { runOpDrive } from '../test/fixtures/op_drive_run.ts'
import { ScriptOptions } from './script_options.ts'

/**
 * Plays op-node and rollup-boost: two processes of the service, one of them the builder, make a block of the OP stack
 * every two seconds for so long, while wallets of viem send. Replies are lost, connections cut, both services killed;
 * each block is executed by the service that did not build it, and serially by a third process. Ends with 1 where a
 * slot was missed in which nothing was planted, or anything else is not as it should be.
 */
const USAGE = 'npm run drive:op -- [--minutes 10] [--slot-ms 2000] [--rounds 1] [--seed N]'

const TEXT = { type: 'string' } as const
const options = new ScriptOptions('drive:op', USAGE)
const values = options.parse({ minutes: TEXT, 'slot-ms': TEXT, rounds: TEXT, seed: TEXT })
const slotMs = options.whole('slot-ms', values['slot-ms'] ?? '2000', 100, 60_000)
const minutes = options.whole('minutes', values.minutes ?? '10', 1, 10_000)
const rounds = options.whole('rounds', values.rounds ?? '1', 1, 20)
const seed = options.whole('seed', values.seed ?? String(Math.floor(Date.now() / 1000)), 0, 2 ** 31 - 1)
const slots = Math.floor((60_000 * minutes) / slotMs)

/** Median and most, in whole milliseconds. */
const spread = (times: readonly number[]): string => {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number): number => Math.round(sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN)
  return `${at(0.5)} ms, at most ${at(1)} ms`
}

try {
  console.log(`${slots} slots of ${slotMs} ms, seed ${seed}`)
  const driven = await runOpDrive({
    ...{ slots, slotMs, rounds, seed },
    onSlot: (slot) => {
      if (slot % 30 === 0) console.log(`  slot ${slot}`)
    },
    onMissed: ({ slot, what, planted }) =>
      console.log(`  slot ${slot} missed, planted ${planted.join(', ') || 'nothing'}: ${what}`),
  })
  const { blocks, ofBuilder, transactions, headHash, missed, retries, resent, times } = driven
  const lines = [
    `${blocks} blocks, ${ofBuilder} of the builder, each valid and the same serially`,
    `${transactions} transactions, all as sent`,
    `calls made again ${retries}, blocks given again ${resent}, head ${headHash}`,
    `builder: forkchoiceUpdated ${spread(times.update)}; getPayload ${spread(times.take)}`,
    `newPayload of its block, by the other client: ${spread(times.check)}`,
  ]
  for (const line of lines) console.log(`  ${line}`)
  const bare = missed.filter(({ planted }) => planted.length === 0)
  console.log(`  slots missed with nothing planted: ${bare.length}`)
  if (bare.length > 0) process.exitCode = 1
} catch (thrown) {
  console.error(`drive:op: ${(thrown as Error).message}`)
  process.exitCode = 1
}
// Calls of wallets and of op-node that were under way when a run failed are not waited for.
process.exit()
