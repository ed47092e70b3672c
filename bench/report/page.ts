import { type ChartSpec, drawChart, type Part } from './charts.ts'

/** A table beside a chart: the numbers that the chart shows. The first `left` columns are words. */
export interface PageTable {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly left?: number
}

export interface PageChart {
  /** What is drawn, in words. */
  readonly label: string
  readonly spec: ChartSpec
  /** What the colours mean, where there is more than one. */
  readonly legend?: readonly Part[]
}

export interface PageSection {
  readonly title: string
  readonly text: readonly string[]
  readonly charts?: readonly PageChart[]
  readonly table?: PageTable
}

export interface Page {
  readonly title: string
  /** Where it was measured: adapter, machine, and when; the first thing after the title. */
  readonly setting: readonly string[]
  readonly introduction: readonly string[]
  readonly sections: readonly PageSection[]
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #555; --paper: #fff; --line: #c9c9c9; --mark: #3f7fc4; --mark-2: #b8690f;
  --on-tier: #fff; --tier-transfer: #1b7f5c; --tier-program: #1f5fa8; --tier-kernel: #9a5200; --tier-vm: #7a3f9a; --tier-host: #8a6d00;
  --tier-cpu: #6b6b6b; --stage-0: #1f5fa8; --stage-1: #9a5200; --stage-2: #1b7f5c; --stage-3: #7a3f9a; --stage-4: #8a2f3f;
  --stage-5: #4a5d23; --stage-6: #2d6a75; --stage-7: #6d5a00; --stage-8: #3d4f8f; --stage-9: #a03a6b;
  --stage-10: #6b6b6b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --soft: #aaa; --paper: #161616; --line: #444; --mark: #4f93dd; --mark-2: #c98a2e;
  --tier-transfer: #23946d; --tier-program: #3f7fd0; --tier-kernel: #b8690f; --tier-vm: #9a5fba; --tier-host: #b39218; --tier-cpu: #7d7d7d; } }
@media print { :root { --ink: #000; --soft: #333; --paper: #fff; --line: #bbb; } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 68rem; font: 1rem/1.45 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.2; margin: .5rem 0 .25rem } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p { margin: .5rem 0; max-width: 46rem } .setting { color: var(--soft); font-size: .9rem; margin-bottom: 1rem }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem 2rem }
figure { margin: .5rem 0 } figcaption { font-size: .85rem; color: var(--soft) }
figure svg { display: block; width: 100%; height: auto; max-width: 40rem }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0 0 .5rem; padding: 0; list-style: none;
  font-size: .85rem } .swatch { display: inline-block; width: 1.2em; height: 1.2em; line-height: 1.2em; color: var(--on-tier);
  font-weight: bold; font-size: .85em; text-align: center; vertical-align: baseline }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; margin: .5rem 0 }
th, td { padding: .15rem .45rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top }
td { white-space: nowrap } th { vertical-align: bottom; overflow-wrap: normal } th.word, td.word { text-align: left }
td.long { white-space: normal; min-width: 12rem } thead th { border-bottom-width: 2px }
@media screen and (max-width: 60rem) { thead { display: none } tr { display: block; padding: .4rem 0;
  border-bottom: 1px solid var(--line) } table, tbody { display: block } td, td.word, td.long { display: inline-block;
  border: 0; padding: 0 .9rem 0 0; text-align: left; white-space: normal; min-width: 0 }
  td:first-child { display: block; font-weight: bold } td:empty { display: none }
  td[data-column]::before { content: attr(data-column) " "; color: var(--soft) } }
@media print { body { max-width: none; padding: 0; font-size: 10pt } table { font-size: 6.5pt }
  th, td { padding: 1pt 3pt } figure svg { max-width: 13cm; max-height: 24cm } h2 { break-after: avoid }
  figure, tr { break-inside: avoid } }
`

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!)

/** Words longer than this may break over lines. */
const LONG_CELL = 40

const tableHtml = ({ head, rows, left = 1 }: PageTable): string => {
  const classesOf = (text: string, column: number): string => {
    const classes = [...(column < left ? ['word'] : []), ...(text.length > LONG_CELL ? ['long'] : [])]
    return classes.length === 0 ? '' : ` class="${classes.join(' ')}"`
  }
  const heads = head.map((text, column) => `<th scope="col"${classesOf(text, column)}>${escapeHtml(text)}</th>`)
  // On a phone a row is a block, in which each cell says its column.
  const cells = (row: readonly string[]) =>
    row.map((text, column) => {
      const name = column === 0 ? '' : ` data-column="${escapeHtml(head[column] ?? '')}"`
      return `<td${classesOf(text, column)}${name}>${escapeHtml(text)}</td>`
    })
  const body = rows.map((row) => `<tr>${cells(row).join('')}</tr>`).join('\n')
  return `<table><thead><tr>${heads.join('')}</tr></thead><tbody>\n${body}\n</tbody></table>`
}

/** Beside the drawing instead of in it: words wrap there as they need. */
const legendHtml = (parts: readonly Part[]): string => {
  if (parts.length < 2) return ''
  const items = parts.map(({ name, letter, colour }) => {
    const swatch = `<span class="swatch" style="background: var(${colour})">${escapeHtml(letter)}</span>`
    return `<li>${swatch} ${escapeHtml(name)}</li>`
  })
  return `<ul class="legend">${items.join('')}</ul>`
}

const paragraphs = (texts: readonly string[]): string => texts.map((text) => `<p>${escapeHtml(text)}</p>`).join('\n')

const sectionHtml = async ({ title, text, charts = [], table }: PageSection): Promise<string> => {
  const figures: string[] = []
  for (const { label, spec, legend = [] } of charts) {
    const caption = escapeHtml(label)
    figures.push(
      `<figure>${legendHtml(legend)}${await drawChart(spec, caption)}<figcaption>${caption}</figcaption></figure>`,
    )
  }
  return [
    `<section><h2>${escapeHtml(title)}</h2>`,
    paragraphs(text),
    ...(figures.length === 0 ? [] : [`<div class="charts">${figures.join('\n')}</div>`]),
    ...(table === undefined ? [] : [tableHtml(table)]),
    '</section>',
  ].join('\n')
}

/**
 * One self-contained page: no script, no network, charts as inline SVG that take their colours from the page. One
 * column, so it reads on a phone and in print; every chart has its numbers in a table.
 */
export const pageHtml = async ({ title, setting, introduction, sections }: Page): Promise<string> => {
  const parts: string[] = []
  for (const section of sections) parts.push(await sectionHtml(section))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p class="setting">${setting.map(escapeHtml).join('<br>\n')}</p>
${paragraphs(introduction)}
${parts.join('\n')}
</body>
</html>
`
}
