const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** Columns of numbers to the right, others to the left. */
export const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const rule = head.map((_, i) => (rows.every((cells) => /^[-<\d]/.test(cells[i]!)) ? '---:' : '---'))
  return [row(head), row(rule), ...rows.map(row)].join('\n')
}

const COLUMNS = 120
/** Words of a line; code in back quotes is one word, and so is what would begin a list at the start of a line. */
const unbreakable = (text: string): readonly string[] =>
  text.match(/(?:`[^`]*`|\S)+(?:\s+(?:[-+*>]|\d+[.)]|#+)(?=\s))*/g) ?? []

const wrappedLine = (line: string): string => {
  if ([...line].length <= COLUMNS || /^\||^#|^\s{4}/.test(line)) return line
  const indent = ' '.repeat(/^- /.test(line) ? 2 : 0)
  const lines: string[] = []
  let current = ''
  for (const word of unbreakable(line)) {
    if (current === '') current = word
    else if ([...current].length + 1 + [...word].length <= COLUMNS) current += ` ${word}`
    else {
      lines.push(current)
      current = indent + word
    }
  }
  return [...lines, current].join('\n')
}

/** Markdown with no line above 120 columns but tables, headings and what has no blank: for text that is filled in. */
export const wrapMarkdown = (text: string): string =>
  text
    .split(/^(```[\s\S]*?^```)/m)
    .map((part) => (part.startsWith('```') ? part : part.split('\n').map(wrappedLine).join('\n')))
    .join('')
