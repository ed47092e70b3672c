import { geometricMean, isInMean, type ProgramsReport, timesSerial } from '../simulation/program_session.ts'
import type { ProgramReport } from '../simulation/run_program.ts'
import { isWide, WIDE_NOTE } from './statistics.ts'
import { deviceMsText, grouped, milliseconds, rounded, spreadText } from './text.ts'
import { type TextStyle, table } from './text_table.ts'

export const PROGRAM_HEAD = [
  'program',
  'lanes',
  'varied',
  'lane VM',
  'calls/s',
  'Mgas/s',
  'ms',
  '±',
  'device ms',
  'serial calls/s',
  'times',
  'revm Mgas/s',
  'verified',
]

/** Cells of PROGRAM_HEAD. */
export const programCells = (report: ProgramReport): readonly string[] => {
  const { lanes, calls, tiers, callsPerSecond, gas, samplesMs, serial, revm, verified } = report
  const varied = calls.filter((call) => call.varied.length > 0).length
  return [
    report.program,
    grouped(lanes),
    varied === 0 ? 'no' : varied === calls.length ? 'yes' : `${varied} of ${calls.length} calls`,
    `${rounded((100 * tiers.laneVm) / lanes)} %`,
    rounded(callsPerSecond),
    rounded((callsPerSecond * gas) / lanes / 1e6),
    rounded((1000 * lanes) / callsPerSecond),
    spreadText(samplesMs),
    deviceMsText(report.deviceTimes),
    rounded(serial.callsPerSecond),
    rounded(timesSerial(report)),
    revm === undefined ? '-' : rounded(revm.mgasPerSecond),
    verified.all ? 'all lanes' : `${grouped(verified.lanes)} lanes`,
  ]
}

/** One line while the others run. */
export const programLine = (report: ProgramReport): string =>
  `${report.program}: ${rounded(timesSerial(report))} times ${report.serial.name}, ${milliseconds((1000 * report.lanes) / report.callsPerSecond)}`

export const meanText = (results: readonly ProgramReport[]): string => {
  const counted = results.filter(isInMean)
  return `${rounded(geometricMean(counted.map(timesSerial)))} times serial @ethereumjs/evm in the geometric mean of ${counted.length} programs of evmone and revmc`
}

export const programsText = (report: ProgramsReport, style: TextStyle): string => {
  const { results, failed, adapter, revmNote } = report
  const lines = [table(PROGRAM_HEAD, results.map(programCells), style)]
  lines.push(meanText(results))
  for (const { program, reason } of failed) lines.push(`WRONG ${program}: ${reason}`)
  for (const { program, exits } of results)
    for (const [reason, count] of Object.entries(exits))
      lines.push(`left the device: ${program}: ${grouped(count)} ${reason}`)
  for (const { program, faults } of results) for (const fault of faults) lines.push(`device: ${program}: ${fault}`)
  if (revmNote !== undefined) lines.push(`revm: ${revmNote}`)
  if (results.some(({ samplesMs }) => isWide(samplesMs))) lines.push(`spread   ${WIDE_NOTE}`)
  lines.push(`adapter  ${adapter.kind}: ${adapter.name}, ${adapter.driver}`)
  return `${lines.join('\n')}\n`
}
