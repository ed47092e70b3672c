import { adapterRequest } from '../../host/device/adapter.ts'
import { type DeviceOptions, openDevice } from '../../host/device/device.ts'
import { commitOfCheckout, machine } from '../machine.ts'
import { grouped, milliseconds, NOTE_INDENT, rounded, settingLines, spreadText } from '../report/text.ts'
import { folded, type TextStyle, table } from '../report/text_table.ts'
import { adapterOf } from '../session.ts'
import type { Part, PartReport, PartRow } from './part.ts'

export interface PartSessionOptions {
  readonly parts: readonly Part[]
  readonly adapter?: string
  readonly opened?: Pick<DeviceOptions, 'robustness' | 'compileLimitMs'>
  readonly size?: number
  readonly samples: number
  readonly seed: number
  readonly step: (part: string, what: string) => void
}

/** Measures the parts one after another on one device. */
export const runParts = async (options: PartSessionOptions): Promise<PartReport> => {
  const { samples, seed, step } = options
  const asked = adapterRequest(options.adapter)
  const device = await openDevice({ ...options.opened, ...(asked === undefined ? {} : { adapter: asked }) })
  try {
    const parts: PartReport['parts'][number][] = []
    for (const part of options.parts) {
      const size = options.size ?? part.size
      const rows = await part.run({ device, size, samples, seed, step: (what) => step(part.name, what) })
      parts.push({ part: part.name, unit: part.unit, rows })
    }
    return {
      schema: 'wgevm-part/1',
      commit: commitOfCheckout(),
      date: new Date().toISOString(),
      machine: machine(),
      adapter: adapterOf(device, asked),
      node: process.version,
      parts,
    }
  } finally {
    device.destroy()
  }
}

/** How many times as fast as the fastest peer; `-` of peers, and where there is none. */
const againstPeers = (row: PartRow, rows: readonly PartRow[]): string => {
  const peers = rows.filter(({ isPeer }) => isPeer).map(({ perSecond }) => perSecond)
  return row.isPeer || peers.length === 0 ? '-' : `${rounded(row.perSecond / Math.max(...peers))}x`
}

/** A table for each part, what its rows were verified against, and where it was measured. */
export const partsText = (report: PartReport, style: TextStyle): string => {
  const texts = report.parts.map(({ part, unit, rows }) => {
    const head = [part, unit, 'wall', 'per second', '±', 'on device', 'vs fastest peer']
    const cells = rows.map((row) => [
      row.isPeer ? `${row.form} (peer)` : row.form,
      grouped(row.count),
      milliseconds(row.ms),
      rounded(row.perSecond),
      spreadText(row.samplesMs),
      row.deviceMs === undefined ? '-' : milliseconds(row.deviceMs),
      againstPeers(row, rows),
    ])
    const lines = rows.flatMap(({ form, note, verified }) => [
      `verified ${form}: ${verified}`,
      ...(note === undefined ? [] : [`note     ${form}: ${note}`]),
    ])
    return `${table(head, cells, style)}\n${lines.map((line) => `${folded(line, style.width, NOTE_INDENT)}\n`).join('')}`
  })
  const setting = settingLines(report).map((line) => `${folded(line, style.width, NOTE_INDENT)}\n`)
  return `${texts.join('\n')}${setting.join('')}`
}
