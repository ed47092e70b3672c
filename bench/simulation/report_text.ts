import type { PeerResult } from '../report/schema.ts'
import { isWide, WIDE_NOTE } from '../report/statistics.ts'
import { deviceTimesText, grouped, milliseconds, rounded, spreadText } from '../report/text.ts'
import type { ProgramReport } from './run_program.ts'

const ARGUMENTS: Readonly<Record<number, string>> = { [-1]: 'caller', [-2]: 'value' }

/** The report of one program for a terminal. */
export const programText = (report: ProgramReport): string => {
  const { tiers, lanes, serial, verified, status, samplesMs } = report
  const lines: [string, string][] = [
    ['program', `${report.program}, ${report.fork}, ${report.calls.length} calls in turn, seed ${report.seed}`],
  ]
  for (const { label, varied } of report.calls) {
    const parts = varied.map(({ at, kind, words }) => {
      const argument =
        ARGUMENTS[at] ??
        `word ${Math.floor(at / 32)}${words === undefined ? '' : ` to ${Math.floor(at / 32) + words - 1}`}`
      return argument === kind ? argument : `${argument} (${kind})`
    })
    lines.push(['', `${label}: ${parts.length === 0 ? 'the same in every lane' : `varies ${parts.join(', ')}`}`])
  }
  lines.push(['adapter', `${report.adapter.kind}, ${report.adapter.name}`])
  const shares = [
    ['path kernels', tiers.pathKernel],
    ['path programs', tiers.pathProgram],
    ['lane VM', tiers.laneVm],
    ['paths on the host', tiers.pathHost],
    ['plain transfers', tiers.transfer],
    ['CPU', tiers.cpu],
  ] as const
  const used = shares.filter(([, count]) => count > 0).map(([name, count]) => `${name} ${grouped(count)}`)
  lines.push(['lanes', `${grouped(lanes)}: ${used.join(', ')}`])
  lines.push([
    'ended',
    `${grouped(status.success)} well, ${grouped(status.failure)} reverted or halted, ${grouped(status.rejected)} could not start`,
  ])
  const exits = Object.entries(report.exits).sort((a, b) => b[1] - a[1])
  for (const [n, [reason, count]] of exits.entries())
    lines.push([n === 0 ? 'exits' : '', `${grouped(count)} ${reason}`])
  const perSample =
    samplesMs.length === 1 ? 'one sample' : `median of ${samplesMs.length}, spread ${spreadText(samplesMs)}`
  lines.push(['calls/s', `${rounded(report.callsPerSecond)} (${perSample}; ${milliseconds(report.cpuMs)} of CPU time)`])
  const { route, device, judge, cpu } = report.stagesMs
  lines.push([
    'stages',
    `route ${milliseconds(route)}, waiting for the device ${milliseconds(device)}, judge ${milliseconds(judge)}, CPU tier ${milliseconds(cpu)}`,
  ])
  lines.push(['device', `${deviceTimesText(report.deviceTimes)} (milliseconds on the device)`])
  lines.push(['first', `${milliseconds(report.firstMs)}, of it compilation ${milliseconds(report.firstCompileMs)}`])
  lines.push([
    'serial',
    `${serial.name} ${rounded(serial.callsPerSecond)} calls/s: ${rounded(report.callsPerSecond / serial.callsPerSecond)} times`,
  ])
  lines.push([
    'verified',
    verified.all
      ? `all ${grouped(lanes)} lanes against ${serial.name}`
      : `a seeded sample of ${grouped(verified.lanes)} of ${grouped(lanes)} lanes against ${serial.name}`,
  ])
  if (report.revm !== undefined) lines.push(['revm', peerText(report.revm, report)])
  if (isWide(samplesMs)) lines.push(['spread', WIDE_NOTE])
  for (const fault of report.faults) lines.push(['fault', fault])
  return lines.map(([name, text]) => `${name.padEnd(9)}${text}\n`).join('')
}

const peerText = (peer: PeerResult, { gas, lanes, callsPerSecond }: ProgramReport): string => {
  const mgas = (callsPerSecond * gas) / lanes / 1e6
  return `${peer.name} ${rounded(peer.mgasPerSecond)} Mgas/s (${peer.note}; ${peer.level}): ${rounded(mgas / peer.mgasPerSecond)} times`
}
