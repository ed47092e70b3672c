const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** Columns of numbers to the right, others to the left. */
export const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const rule = head.map((_, i) => (rows.every((cells) => /^[-<\d]/.test(cells[i]!)) ? '---:' : '---'))
  return [row(head), row(rule), ...rows.map(row)].join('\n')
}
