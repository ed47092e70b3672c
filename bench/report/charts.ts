import { namingPackages } from '../packages.ts'

/** A chart as vega-lite describes it. */
export type ChartSpec = Readonly<Record<string, unknown>>

/**
 * Units of the drawing across a chart, labels included. A page scales the drawing to its width, so a phone shows
 * about one pixel per unit.
 */
const WIDTH = 380
const FONT_SIZE = 10

/** Colours are variables of the page (page.ts), so one drawing serves light, dark and print. */
const CONFIG = {
  background: null,
  padding: 4,
  view: { stroke: null },
  font: 'system-ui, sans-serif',
  axis: {
    labelColor: 'var(--ink)',
    titleColor: 'var(--ink)',
    labelFontSize: FONT_SIZE,
    titleFontSize: FONT_SIZE,
    titleFontWeight: 'normal',
    gridColor: 'var(--line)',
    domainColor: 'var(--line)',
    tickColor: 'var(--line)',
    labelLimit: 170,
  },
  legend: { disable: true },
  text: { fontSize: FONT_SIZE - 1, fill: 'var(--ink)' },
  bar: { fill: 'var(--mark)' },
  point: { fill: 'var(--mark)', stroke: 'var(--mark)' },
  rule: { stroke: 'var(--ink)' },
}

/**
 * The packages that draw. Throws MissingPackageError: asked for before anything runs, so no run ends without its
 * page.
 */
export const loadCharts = async () => {
  try {
    const [{ compile }, { parse, View }] = await Promise.all([import('vega-lite'), import('vega')])
    return { compile, parse, View }
  } catch (thrown) {
    throw namingPackages(thrown)
  }
}

/** Draws a chart as SVG text that scales with its surroundings; `label` says in words what is drawn. */
export const drawChart = async (chart: ChartSpec, label: string): Promise<string> => {
  const { compile, parse, View } = await loadCharts()
  const whole = { width: WIDTH, autosize: { type: 'fit-x', contains: 'padding' }, config: CONFIG, ...chart }
  const view = new View(parse(compile(whole as unknown as Parameters<typeof compile>[0]).spec), { renderer: 'none' })
  try {
    const svg = await view.toSVG()
    return svg.replace(/^<svg([^>]*?) width="[\d.]+" height="[\d.]+"/, `<svg$1 role="img" aria-label="${label}"`)
  } finally {
    view.finalize()
  }
}

/** One part of a bar that is cut into shares. `letter` stands in the part, so colour is not all that tells it. */
export interface Part {
  readonly name: string
  readonly letter: string
  /** A variable of the page, as in `--tier-cpu`. */
  readonly colour: string
}

export interface CutBar {
  readonly label: string
  /** One value per part, of any unit. */
  readonly values: readonly number[]
}

/** A part narrower than this share of the bar has no room for its letter. */
const LETTER_SHARE = 0.06

/** Bars of equal length, cut by the shares of their parts. */
export const shareBars = (bars: readonly CutBar[], parts: readonly Part[]): ChartSpec => {
  const values = bars.flatMap(({ label, values: ofBar }) => {
    const whole = ofBar.reduce((sum, value) => sum + value, 0)
    let from = 0
    return parts.map(({ name, letter }, n) => {
      const share = whole === 0 ? 0 : ofBar[n]! / whole
      const drawn = { label, part: name, from, to: from + share, text: share < LETTER_SHARE ? '' : letter }
      from += share
      return { ...drawn, middle: (drawn.from + drawn.to) / 2 }
    })
  })
  const y = { field: 'label', type: 'nominal', sort: null, axis: { title: null, ticks: false, domain: false } }
  return {
    height: 15 * bars.length,
    data: { values },
    layer: [
      {
        mark: { type: 'bar', height: { band: 0.82 } },
        encoding: {
          y,
          x: { field: 'from', type: 'quantitative', axis: { format: '.0%', title: null, tickCount: 5 } },
          x2: { field: 'to' },
          color: {
            field: 'part',
            type: 'nominal',
            sort: null,
            scale: {
              domain: parts.map(({ name }) => name),
              range: parts.map(({ colour }) => `var(${colour})`),
            },
          },
        },
      },
      {
        mark: { type: 'text', fill: 'var(--on-tier)', baseline: 'middle', fontWeight: 'bold' },
        encoding: { y, x: { field: 'middle', type: 'quantitative' }, text: { field: 'text' } },
      },
    ],
  }
}

export interface PlainBar {
  readonly label: string
  readonly value: number
  readonly text: string
  /** Lowest and highest of the values that `value` is the middle of. */
  readonly range?: readonly [number, number]
}

/** A label that takes more characters stands above its bar instead of before it. */
const LONG_LABEL = 22
/** Units that a character of a text mark takes, about. */
const CHARACTER = 5.2

