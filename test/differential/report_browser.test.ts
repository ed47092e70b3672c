import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { benchPage } from '../../bench/report/bench_page.ts'
import { replayPage } from '../../bench/report/replay_page.ts'
import { REPORT, RESULT } from '../fixtures/bench_report.ts'
import { replayReport } from '../fixtures/replay_report.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-page-'))
const PHONE = { width: 390, height: 844 }

/**
 * The browser of the npm package; its libraries need not be there, so that the tests are skipped where it does not start. It
 * runs in one process and opens one page only.
 */
const startBrowser = async (): Promise<{ browser: Browser; page: Page } | { reason: string }> => {
  try {
    const { default: bundled } = await import('@sparticuz/chromium')
    const executablePath = await bundled.executablePath()
    const browser = await chromium.launch({ executablePath, args: bundled.args, headless: true })
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
    { name: 'of a replay', html: () => replayPage(replayReport()), charts: 7 },
    { name: 'of a benchmark', html: () => benchPage({ ...REPORT, results: [{ ...RESULT, conflicts }] }), charts: 6 },
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
      // One column: nothing but tables, which scroll by themselves, is wider than a phone.
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE.width)
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

interface DrawnChart {
  readonly label: string
  readonly width: number
  readonly height: number
  /** Bars, points and cells with an area. */
  readonly marks: number
  /** Marks whose fill came out as none: a colour of the page that is not defined. */
  readonly unpainted: number
}

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
