import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { benchPage } from '../../bench/report/bench_page.ts'
import { replayPage } from '../../bench/report/replay_page.ts'
import { REPORT, RESULT } from '../fixtures/bench_report.ts'
import { replayedBlock, replayReport } from '../fixtures/replay_report.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-page-'))
const PHONE = { width: 390, height: 844 }
const DESKTOP = { width: 1280, height: 800 }

const SYSTEM_BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/**
 * The browser of the system, else that of the npm package, whose libraries need not be there: the tests are skipped
 * where neither starts. The latter runs in one process and opens one page only.
 */
const startBrowser = async (): Promise<{ browser: Browser; page: Page } | { reason: string }> => {
  try {
    const system = SYSTEM_BROWSERS.find((path) => existsSync(path))
    const { default: bundled } = await import('@sparticuz/chromium')
    const executablePath = system ?? (await bundled.executablePath())
    const args = system === undefined ? bundled.args : ['--no-sandbox']
    const browser = await chromium.launch({ executablePath, args, headless: true })
    return { browser, page: await browser.newPage({ viewport: PHONE }) }
  } catch (thrown) {
    return { reason: (thrown as Error).message.split('\n', 1)[0]! }
  }
}

describe('a report page in a browser', () => {
  let started: Awaited<ReturnType<typeof startBrowser>>

  beforeAll(async () => {
    started = await startBrowser()
  }, 60_000)
  afterAll(async () => {
    if ('browser' in started) await started.browser.close()
  })

  test.for([
    {
      name: 'of a replay',
      html: () => replayPage(replayReport({ blocks: [...replayReport().blocks, long] })),
      charts: 7,
    },
    { name: 'of a benchmark', html: () => benchPage({ ...REPORT, results }), charts: 8 },
  ])(
    '$name draws every chart with marks of some size, on a phone, dark and in print, without errors or requests',
    { timeout: 60_000 },
    async ({ html, charts }, { skip }) => {
      if ('reason' in started) return skip(`the bundled browser does not start: ${started.reason}`)
      const file = join(folder, `page-${charts}.html`)
      writeFileSync(file, await html())
      const { page } = started
      page.removeAllListeners()
      const complaints: string[] = []
      const requests: string[] = []
      page.on('console', (message) => complaints.push(message.text()))
      page.on('pageerror', (error) => complaints.push(error.message))
      page.on('request', (request) => requests.push(request.url()))
      const { href } = pathToFileURL(file)
      await page.goto(href)
      for (const media of [{ colorScheme: 'light' }, { colorScheme: 'dark' }, { media: 'print' }] as const) {
        await page.emulateMedia(media)
        const drawn = await page.evaluate<DrawnChart[]>(measureCharts)
        expect(drawn).toHaveLength(charts)
        for (const chart of drawn) {
          expect(chart.width, chart.label).toBeGreaterThan(200)
          expect(chart.height, chart.label).toBeGreaterThan(20)
          expect(chart.marks, chart.label).toBeGreaterThan(0)
          // The colours of the page reach the drawing.
          expect(chart.unpainted, chart.label).toBe(0)
        }
      }
      await page.emulateMedia({ media: 'screen' })
      for (const size of [PHONE, DESKTOP]) {
        await page.setViewportSize(size)
        expect(await page.evaluate(`(${findClipped})()`), `at ${size.width} pixels`).toEqual([])
      }
      expect(complaints).toEqual([])
      expect(requests).toEqual([href])
    },
  )
})

const conflicts = {
  contracts: ['0x1111111111111111111111111111111111111111', '0x2222222222222222222222222222222222222222'],
  transactions: [3, 2],
  counts: [4, 1, 0, 2],
  leftOut: { contracts: 0, transactions: 0 },
  blocks: 1,
}

/** Everything that has ever been cut: long names, all tiers, all stages, many digits. */
const long = replayedBlock({
  block: 'mainnet-123456789',
  exits: { 'guard failed: branch taken: iszero(lt(load(slot(entry, keccak#64(caller, 0))), calldata[36..]))': 12 },
  samplesMs: [123_456, 234_567],
  medianMs: 179_011,
  serialSamplesMs: [1, 2],
  serialMedianMs: 1.5,
  ratio: 0.0000084,
})
const results = [
  { ...RESULT, conflicts },
  {
    ...RESULT,
    workload: 'erc20-hot-recipient-zipf',
    tiers: { pathKernel: 10_000, pathProgram: 10_000, pathHost: 10_000, laneVm: 10_000, transfer: 10_000, cpu: 15_536 },
    samplesMs: [5.3, 5.2, 5.4],
    medianMs: 5.3,
    txPerSecond: 12_365_283,
    rounds: 17,
  },
]

interface DrawnChart {
  readonly label: string
  readonly width: number
  readonly height: number
  /** Bars, points and cells with an area. */
  readonly marks: number
  /** Marks whose fill came out as none: a colour of the page that is not defined. */
  readonly unpainted: number
}

/**
 * Runs in the page: what is wider than its place. Words of a drawing end within the drawing; what lies in an element
 * ends within it, and the whole page within the window.
 */
const findClipped = `() => {
  const clipped = []
  for (const svg of document.querySelectorAll('figure svg')) {
    const box = svg.getBoundingClientRect()
    for (const text of svg.querySelectorAll('text')) {
      const { left, right, top, bottom, width } = text.getBoundingClientRect()
      const isInside = left >= box.left - 1 && right <= box.right + 1 && top >= box.top - 1 && bottom <= box.bottom + 1
      if (width > 0 && !isInside) clipped.push('drawing: ' + text.textContent)
    }
  }
  for (const element of document.querySelectorAll('body, body *:not(svg, svg *)')) {
    const { right } = element.getBoundingClientRect()
    const isWide = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline'
    if (isWide || right > document.documentElement.clientWidth + 1) clipped.push(element.tagName + ': ' + element.textContent.slice(0, 60))
  }
  if (document.documentElement.scrollWidth > innerWidth) clipped.push('page')
  return clipped
}`

/** Runs in the page. */
const measureCharts = `[...document.querySelectorAll('figure svg')].map((svg) => {
  const box = svg.getBoundingClientRect()
  const paths = [...svg.querySelectorAll('.mark-rect path, .mark-symbol path')].filter((path) => {
    const { width, height } = path.getBoundingClientRect()
    return width > 0 && height > 0 && path.getAttribute('fill') !== 'none'
  })
  return {
    label: svg.getAttribute('aria-label'),
    width: box.width,
    height: box.height,
    marks: paths.length,
    unpainted: paths.filter((path) => ['none', 'rgb(0, 0, 0)'].includes(getComputedStyle(path).fill)).length,
  }
})`
