import Table from 'cli-table3'
import colors from 'picocolors'

/** Whether the output may carry colour and box drawing, and how wide it is. */
export interface TextStyle {
  readonly decorated: boolean
  readonly width: number
}

/** Of a terminal that does not say, and of files: what every reader has. */
const USUAL_WIDTH = 80
const LARGEST_WIDTH = 240
/** What reads well: text and bars are no wider, only tables are. */
export const MEASURE = 110

export const textStyle = (stream: NodeJS.WriteStream): TextStyle => ({
  decorated: stream.isTTY === true,
  width: Math.min(LARGEST_WIDTH, stream.columns || USUAL_WIDTH),
})

/** No line between rows. */
const NO_RULES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }

/**
 * Items in lines of at most `width`, all but the first line further in. An item that is longer than a line has one of
 * its own.
 */
const packed = (items: readonly string[], width: number, indent: number, gap: string): string => {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    if (last === undefined) lines.push(item)
    else if (last.length + gap.length + item.length <= width) lines[lines.length - 1] = last + gap + item
    else lines.push(' '.repeat(indent) + item)
  }
  return lines.join('\n')
}

/** A text in lines of at most `width`, all but the first `indent` further in. */
export const folded = (text: string, width: number, indent = 0): string =>
  packed(text.split(' '), Math.min(MEASURE, width), indent, ' ')

/** `text` after a start that stays as it is, blanks and all. */
export const foldedAfter = (start: string, text: string, width: number, indent: number): string => {
  const [first = '', ...words] = text.split(' ')
  return packed([start + first, ...words], width, indent, ' ')
}

/** Rows of [what, value], as a box on a terminal and as aligned text elsewhere. */
export const factTable = (rows: readonly (readonly [string, string])[], style: TextStyle): string => {
  const labels = Math.max(...rows.map(([label]) => label.length))
  if (!style.decorated) {
    const indent = labels + 4
    return rows
      .map(([label, value]) => {
        const [first = '', ...more] = value.split('\n')
        const start = foldedAfter(`  ${label.padEnd(labels)}  `, first, style.width, indent)
        return [start, ...more.map((line) => foldedAfter(' '.repeat(indent), line, style.width, indent))].join('\n')
      })
      .join('\n')
  }
  const drawn = new Table({
    style: { head: [], border: [] },
    chars: NO_RULES,
    colWidths: [labels + 2, Math.max(20, Math.min(MEASURE, style.width) - labels - 5)],
    wordWrap: true,
  })
  drawn.push(...rows.map(([label, value]) => [colors.dim(label), value]))
  return drawn.toString()
}

/**
 * Columns: the first `left` ones to the left, the others to the right. Where they are wider than the output, a block
 * for each row instead: what it is about, and under it what the other columns say, by their names.
 */
export const table = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
  style: TextStyle,
  left = 1,
): string => {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  const sum = widths.reduce((total, width) => total + width, 0)
  // A drawn column has a blank on both sides and a line; a plain one two blanks before the next.
  const drawnWidth = style.decorated ? sum + 3 * widths.length + 1 : sum + 2 * (widths.length - 1)
  if (drawnWidth > style.width) return rows.map((row) => block(head, row, style, left)).join('\n')
  if (style.decorated) {
    const drawn = new Table({
      head: [...head],
      style: { head: [], border: [] },
      colAligns: head.map((_, column) => (column < left ? 'left' : 'right')),
    })
    drawn.push(...rows.map((row) => [...row]))
    return drawn.toString()
  }
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => (column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const block = (
  head: readonly string[],
  row: readonly string[],
  { decorated, width }: TextStyle,
  left: number,
): string => {
  const title = row.slice(0, left).filter(Boolean).join(', ')
  const pairs = head
    .map((name, column) => [name, row[column]!] as const)
    .slice(left)
    .filter(([, value]) => value !== '' && value !== '-')
    .map(([name, value]) => `${name} ${value}`.trim())
  return `${decorated ? colors.bold(title) : title}\n  ${packed(pairs, width - 2, 2, '   ')}`
}
