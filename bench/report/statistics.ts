/** The middle value; the mean of the two middle ones for an even count. NaN of nothing. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Index of the value nearest to the median, the first of equals. */
export const medianIndex = (values: readonly number[]): number => {
  const centre = median(values)
  let best = 0
  for (let i = 1; i < values.length; i++) {
    if (Math.abs(values[i]! - centre) < Math.abs(values[best]! - centre)) best = i
  }
  return best
}

/** Half the distance between the extremes, as a share of the median. */
export const spread = (values: readonly number[]): number =>
  values.length < 2 ? 0 : (Math.max(...values) - Math.min(...values)) / (2 * median(values))

/** A spread past this says more of the machine than of the program. */
const WIDE_SPREAD = 0.1

/** Whether the samples lie so far apart that their median says little. */
export const isWide = (values: readonly number[]): boolean => spread(values) > WIDE_SPREAD

/** What the mark of a wide spread means. */
export const WIDE_NOTE = `! the samples are more than ±${100 * WIDE_SPREAD} % apart: something else runs on this machine, or more --samples are needed`
