import type { ReplayReport } from './replay_schema.ts'
import { replayText } from './replay_text.ts'

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** One self-contained page. */
export const replayPage = async (report: ReplayReport): Promise<string> =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>wgevm replay</title><pre>${escaped(replayText(report, { decorated: false, width: 110 }))}</pre></html>\n`