/** Bars from zero, the value in words behind each; a thin line shows the range where there is one. */
export const plainBars = (bars: readonly PlainBar[]): ChartSpec => {
  const labelsAbove = bars.some(({ label }) => label.length > LONG_LABEL)
  const step = labelsAbove ? 28 : 16
  const axis = labelsAbove ? null : { title: null, ticks: false, domain: false }
  const y = { field: 'row', type: 'nominal', sort: null, axis }
  const top = Math.max(0, ...bars.map(({ value, range }) => range?.[1] ?? value))
  const longestText = Math.max(0, ...bars.map(({ text }) => text.length))
  const longestLabel = labelsAbove ? 0 : Math.max(0, ...bars.map(({ label }) => label.length))
  const plotWidth = WIDTH - longestLabel * CHARACTER * 1.1
  // Room for the text behind the longest bar.
  const room = 1 / (1 - Math.min(0.8, (longestText * CHARACTER + 12) / plotWidth))
  const x = { type: 'quantitative', scale: { domain: [0, top === 0 ? 1 : top * room], nice: false }, axis: null }
  const values = bars.map(({ label, value, text, range = [value, value] }, n) => ({
    // Two bars may have one label.
    row: labelsAbove ? `${n} ${label}` : label,
    label,
    value,
    text,
    low: range[0],
    high: range[1],
    end: Math.max(value, range[1]),
  }))
  const yOffset = labelsAbove ? 7 : 0
  return {
    height: step * bars.length,
    data: { values },
    layer: [
      {
        mark: labelsAbove ? { type: 'bar', height: 10, yOffset } : { type: 'bar', height: { band: 0.75 } },
        encoding: { y, x: { ...x, field: 'value' } },
      },
      { mark: { type: 'rule', yOffset }, encoding: { y, x: { ...x, field: 'low' }, x2: { field: 'high' } } },
      {
        mark: { type: 'text', align: 'left', dx: 4, yOffset, baseline: 'middle' },
        encoding: { y, x: { ...x, field: 'end' }, text: { field: 'text' } },
      },
      ...(labelsAbove
        ? [
            {
              mark: { type: 'text', align: 'left', x: 0, yOffset: -6, baseline: 'middle', limit: WIDTH - 10 },
              encoding: { y, text: { field: 'label' } },
            },
          ]
        : []),
    ],
  }
}

/** How many times something is faster, with the lowest and highest that the measured times allow. */
export interface Ratio {
  readonly value: number
  readonly range: readonly [number, number]
}

export interface RatioRow {
  readonly label: string
  /** One for each part; absent where it was not measured. */
  readonly ratios: readonly (Ratio | undefined)[]
}

/** Marks of a logarithmic scale: few enough that a phone shows them apart. */
const TICKS = [0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

/** A bar from 1 on a logarithmic scale for each part of a row, with its range as a line and its value in words. */
export const ratioBars = (rows: readonly RatioRow[], parts: readonly Part[], title: string): ChartSpec => {
  const values = rows.flatMap(({ label, ratios }) =>
    ratios.flatMap((ratio, n) =>
      ratio === undefined
        ? []
        : [
            {
              label,
              part: parts[n]!.name,
              one: 1,
              value: ratio.value,
              low: ratio.range[0],
              high: ratio.range[1],
              end: Math.max(1, ratio.range[1]),
              text: `${Number(ratio.value.toPrecision(3))}`,
            },
          ],
    ),
  )
  const low = Math.min(1, ...values.map((drawn) => drawn.low))
  const high = Math.max(2, ...values.map((drawn) => drawn.high))
  // Room for the text after the longest bar.
  const domain = [low < 1 ? low * 0.8 : 1, high * (high / low) ** 0.2]
  const x = { type: 'quantitative', scale: { type: 'log', domain, nice: false } }
  const axis = { title, values: TICKS.filter((tick) => tick >= domain[0]! && tick <= domain[1]!), format: '~r' }
  const y = {
    field: 'label',
    type: 'nominal',
    sort: null,
    axis: { title: null, ticks: false, domain: false },
  }
  const yOffset = { field: 'part', type: 'nominal', sort: parts.map(({ name }) => name) }
  const color = {
    field: 'part',
    type: 'nominal',
    scale: { domain: parts.map(({ name }) => name), range: parts.map(({ colour }) => `var(${colour})`) },
  }
  return {
    height: (parts.length === 1 ? 15 : 13 * parts.length) * rows.length,
    data: { values },
    layer: [
      {
        mark: { type: 'bar' },
        encoding: { y, yOffset, color, x: { ...x, axis, field: 'one' }, x2: { field: 'value' } },
      },
      { mark: { type: 'rule' }, encoding: { y, yOffset, x: { ...x, field: 'low' }, x2: { field: 'high' } } },
      {
        mark: { type: 'text', align: 'left', dx: 4, baseline: 'middle' },
        encoding: { y, yOffset, x: { ...x, field: 'end' }, text: { field: 'text' } },
      },
    ],
  }
}

/** A square of numbers: the darker the more, with the number in each cell that is not zero. `counts` is row-major. */
export const squareMap = (
  labels: readonly string[],
  counts: readonly number[],
  rowTitle: string,
  columnTitle: string,
) => {
  const values = counts.map((count, at) => ({
    row: labels[Math.floor(at / labels.length)],
    column: labels[at % labels.length],
    count,
    // Counts span orders of magnitude.
    shade: count === 0 ? 0 : 0.15 + (0.85 * Math.log1p(count)) / Math.log1p(Math.max(...counts)),
    text: count === 0 ? '' : compact(count),
  }))
  const y = { field: 'row', type: 'nominal', sort: null, axis: { title: rowTitle, ticks: false, labelLimit: 110 } }
  const x = {
    field: 'column',
    type: 'nominal',
    sort: null,
    axis: { title: columnTitle, ticks: false, orient: 'top', labelAngle: -90, labelLimit: 110 },
  }
  const chart: ChartSpec = {
    height: 17 * labels.length,
    data: { values },
    layer: [
      {
        mark: { type: 'rect', fill: 'var(--mark)', stroke: 'var(--line)', strokeWidth: 0.5 },
        encoding: { x, y, fillOpacity: { field: 'shade', type: 'quantitative', scale: null, legend: null } },
      },
      {
        mark: { type: 'text', fontSize: 7, baseline: 'middle', fill: 'var(--ink)' },
        encoding: { x, y, text: { field: 'text' } },
      },
    ],
  }
  return chart
}

/** 950, 12k, 3M: what fits a small cell. */
const compact = (count: number): string =>
  count < 1000 ? String(count) : count < 1e6 ? `${Math.round(count / 1e3)}k` : `${Math.round(count / 1e6)}M`
